"""Open files as arguments: of every kind, at every position, and what a call may leave of them."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import tempfile
from typing import TYPE_CHECKING, Any, Callable
from unittest import mock

from one_call import Fresh, scratch, short

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Options of `open` for a file as the route takes it.
PLAIN: tuple[dict[str, Any], ...] = (
    {"encoding": "utf-8"},
    {"encoding": "UTF8"},
    {"encoding": "utf-8", "newline": ""},
    {"encoding": "utf-8", "newline": "\n"},
    {"encoding": "utf-8", "newline": "\r\n"},
    {"encoding": "utf-8", "errors": "replace"},
    {"encoding": "utf-8", "errors": "surrogateescape"},
    {"encoding": "utf-8", "buffering": 1},
    {"encoding": "utf-8", "buffering": 7},
)
#: And for others.
OTHER: tuple[dict[str, Any], ...] = (
    {"encoding": "utf-8-sig"},
    {"encoding": "latin-1"},
    {"encoding": "ascii"},
    {"encoding": "utf-16"},
    {"encoding": "utf-8", "mode": "r+"},
    {"encoding": "utf-8", "mode": "a"},
    {"mode": "rb"},
    {"mode": "rb", "buffering": 0},
)


class Text(io.TextIOWrapper):
    """A subclass may override anything."""


class Shouting(io.TextIOWrapper):
    def read(self, size: int | None = -1) -> str:
        return super().read(size).upper()


class Buffer(io.BufferedReader):
    pass


class Raw(io.FileIO):
    pass


def _with(attribute: str, of: Callable[[Any], Any], value: Any) -> Callable[[Path], Any]:
    """A file with an attribute of its own, in one of its layers."""

    def make(path: Path) -> Any:
        file = path.open(encoding="utf-8")
        setattr(of(file), attribute, value)
        return file

    return make


def _pipe(path: Path) -> Any:
    reader, writer = os.pipe()
    os.write(writer, path.read_bytes()[:4000])
    os.close(writer)
    return os.fdopen(reader, encoding="utf-8")


def _temporary(path: Path) -> Any:
    file = path.open("r+", encoding="utf-8")
    return tempfile._TemporaryFileWrapper(file, str(path), delete=False)


#: Files that the route takes, and others, each made of the path of one.
KINDS: dict[str, Callable[[Path], Any]] = {
    "by hand": lambda path: io.TextIOWrapper(path.open("rb"), "utf-8"),
    "by hand, of its layers": lambda path: io.TextIOWrapper(
        io.BufferedReader(io.FileIO(str(path)), 16), "utf-8"
    ),
    "by descriptor": lambda path: open(  # noqa: PTH123, SIM115
        os.open(path, os.O_RDONLY), encoding="utf-8"
    ),
    "subclass": lambda path: Text(path.open("rb"), "utf-8"),
    "subclass that reads otherwise": lambda path: Shouting(path.open("rb"), "utf-8"),
    "subclass of the buffer": lambda path: io.TextIOWrapper(Buffer(io.FileIO(str(path))), "utf-8"),
    "subclass of the file": lambda path: io.TextIOWrapper(
        io.BufferedReader(Raw(str(path))), "utf-8"
    ),
    "read of its own": _with("read", lambda file: file, lambda size=-1: ""),
    "note of its own": _with("note", lambda file: file, 1),
    "read1 of its own": _with("read1", lambda file: file.buffer, lambda size=-1: b""),
    "tell of its own": _with("tell", lambda file: file.buffer, lambda: 0),
    "readinto of its own": _with("readinto", lambda file: file.buffer.raw, lambda buffer: 0),
    "fileno of its own": _with("fileno", lambda file: file.buffer.raw, lambda: 0),
    "small chunks": _with("_CHUNK_SIZE", lambda file: file, 3),
    "pipe": _pipe,
    "temporary": _temporary,
    "codecs": lambda path: codecs.open(str(path), encoding="utf-8"),  # noqa: SIM115
    "StringIO": lambda path: io.StringIO(path.read_text("utf-8", "replace")),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "in memory": lambda path: io.TextIOWrapper(io.BytesIO(path.read_bytes()), "utf-8"),
    "of the kernel": lambda _: open("/proc/self/comm", encoding="utf-8"),  # noqa: PTH123, SIM115
    "device": lambda _: open(os.devnull, encoding="utf-8"),  # noqa: PTH123, SIM115
}


def _directory_below(file: Any) -> None:
    """Lets every read fail."""
    other = os.open("/", os.O_RDONLY)
    os.dup2(other, file.fileno())
    os.close(other)


def _another_below(file: Any) -> None:
    """Puts another file under the descriptor."""
    with open("/proc/version", "rb") as other:  # noqa: PTH123
        os.dup2(other.fileno(), file.fileno())


def _rewrite(content: bytes) -> Callable[[Any], None]:
    """Changes the file after some of it was read."""

    def change(file: Any) -> None:
        file.readline()
        with open(file.name, "wb") as again:  # noqa: PTH123
            again.write(content)

    return change


#: What may have happened to a file before it is given to the call.
BEFORE: dict[str, Callable[[Any], object]] = {
    "nothing": lambda file: None,
    "seek to 0": lambda file: file.seek(0),
    "seek to 3": lambda file: file.seek(3),
    "seek to the end": lambda file: file.seek(0, 2),
    "seek beyond the end": lambda file: file.seek(10**6),
    "read 0": lambda file: file.read(0),
    "read 1": lambda file: file.read(1),
    "read 5": lambda file: file.read(5),
    "read 8192": lambda file: file.read(8192),
    "read all": lambda file: file.read(),
    "read all, seek to 0": lambda file: (file.read(), file.seek(0)),
    "readline": lambda file: file.readline(),
    "readline, tell": lambda file: (file.readline(), file.tell()),
    "next": lambda file: next(file, None),
    "two lines": lambda file: (next(file, None), next(file, None)),
    "read 5 of the buffer": lambda file: file.buffer.read(5),
    "peek": lambda file: file.buffer.peek(1),
    "read 5 of the file": lambda file: file.buffer.raw.read(5),
    "another encoding": lambda file: file.reconfigure(encoding="latin-1"),
    "close": lambda file: file.close(),
    "detach": lambda file: file.detach(),
    "a directory below": _directory_below,
    "another file below": _another_below,
    "rewritten": _rewrite(b"b: 2\n"),
    "rewritten, broken": _rewrite(b"b: [\n" * 20),
    "cut": _rewrite(b""),
}


class Interruption(BaseException):
    """What a signal's handler may raise."""


