"""Open files as values: all there is to know of them is told, and looking leaves no trace."""

import codecs
import io
import itertools
import os
import pty
import socket
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from pytest_skyrs._model import open_files
from pytest_skyrs._model.canonical import Canonical
from pytest_skyrs._model.normalise import normalise

canonical = Canonical()

LINES = "first\nsecond line, which is longer\n\nthird: 3\n"
CONTENTS = {
    "plain": (LINES, "utf-8", None),
    "wide": ("häßlich\n€uro\n𝔘nicode\nend", "utf-8", None),
    "dos": (LINES.replace("\n", "\r\n"), "utf-8", None),
    "mac": (LINES.replace("\n", "\r"), "utf-8", None),
    "mixed": ("a\r\nb\rc\n\r\n\rd\n\n", "utf-8", None),
    "untranslated": (LINES.replace("\n", "\r\n"), "utf-8", ""),
    "latin": ("häßlich\nzwei\n", "latin-1", None),
    "utf-16": ("häßlich\r\nzwei\r\ndrei", "utf-16", None),
    "marked": ("häßlich\nzwei\n", "utf-8-sig", None),
    "long": ("".join(f"line {number}: ä\r\n" for number in range(3000)), "utf-8", None),
    "long words": (("ä" * 30_000 + "\r\n") * 3, "utf-8", None),
    "empty": ("", "utf-8", None),
}


def lines(count):
    return lambda file: [file.readline() for _ in range(count)]


def iterated(count):
    return lambda file: list(itertools.islice(file, count))


def sought(file):
    file.readline()
    place = file.tell()
    file.read()
    file.seek(place)


WAYS = {
    "opened": lambda file: None,
    "some read": lambda file: file.read(3),
    "a line": lines(1),
    "two lines": lines(2),
    "hundred lines": lines(100),
    "iterated": iterated(1),
    "iterated twice": iterated(2),
    "iterated over hundreds": iterated(300),
    "read": lambda file: file.read(),
    "sought": sought,
}
#: The same without iteration, after which a text file doesn't tell its position.
TELLING = {
    "iterated": "a line",
    "iterated twice": "two lines",
    "iterated over hundreds": "hundred lines",
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.yaml"


def shown(path):
    """Without the name of the worker in whose folder it is."""
    return normalise(str(path), Counter())


def write(path, name):
    content, encoding, newline = CONTENTS[name]
    path.write_bytes(content.encode(encoding))
    return lambda: path.open(encoding=encoding, newline=newline)


def told(file):
    return dict(open_files.fields(file))


def memory(file):
    found = [open_files._words(file, io.TextIOWrapper)]
    found.append(open_files._words(file.buffer, type(file.buffer)))
    # The first word is the reference count.
    return [words[1:] for words in found] + [os.lseek(file.fileno(), 0, os.SEEK_CUR)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CONTENTS)
def test_position_and_rest(path, name, way):
    again = write(path, name)
    with again() as file, again() as other:
        WAYS[way](file)
        before = memory(file)
        found = told(file)
        assert memory(file) == before
        assert told(file) == found
        if way == "iterated over hundreds":
            lines(300)(other)
        else:
            WAYS[TELLING.get(way, way)](other)
        cookie = other.tell()
        place = found["position"]
        _, encoding, newline = CONTENTS[name]
        mark = "".encode(encoding) if place else b""
        rest = io.BytesIO(mark + path.read_bytes()[place:])
        # A file that has read nothing ahead, and has the same place, is the same.
        with again() as fresh:
            fresh.seek(cookie)
            assert told(fresh) == found
            left = io.TextIOWrapper(rest, encoding, newline=newline).read()
            assert fresh.read() == other.read() == file.read() == left
        size = path.stat().st_size
        assert found["left"].startswith(f"{size - place} bytes, " if size > place else "nothing")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda path: path.write_text("first\nsecond lime, which is longer\n"), "left"),
        (lambda path: path.write_text(LINES + "x"), "left"),
        (lambda path: path.write_text("f" + LINES), "position"),
    ],
)
def test_another_rest_is_another_file(path, change, key):
    again = write(path, "plain")
    with again() as file:
        file.readline()
        one, digest = told(file), canonical.digest(file)
    change(path)
    with again() as file:
        file.readline()
        other = told(file)
        assert canonical.digest(file) != digest
    assert {name for name in one if one[name] != other[name]} >= {key}


