"""Open files as values: path, mode, position, and a digest of what is left to read.

Nothing moves and nothing is written: files are read beside their position (`os.pread`), and how far
a file object has read ahead is taken from its memory. Its methods won't do: ``tell`` writes what is
buffered, asks anew where the descriptor is, and fails while a text file is iterated over.
"""

from __future__ import annotations

import codecs
import ctypes
import functools
import gc
import hashlib
import io
import os
import stat
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Callable, NamedTuple

from pytest_skyrs._model.normalise import normalise

#: Bytes that are read of what is left; of more, the end as well.
_LIMIT = 1 << 20
_END = 64 << 10
# Tests replace them.
_pread, _fstat, _lseek = os.pread, os.fstat, os.lseek

#: Devices of files that the kernel makes up: reading may have effects, or never end.
_MADE_UP = {path.stat().st_dev for path in map(Path, ("/proc", "/sys")) if path.is_dir()}
_KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFDIR: "folder",
}
_BUFFERED = (io.BufferedReader, io.BufferedRandom, io.BufferedWriter)


class _Bytes(NamedTuple):
    """What a file object reads from.

    Attributes:
        position: up to which the object has given its bytes out; ``None`` if that isn't known.
        size: of all.
        read: gives so many bytes from a position on.
    """

    position: int | None
    size: int
    read: Callable[[int, int], bytes]


def fields(
    value: Any, scrub: Callable[[str], str] = lambda text: text
) -> list[tuple[str, Any]] | None:
    """What there is to know of a file; ``None`` if it isn't one of the standard library's.

    Args:
        value: any object.
        scrub: takes the arm's own folders out of a path.
    """
    if type(value) is tempfile._TemporaryFileWrapper:
        value = vars(value)["file"]
    cls = type(value)
    if issubclass(cls, io.StringIO):
        return _in_memory(io.StringIO, value)
    if issubclass(cls, io.BytesIO):
        return _in_memory(io.BytesIO, value)
    text = value if issubclass(cls, io.TextIOWrapper) else None
    try:
        binary = value if text is None else _own(text, "buffer")
        raw = binary.raw if type(binary) in _BUFFERED else binary
    except (AttributeError, ValueError):
        raw = None
    if raw is None:
        return [("state", "detached")]
    if type(raw) is io.BytesIO:
        return _of_memory(text, raw)
    if type(raw) is not io.FileIO:
        return None
    name = vars(raw).get("name")
    if not isinstance(name, (str, bytes)):
        return _of_file(text, binary, raw)
    return [("path", _path(scrub(os.fsdecode(name)))), *_of_file(text, binary, raw)]


def _own(text: Any, name: str) -> Any:
    """An attribute as the standard library has it, whatever a subclass makes of it."""
    return vars(io.TextIOWrapper)[name].__get__(text)


def _in_memory(base: type, value: Any) -> list[tuple[str, Any]]:
    methods: Any = base
    try:
        return [("content", methods.getvalue(value)), ("position", methods.tell(value))]
    except ValueError:
        return [("state", "closed")]


def _of_memory(text: Any, raw: io.BytesIO) -> list[tuple[str, Any]]:
    if raw.closed:
        return [("state", "closed")]
    content = raw.getvalue()
    source = _Bytes(raw.tell(), len(content), lambda start, count: content[start : start + count])
    return _left(text, source)


def _of_file(text: Any, binary: Any, raw: io.FileIO) -> list[tuple[str, Any]]:
    if raw.closed:
        return [("state", "closed")]
    found: list[tuple[str, Any]] = [("mode", raw.mode)]
    descriptor = raw.fileno()
    try:
        status = _fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_dev in _MADE_UP:
            return [*found, ("kind", _KINDS.get(stat.S_IFMT(status.st_mode), "made up"))]
        position: int | None = _lseek(descriptor, 0, os.SEEK_CUR)
    except OSError as error:
        # Something has closed the descriptor.
        return [*found, ("state", f"broken: {error.strerror}")]
    if binary is not raw:
        ahead = _read_ahead(binary)
        position = None if ahead is None or position is None else position - ahead
    if text is not None:
        found += _unwritten(text)
    if "r" not in raw.mode and "+" not in raw.mode:
        return [*found, ("position", position), ("size", status.st_size)]
    read = functools.partial(_read, descriptor)
    return [*found, *_left(text, _Bytes(position, status.st_size, read))]


def _read(descriptor: int, start: int, count: int) -> bytes:
    """So many bytes from a position on, or less at the end."""
    parts = []
    while count > 0 and (part := _pread(descriptor, count, start)):
        parts.append(part)
        start, count = start + len(part), count - len(part)
    return b"".join(parts)


@functools.lru_cache(maxsize=1024)
def _path(path: str) -> str:
    """A path without what depends on the run: the names of temporary files, say."""
    return normalise(path, Counter())