@contextlib.contextmanager
def _decoding(change: Callable[[Any, int], Any]) -> Iterator[None]:
    """Has the reads of files end in another way; `change` gets the text and the read's number."""
    decode = codecs.BufferedIncrementalDecoder.decode
    count = 0

    def changed(self: Any, data: bytes, final: bool = False) -> Any:
        nonlocal count
        count += 1
        return change(decode(self, data, final), count)

    with mock.patch.object(codecs.BufferedIncrementalDecoder, "decode", changed):
        yield


def _fail(kind: type[BaseException], at: int) -> Callable[[Any, int], Any]:
    def change(text: Any, number: int) -> Any:
        if number == at:
            raise kind(5, "by a test")
        return text

    return change


#: What may happen while the call reads.
MEANWHILE: dict[str, Callable[[Any, int], Any]] = {
    **{f"interrupted at {at}": _fail(Interruption, at) for at in (1, 2, 3, 4)},
    **{f"failed at {at}": _fail(OSError, at) for at in (1, 2, 3)},
    "attribute missing": _fail(AttributeError, 1),
    "other text": lambda text, _: text.replace("1", "2"),
    "other text later": lambda text, number: text if number < 3 else text.upper(),
    "more text": lambda text, number: text + "z: 1\n" if number == 1 else text,
    "less text": lambda text, number: text[: len(text) // 2],
    "broken text": lambda text, number: text + "]\n" if text else text,
    "no text": lambda text, number: "",
    "bytes": lambda text, number: b"a: 1",
}


def meanwhile(name: str) -> Fresh:
    """A surrounding in which reads of files go another way."""
    return Fresh(f"meanwhile({name!r})", lambda _: _decoding(MEANWHILE[name]))


def opened(
    content: str | bytes, kind: str | None = None, before: str = "nothing", **options: Any
) -> Fresh:
    """An open file as an argument: of a kind, or by options of `open`."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")

    def make(stack: contextlib.ExitStack) -> Any:
        path = scratch() / "open-file"
        path.write_bytes(data)
        file = path.open(**options) if kind is None else KINDS[kind](path)
        stack.callback(_close, file)
        # Not all of it can be done to each kind.
        with contextlib.suppress(AttributeError, ValueError, OSError, TypeError):
            BEFORE[before](file)
        return file

    what = short(content) if kind is None else f"{short(content)}, {kind!r}"
    return Fresh(f"opened({what}, before={before!r}, **{options!r})", make)


def _close(file: Any) -> None:
    with contextlib.suppress(ValueError, OSError):
        file.close()


def state(file: Any) -> list[Any]:
    """What shows of a file: its positions, what it knows, and what it would give next."""

    def attempt(look: Callable[[], Any]) -> Any:
        try:
            return look()
        except Exception as error:
            return type(error), str(error)

    looks = (
        lambda: file.closed,
        # Before `tell`, which may make it forget.
        lambda: file.newlines,
        lambda: os.lseek(file.fileno(), 0, os.SEEK_CUR),
        lambda: file.buffer.raw.tell(),
        lambda: file.buffer.tell(),
        lambda: sorted(vars(file)),
        lambda: sorted(vars(file.buffer)),
        lambda: sorted(vars(file.buffer.raw)),
        lambda: file.tell(),
        lambda: file.read(),
        lambda: file.newlines,
        lambda: (file.seek(0), file.read()),
    )
    return [attempt(look) for look in looks]