def test_what_is_told_apart(path):
    again = write(path, "plain")
    other = path.with_name("other")
    other.write_text(LINES)
    closed = again()
    closed.close()
    files = [
        closed,
        again(),
        path.open(encoding="latin-1"),
        path.open(errors="replace", encoding="utf-8"),
        path.open("r+", encoding="utf-8"),
        path.open("rb"),
        path.open("rb", buffering=0),
        path.open("a", encoding="utf-8"),
        other.open(encoding="utf-8"),
    ]
    read = again()
    read.readline()
    files.append(read)
    files += [io.StringIO("a"), io.StringIO("b"), io.BytesIO(b"a"), io.BytesIO(b"b")]
    files += [io.TextIOWrapper(io.BytesIO(b"a")), io.TextIOWrapper(io.BytesIO(b"b"))]
    moved = io.StringIO("a")
    moved.read()
    files.append(moved)
    digests = [canonical.digest(file) for file in files]
    assert len(set(digests)) == len(files)
    assert digests == [canonical.digest(file) for file in files]
    for file in files:
        file.close()
    assert canonical.digest(again()) != canonical.digest(closed)


def test_binary_files(path):
    path.write_bytes(bytes(range(256)) * 100)
    for buffering, count in itertools.product((-1, 0, 512), (0, 1, 511, 512, 513, 9000)):
        with path.open("rb", buffering) as file, path.open("rb", buffering) as other:
            assert file.read(count) == other.read(count)
            assert told(file)["position"] == other.tell() == count
            other.seek(0)
            other.seek(count)
            assert told(other) == told(file)
            assert file.read() == other.read()


def test_how_it_reads():
    with Path(__file__).open(encoding="utf-8") as file:
        file.readline()
        text = canonical.describe(file)
    assert text.startswith(f"_io.TextIOWrapper(path={__file__!r}, mode='rb', encoding='utf-8', ")
    assert "position=" in text
    assert " bytes, " in text


def test_temporary_names_are_no_part_of_it():
    digests = set()
    for _ in range(2):
        with tempfile.NamedTemporaryFile("w+", suffix=".yaml") as file:
            file.write("a: 1\n")
            file.seek(0)
            digests.add(canonical.digest(file))
    assert len(digests) == 1


def test_the_arms_folders_are_no_part_of_it(tmp_path):
    digests = set()
    for arm in ("arm-p-2024-01-02", "arm-r-2024-01-02"):
        path = tmp_path / arm / "file"
        path.parent.mkdir()
        path.write_text("a")
        with path.open() as file:
            digests.add(Canonical([(str(path.parent), "<ARM>")]).digest(file))
    assert len(digests) == 1


def test_nothing_is_written(path):
    # `tell` would do it.
    with path.open("w", encoding="utf-8") as file:
        file.write("abc")
        assert told(file)["unwritten"] == "abc"
        assert path.read_text() == ""
        other = canonical.digest(file)
        file.write("d")
        assert canonical.digest(file) != other
        assert path.read_text() == ""
        file.flush()
        assert told(file)["position"] == 4
    with path.open("wb") as file:
        file.write(b"abc")
        assert told(file) == {"path": shown(path), "mode": "wb", "position": 3, "size": 0}
        assert path.read_text() == ""


def test_a_place_that_others_share(path):
    """A child, say, moved the descriptor: the object finds out when the program asks it."""
    again = write(path, "plain")
    seen = []
    for look in (told, lambda file: None):
        with again() as file:
            file.read(3)
            os.lseek(file.fileno(), 20, os.SEEK_SET)
            look(file)
            file.seek(1)
            seen.append((file.read(4), file.tell()))
    assert seen[0] == seen[1]


def test_pipes_sockets_and_terminals_are_not_read():
    reading, writing = os.pipe()
    os.write(writing, b"content")
    with os.fdopen(reading) as file, os.fdopen(writing, "w") as written:
        assert told(file) == {"mode": "rb", "kind": "pipe"}
        assert told(written)["kind"] == "pipe"
        assert os.read(file.fileno(), 7) == b"content"
    one, other = socket.socketpair()
    with one, other, one.makefile("rb") as file:
        other.send(b"content")
        canonical.digest(file)
        assert file.read(7) == b"content"
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", 0), os.fdopen(follower, "rb", 0) as file:
        assert told(file)["kind"] == "character device"