def _left(text: Any, source: _Bytes) -> list[tuple[str, Any]]:
    """Position, and what is left to read from it on."""
    found: list[tuple[str, Any]] = []
    position = rest = source.position
    if text is not None:
        found.append(("encoding", str(_own(text, "encoding")).lower()))
        found.append(("errors", _own(text, "errors")))
        unread, pending = _decoded_ahead(text)
        if rest is None or pending is None:
            position = rest = None
        else:
            rest -= pending
            count = _encoded_length(unread, text, source, rest)
            if count is None:
                # Where it would be in the file can't be told; what it is can.
                found.append(("ahead", _digest(unread.encode("utf-8", "surrogatepass"))))
                position = None
            else:
                position = rest = rest - count
    found.append(("position", position))
    if rest is not None:
        count = max(0, source.size - rest)
        content = source.read(rest, min(count, _LIMIT))
        if count > _LIMIT:
            content += source.read(max(rest + _LIMIT, source.size - _END), _END)
        found.append(("left", f"{count} bytes, {_digest(content)}" if count else "nothing"))
    return found


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


# How far a file object is ahead of its position.


def _words(value: Any, base: type) -> list[int]:
    """The memory of an object, as far as it is that of a base class, in words."""
    count = base.__basicsize__ // ctypes.sizeof(ctypes.c_ssize_t)
    return list((ctypes.c_ssize_t * count).from_address(id(value)))


def _read_ahead(binary: Any) -> int | None:
    """Bytes from a buffered file's position to that of its descriptor, below zero if it wrote."""
    index = _place_in_buffered()
    if index is None:
        return None
    position, raw, end, _, written = _words(binary, type(binary))[index : index + 5]
    reads = type(binary) is not io.BufferedWriter and end != -1
    writes = type(binary) is not io.BufferedReader and written != -1
    return raw - position if (reads or writes) and raw >= 0 else 0


@functools.lru_cache(maxsize=1)
def _place_in_buffered() -> int | None:
    """Where a buffered file keeps its position, the descriptor's, and the end of what was read."""
    sample = io.BufferedReader(io.BytesIO(b"x" * 41), 64)
    sample.read(5)
    before = _words(sample, type(sample))
    sample.read(6)
    after = _words(sample, type(sample))
    return _only(
        index
        for index in range(len(after) - 4)
        if before[index : index + 3] == [5, 41, 41] and after[index : index + 3] == [11, 41, 41]
    )


def _decoded_ahead(text: Any) -> tuple[str, int | None]:
    """Text that is decoded and not read, and bytes that the decoder keeps back, if it is known."""
    index = _place_in_text()
    if index is None:
        return "", None
    address, used = _words(text, io.TextIOWrapper)[index : index + 2]
    unread, pending = "", 0
    for part in gc.get_referents(text):
        if id(part) == address and type(part) is str:
            unread = part[used:]
        elif isinstance(part, (codecs.IncrementalDecoder, io.IncrementalNewlineDecoder)):
            if not _is_standard(_own(text, "encoding")):
                return unread, None
            kept, flags = part.getstate()
            # A carriage return, which may be half of a line's end.
            pending = len(kept) + (flags & isinstance(part, io.IncrementalNewlineDecoder))
    return unread, pending


def _unwritten(text: Any) -> list[tuple[str, Any]]:
    """What was written and has not left the object yet."""
    known = (_own(text, "encoding"), _own(text, "errors"), "\n", "\r", "\r\n", "")
    if not io.TextIOWrapper.writable(text):
        return []
    return [
        ("unwritten", part)
        for part in gc.get_referents(text)
        if type(part) in (bytes, list) or (type(part) is str and part not in known)
    ]


@functools.lru_cache(maxsize=1)
def _place_in_text() -> int | None:
    """Where a text file keeps what is decoded, and how much of that was read."""
    content = "".join(map(chr, range(97, 117)))
    sample = io.TextIOWrapper(io.BytesIO(content.encode()), encoding="ascii")
    sample.read(3)
    before = _words(sample, type(sample))
    sample.read(8)
    after = _words(sample, type(sample))
    decoded = {id(part) for part in gc.get_referents(sample) if part == content}
    return _only(
        index
        for index in range(len(after) - 1)
        if after[index] in decoded and (before[index + 1], after[index + 1]) == (3, 11)
    )


def _only(found: Any) -> int | None:
    places = list(found)
    return places[0] if len(places) == 1 else None


@functools.lru_cache(maxsize=64)
def _is_standard(encoding: str) -> bool:
    """Whether Python itself has the decoder: asking another one for its state runs its code."""
    module = str(getattr(codecs.lookup(encoding).incrementaldecoder, "__module__", ""))
    return module.partition(".")[0] in ("codecs", "encodings")


def _encoded_length(unread: str, text: Any, source: _Bytes, end: int) -> int | None:
    """How many bytes of the file some text is that ends there; ``None`` if it isn't found."""
    if not unread:
        return 0
    mark = len("".encode(_own(text, "encoding")))
    try:
        encoded = unread.encode(_own(text, "encoding"), _own(text, "errors"))[mark:]
    except UnicodeError:
        return None
    length = len(encoded)
    if source.read(max(0, end - length), min(length, end)) == encoded:
        return length
    # Line ends were translated: each may be longer in the file.
    carriage, new_line = (char.encode(_own(text, "encoding"))[mark:] for char in "\r\n")
    start = max(0, end - length - unread.count("\n") * len(carriage))
    content = source.read(start, end - start)
    while len(content) >= length:
        translated = content.replace(carriage + new_line, new_line)
        if translated.replace(carriage, new_line) == encoded:
            return len(content)
        content = content[1:]
    return None
