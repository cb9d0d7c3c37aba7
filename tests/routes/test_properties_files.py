"""read_last_n_lines, hash_file and estimate_fd_for_directory against their originals."""

import contextlib
import hashlib
import operator
import os
import pathlib
import sys
from typing import NamedTuple

import pytest
from differential import any_text, calls, compare, either, huge_integers, odd_values, property_test
from hypothesis import strategies as st
from one_call import (
    Call,
    Fresh,
    OddBytes,
    OddStr,
    Watched,
    call,
    limit,
    scratch,
    short,
    unprivileged,
)


class FsPath:
    """An os.PathLike that is nothing else."""

    def __init__(self, path):
        self.path = path
        self.asked = []

    def __fspath__(self):
        self.asked.append("fspath")
        return self.path

    def __eq__(self, other):
        return type(other) is FsPath and other.path == self.path

    __hash__ = None


class SlowPath(pathlib.PosixPath):
    """A subclass may answer as it likes."""

    def __fspath__(self):
        return super().__fspath__() + ".elsewhere"


PLAIN_FORMS = {"str": str, "PosixPath": pathlib.PosixPath}
FORMS = {
    **PLAIN_FORMS,
    "bytes": os.fsencode,
    "OddStr": OddStr,
    "OddBytes": lambda path: OddBytes(os.fsencode(path)),
    "FsPath": FsPath,
    "FsPath of bytes": lambda path: FsPath(os.fsencode(path)),
    "SlowPath": SlowPath,
    "Watched": Watched,
    "relative": os.path.relpath,
    "with dots": lambda path: f"{path.rsplit('/', 1)[0]}/./../{'/'.join(path.rsplit('/', 2)[1:])}",
    "with a slash": lambda path: path + "/",
    "with a NUL": lambda path: path + "\0",
    "in a file": lambda path: path + "/x",
    "descriptor": lambda path: os.open(path, os.O_RDONLY),
}
NAMES = ["subject", "with space", "é", "語", "😀", "\udcff\udc80", "new\nline", "x" * 255]


class Content(NamedTuple):
    """Bytes of a file, by the description from which they are made."""

    head: bytes = b""
    block: bytes = b""
    times: int = 0
    tail: bytes = b""

    def build(self):
        return self.head + self.block * self.times + self.tail


def file(content, form="str", name="subject"):
    """The path of a file that exists during the call."""
    shape = {**PLAIN_FORMS, **FORMS}[form]

    def make(stack):
        path = scratch() / name
        path.write_bytes(content.build())
        stack.callback(path.unlink)
        return shape(str(path))

    return Fresh(f"file({short(content)}, {form}, {name!r})", make)


def special(label, make):
    return Fresh(f"path of {label}", make)


def pipe_with(data):
    """A pipe whose writer has gone."""

    def make(stack):
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        stack.callback(os.close, reader)
        return f"/proc/self/fd/{reader}"

    return special(f"a pipe with {data!r}", make)


def once(stack, path, make, remove):
    """Makes what may be an argument's part several times over."""
    if not os.path.lexists(path):
        make(path)
        stack.callback(remove, path)
    return str(path)


def link_to(target):
    def make(stack):
        path = scratch() / f"link-{target.replace('/', '-')}"
        return once(stack, path, lambda link: link.symlink_to(target), os.unlink)

    return special(f"a link to {target}", make)


def link_to_itself(stack):
    return once(stack, scratch() / "loop", lambda link: link.symlink_to("loop"), os.unlink)


def unreadable(stack):
    def make(path):
        path.write_bytes(b"secret\n")
        path.chmod(0)

    return once(stack, scratch() / "unreadable", make, os.unlink)


#: Whatever isn't a regular file that one may read, and files of the kernel, which aren't quite.
SPECIAL = [
    "",
    ".",
    "/",
    "/dev/null",
    "/nowhere",
    "/nowhere/x",
    "/proc/self/mem",
    "/proc/version",
    "/proc/filesystems",
    "/proc/self/cmdline",
    "/sys/devices/system/cpu/online",
    "~",
    "\0",
    "x" * 256,
    "/x" * 3000,
    "\ud800",
    b"\xff",
    None,
    -1,
    987654,
    2**31,
    2**70,
    pipe_with(b""),
    pipe_with(b"a\nb\r\n"),
    link_to("/proc/version"),
    link_to("/nowhere"),
    special("a link to itself", link_to_itself),
    special("an unreadable file", unreadable),
]
special_paths = st.sampled_from(SPECIAL)