@pytest.mark.parametrize("name", ["/proc/self/status", "/proc/version"])
def test_what_the_kernel_makes_up_is_not_read(name):
    with Path(name).open(encoding="utf-8") as file:
        assert told(file) == {"path": name, "mode": "rb", "kind": "made up"}


def test_what_cannot_be_read_any_more(path):
    again = write(path, "plain")
    file = again()
    os.close(file.fileno())
    assert told(file) == {"path": shown(path), "mode": "rb", "state": "broken: Bad file descriptor"}
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.close()
    detached = again()
    binary = detached.detach()
    assert told(detached) == {"state": "detached"}
    binary.detach()
    assert told(binary) == {"state": "detached"}
    memory = io.StringIO("a")
    memory.close()
    assert told(memory) == {"state": "closed"}
    wrapped = io.TextIOWrapper(io.BytesIO(b"a"))
    wrapped.close()
    assert told(wrapped) == {"state": "closed"}


def test_streams_of_others_are_left_alone():
    class Raw(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, _):
            raise AssertionError

        def tell(self):
            raise AssertionError

    for file in (Raw(), io.BufferedReader(Raw()), io.TextIOWrapper(io.BufferedReader(Raw()))):
        assert open_files.fields(file) is None
        canonical.digest(file)
    assert open_files.fields("text") is None


def test_code_of_subclasses_does_not_run(path):
    def refuse(*_):
        raise AssertionError

    names = ("buffer", "encoding", "errors", "name", "mode", "closed", "newlines")
    methods = ("tell", "seek", "read", "readable", "writable", "fileno", "flush", "__next__")
    body = {name: property(refuse) for name in names} | dict.fromkeys(methods, refuse)
    text = type("Text", (io.TextIOWrapper,), {**body, "__del__": lambda _: None})
    path.write_text(LINES)
    with path.open("rb") as binary, path.open() as plain:
        odd = text(binary)
        assert told(odd) == told(plain)
        assert canonical.describe(odd).endswith(canonical.describe(plain).partition("(")[2])
        for name in (*names, *methods):
            delattr(text, name)
        odd.detach()
    for base in (io.StringIO, io.BytesIO):
        odd = type("Memory", (base,), {**body, "getvalue": refuse})()
        assert told(odd)["position"] == 0


def test_decoders_of_others_are_not_asked(path):
    class Decoder(codecs.IncrementalDecoder):
        def decode(self, content, final=False):
            return bytes(content).decode("ascii")

        def getstate(self):
            assert not looking
            return b"", 0

    info = codecs.CodecInfo(
        codecs.lookup("ascii").encode, codecs.lookup("ascii").decode, incrementaldecoder=Decoder
    )

    def find(name):
        return info if name == "skyrs_of_a_test" else None

    path.write_text(LINES)
    codecs.register(find)
    try:
        looking = False
        with path.open(encoding="skyrs-of-a-test") as file:
            file.readline()
            looking = True
            assert told(file)["position"] is None
            looking = False
            assert file.read() == LINES.partition("\n")[2]
    finally:
        codecs.unregister(find)


def test_long_files_are_read_in_part(path, monkeypatch):
    size = 5 << 20
    path.write_bytes(b"x" * size)
    counted = []

    def counting(descriptor, count, start):
        content = os.pread(descriptor, count, start)
        counted.append(len(content))
        return content

    monkeypatch.setattr(open_files, "_pread", counting)
    with path.open("rb") as file:
        one = told(file)
        assert sum(counted) == open_files._LIMIT + open_files._END
    for place, differs in ((0, True), (size - 1, True), (size // 2, False)):
        path.write_bytes(b"x" * size)
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"y")
        with path.open("rb") as file:
            assert (told(file) != one) == differs


def test_replaced_functions_are_not_called(path, monkeypatch):
    again = write(path, "plain")

    def refuse(*_):
        raise AssertionError

    with again() as file:
        expected = told(file)
        for name in ("pread", "fstat", "lseek", "stat"):
            monkeypatch.setattr(os, name, refuse)
        found = told(file)
        monkeypatch.undo()
        assert found == expected


def test_without_a_known_layout(path, monkeypatch):
    """Another Python may keep its places elsewhere: then the position isn't known."""
    again = write(path, "plain")
    for name in ("_place_in_text", "_place_in_buffered"):
        monkeypatch.setattr(open_files, name, lambda: None)
        with again() as file:
            found = told(file)
            assert found["position"] is None
            assert found["path"] == shown(path)
            assert file.read() == LINES
        monkeypatch.undo()