def may_be_open(value):
    """Whether open() would take it for a descriptor, and close it: the test's own perhaps."""
    if sys.version_info < (3, 10) and hasattr(type(value), "__int__"):
        # Decimals, too: what was deprecated then isn't any longer.
        return True
    try:
        return operator.index(value) >= 0
    except TypeError:
        return isinstance(value, Fresh)


odd_paths = either(odd_values().filter(lambda value: not may_be_open(value)), special_paths)

piece = either(
    st.sampled_from(
        [b"\n", b"\n\n", b"\r\n", b"\r", b"\r\r\r", b"\n\r", b"\r\xff", b"\xff\r", b"\0", b" "]
    ),
    st.sampled_from(
        [b"\x0b", b"\x0c", b"\x1c\x1d\x1e", b"\x85", "\u2028\u2029\x85".encode(), b"\xef\xbb\xbf"]
    ),
    # Cut short, too long, surrogates, beyond the last plane.
    st.sampled_from(
        [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
    ),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=12),
    st.just(b"plain words"),
)
bytes_of_lines = st.lists(piece, max_size=14).map(b"".join)
contents = bytes_of_lines.map(Content)
#: Around the sizes of the blocks in which either side reads, up to more than a megabyte.
EDGES = [8192, 16384, 65536, 131072, 262144, 1_048_576]
large_contents = either(
    # One long line with others about it.
    st.builds(
        lambda head, block, size, tail: Content(head, block, size // len(block), tail),
        bytes_of_lines,
        st.sampled_from([b"y", "é".encode(), b"\r", b"\xff", b"\n", b"\r\n"]),
        st.builds(operator.add, st.sampled_from(EDGES[:4]), st.integers(-3, 3)),
        bytes_of_lines,
    ),
    st.builds(
        Content,
        bytes_of_lines,
        st.builds(
            lambda line, n: line * n + b"\n",
            st.sampled_from([b"a", b"\xf0\x9f\x98\x80"]),
            st.integers(0, 300),
        ),
        st.integers(1, 2000),
        bytes_of_lines,
    ),
)


#: Nearly always nothing.
sometimes_hindered = st.sampled_from([*[()] * 8, (unprivileged,), (limit("RLIMIT_NOFILE", 0),)])


# read_last_n_lines

options = {
    "chunk_size": st.sampled_from([1, 2, 3, 7, 100, 8192, 2**20, 2**62]),
    "encoding": st.sampled_from(["utf-8", "utf8", "UTF-8"]),
    "errors": st.sampled_from(["replace", "ignore", "backslashreplace", "surrogateescape"]),
}
#: Reading backwards byte by byte takes the original minutes for a large file.
large_options = {**options, "chunk_size": st.sampled_from([512, 4096, 8192, 2**16, 2**20])}
paths_of = {
    "plain": st.builds(file, contents, st.sampled_from([*PLAIN_FORMS]), st.sampled_from(NAMES[:7])),
    "large": st.builds(file, large_contents, st.sampled_from([*PLAIN_FORMS])),
    "any": st.builds(file, contents, st.sampled_from([*FORMS]), st.sampled_from(NAMES)),
}


@property_test(
    calls({"file_path": paths_of["plain"], "n": st.integers(0, 20)}, options),
    examples=350,
    share=1.0,
)
def test_read_last_n_lines_of_files(given):
    compare("read_last_n_lines", given)


@property_test(
    calls(
        {
            "file_path": paths_of["large"],
            "n": either(st.integers(0, 4), st.sampled_from([100, 1000, 1001, 2**63 - 1])),
        },
        large_options,
    ),
    examples=120,
    share=1.0,
)
def test_read_last_n_lines_of_large_files(given):
    compare("read_last_n_lines", given)


@property_test(
    st.tuples(st.integers(0, 6), st.lists(piece, max_size=6).map(b"".join)),
    examples=150,
    share=1.0,
)
def test_read_last_n_lines_decodes_as_python(drawn):
    n, content = drawn
    for errors in ("replace", "ignore", "backslashreplace", "surrogateescape"):
        compare("read_last_n_lines", Call((file(Content(content)), n), {"errors": errors}))


@property_test(
    calls(
        {"file_path": paths_of["plain"], "n": st.integers(0, 9)},
        options,
        odd={
            "file_path": either(paths_of["any"], odd_paths),
            "n": either(st.integers(-2, 9), huge_integers, odd_values()),
            "chunk_size": either(st.integers(-1, 99), huge_integers, odd_values()),
            "encoding": either(
                st.sampled_from(
                    ["utf-8", "U8", "utf_8", "latin-1", "ascii", "utf-16", "cp037", "utf-8-sig"]
                ),
                st.sampled_from(["rot13", "hex", "nope", "", "utf-8\0", "idna", "unicode_escape"]),
                odd_values(),
            ),
            "errors": either(
                st.sampled_from(["strict", "surrogatepass", "xmlcharrefreplace", "namereplace"]),
                st.sampled_from(["replace", "nope", "", "REPLACE", "strict\0"]),
                odd_values(),
            ),
        },
        malformed=True,
        around=sometimes_hindered,
    ),
    examples=500,
)
def test_read_last_n_lines_of_anything(given):
    compare("read_last_n_lines", given)


@pytest.mark.parametrize("path", SPECIAL, ids=lambda path: short(path)[:40])
def test_read_last_n_lines_of_special_paths(path):
    for n in (0, 1, 3, -1):
        compare("read_last_n_lines", call(path, n))
        compare("read_last_n_lines", Call((path, n), around=(unprivileged,)))
        if not isinstance(path, int):
            compare("read_last_n_lines", Call((path, n), around=(limit("RLIMIT_NOFILE", 0),)))


@pytest.mark.parametrize("form", FORMS)
def test_read_last_n_lines_of_every_kind_of_path(form):
    given = call(file(Content(b"one\ntwo\n\xe9\r\r\nthree"), form), 3)
    assert compare("read_last_n_lines", given).rust == (
        form in (*PLAIN_FORMS, "relative", "with dots")
    )


@pytest.mark.parametrize("errors", ["strict", "replace", "surrogatepass"])
@pytest.mark.parametrize("line", [b"\xff", b"ok\xc3", b"\xed\xa0\x80\r", b"fine"])
def test_read_last_n_lines_with_a_strict_handler(line, errors):
    for content in (line, line + b"\nlast", b"first\n" + line + b"\n"):
        compare("read_last_n_lines", call(file(Content(content)), 2, errors=errors))


# hash_file

ALGORITHMS = sorted(hashlib.algorithms_available)
algorithms = st.sampled_from(ALGORITHMS)
hashed_contents = either(
    contents,
    st.builds(
        lambda edge, d, byte: Content(b"", byte, edge + d),
        st.sampled_from([0, 1, 2047, 2048, 4096, *EDGES]),
        st.integers(-1, 1),
        st.sampled_from([b"\0", b"a", b"\xff"]),
    ),
)


@property_test(
    calls(
        {
            "path": st.builds(
                file, hashed_contents, st.sampled_from([*PLAIN_FORMS]), st.sampled_from(NAMES[:7])
            ),
            "hash_alg": st.sampled_from(["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]),
        }
    ),
    examples=250,
    share=1.0,
)
def test_hash_file_of_files(given):
    compare("hash_file", given)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "sm3", "md4", "mdc2", "whirlpool", "nope", ""])
def test_hash_file_with_every_algorithm(algorithm):
    spellings = {algorithm, algorithm.upper(), algorithm.title(), algorithm.replace("_", "-")}
    for spelling in sorted(spellings):
        for content in (Content(), Content(b"abc"), Content(b"", b"block", 100_000)):
            given = call(file(content), spelling)
            rust = compare("hash_file", given).rust
            assert rust or spelling not in hashlib.algorithms_guaranteed


@property_test(
    calls(
        {"path": st.builds(file, hashed_contents), "hash_alg": algorithms},
        odd={
            "path": either(
                st.builds(file, hashed_contents, st.sampled_from([*FORMS]), st.sampled_from(NAMES)),
                odd_paths,
            ),
            "hash_alg": either(
                algorithms.map(str.upper),
                algorithms.map(str.title),
                algorithms.map(OddStr),
                algorithms.map(str.encode),
                st.builds("{}{}".format, algorithms, st.sampled_from([" ", "\0", "-", "x"])),
                any_text,
                odd_values(),
            ),
        },
        malformed=True,
        around=sometimes_hindered,
    ),
    examples=500,
)
def test_hash_file_of_anything(given):
    compare("hash_file", given)


@pytest.mark.parametrize("path", SPECIAL, ids=lambda path: short(path)[:40])
def test_hash_file_of_special_paths(path):
    for algorithm in ("md5", "blake2b", "nope", None):
        compare("hash_file", call(path, algorithm))
        compare("hash_file", Call((path, algorithm), around=(unprivileged,)))
        if not isinstance(path, int):
            compare("hash_file", Call((path, algorithm), around=(limit("RLIMIT_NOFILE", 0),)))


# estimate_fd_for_directory

directory_names = st.sets(
    either(
        st.text(max_size=9).filter(lambda name: name not in (".", "..")),
        st.binary(max_size=9).map(os.fsdecode),
        st.just("..."),
    )
    .map(lambda name: name.replace("/", "_").replace("\0", "_"))
    .filter(
        lambda name: (
            0 < len(name.encode("utf-8", "surrogateescape")) < 200
            and name not in (".", "..")
            and encodable(name)
        )
    ),
    max_size=8,
)


def encodable(name):
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def directory(names, form="str", count=0):
    """The path of a directory with those entries, and that many more."""

    def make(stack):
        path = scratch() / "directory"
        path.mkdir()
        stack.callback(path.rmdir)
        kinds = (
            lambda entry: entry.touch(),
            lambda entry: entry.mkdir(),
            lambda entry: entry.symlink_to("/nowhere"),
        )
        for i, name in enumerate([*sorted(names), *map(str, range(count))]):
            entry = path / name if i < len(names) else path / f"more {name}"
            kinds[i % len(kinds)](entry)
            stack.callback(entry.rmdir if i % len(kinds) == 1 else entry.unlink)
        if form == "descriptor":
            descriptor = os.open(path, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            return descriptor
        return FORMS[form](str(path))

    return Fresh(f"directory({names!r}, {form}, {count} more)", make)


def unreadable_directory(stack):
    return once(stack, scratch() / "closed", lambda path: path.mkdir(mode=0), os.rmdir)


DIRECTORIES = [
    *SPECIAL,
    "/proc/self/task",
    "/proc/self/fd",
    "/sys/devices/system/cpu",
    link_to("/proc/self/task"),
    link_to("/dev/fd"),
    special("an unreadable directory", unreadable_directory),
]


@property_test(
    calls(
        {
            "path": st.builds(
                directory,
                directory_names,
                st.sampled_from([*PLAIN_FORMS, "relative", "with a slash"]),
                st.sampled_from([0, 0, 0, 50]),
            )
        }
    ),
    examples=150,
    share=1.0,
)
def test_estimate_fd_for_directory_of_directories(given):
    compare("estimate_fd_for_directory", given)


@property_test(
    calls(
        {"path": st.builds(directory, directory_names)},
        odd={
            "path": either(
                st.builds(directory, directory_names, st.sampled_from([*FORMS])),
                st.sampled_from(DIRECTORIES),
                odd_values(),
            )
        },
        malformed=True,
        around=sometimes_hindered,
    ),
    examples=300,
)
def test_estimate_fd_for_directory_of_anything(given):
    compare("estimate_fd_for_directory", given)


@pytest.mark.parametrize("path", DIRECTORIES, ids=lambda path: short(path)[:40])
def test_estimate_fd_for_directory_of_special_paths(path):
    for around in ((), (unprivileged,), (limit("RLIMIT_NOFILE", 0),)):
        compare("estimate_fd_for_directory", Call((path,), around=around))


@contextlib.contextmanager
def working_directory(path):
    before = pathlib.Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def test_estimate_fd_for_directory_of_many_entries():
    # More than one block of entries.
    outcome = compare("estimate_fd_for_directory", call(directory((), count=3000)))
    assert outcome.rust
    assert outcome.observation.result == 15_000


def test_relative_paths_follow_the_working_directory():
    (scratch() / "here").write_bytes(b"a\nb\n")
    around = (Fresh("elsewhere", lambda _: working_directory(scratch())),)
    assert compare("read_last_n_lines", Call(("here", 1), around=around)).rust
    assert compare("hash_file", Call(("here", "md5"), around=around)).rust
    assert compare("estimate_fd_for_directory", Call((".",), around=around)).rust
    (scratch() / "here").unlink()
