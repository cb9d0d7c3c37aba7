"""What each route is called with."""

from __future__ import annotations

import functools
import hashlib
import logging
import operator
import os
import pathlib
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import psutil
import schema_cases
import test_properties_files as files
import test_properties_processes as processes
import test_properties_system as system
import test_properties_users as users
import yaml_scalars
import yaml_texts
from differential import Call, Fresh, OddStr, environment, limit, unprivileged
from test_properties_text import affordable
from test_properties_yaml_dump import holds_itself, load_tool
from test_properties_yaml_load import ANSWERED, DECLINED, TASKS

from fuzz import values

if TYPE_CHECKING:
    import random

Maker = Callable[["random.Random"], Any]
SILENT = logging.INFO
yaml_equal, schema_equal = load_tool("yaml_equal"), load_tool("schema_equal")


class Description(NamedTuple):
    """How a route's calls are made and compared.

    Attributes:
        name: the function's.
        parameters: its parameters, with what makes their values. A value may be left out, from
            the right, if its maker gives `...`.
        properties: modules of property tests whose calls are recombined, and what the tests'
            names begin with.
        weight: calls in a million.
        own: how many of the calls are made by the makers; the rest are recombined ones.
        whole: makes calls instead of the parameters' makers, where their values depend on each
            other.
        around: makes the call's surroundings.
        levels: levels of log records that a handler takes.
        light: whether calls without surroundings are compared by `lightly`.
        shared: whether arguments are too large to be made for each side.
        restless: whether other processes change what the function reads, or take its ports.
        allowed: whether a call may be made at all.
    """

    name: str
    parameters: dict[str, Maker]
    properties: tuple[str, str]
    weight: int
    own: float = 0.6
    whole: Callable[[random.Random], Call] | None = None
    around: Callable[[random.Random], tuple[Fresh, ...]] | None = None
    levels: tuple[int | None, ...] = (logging.DEBUG,)
    light: bool = True
    shared: bool = False
    restless: bool = False
    allowed: Callable[[Call], bool] | None = None

    def call(self, rng: random.Random) -> Call:
        """A call by the makers."""
        if self.whole is not None:
            return self.whole(rng)
        given = {}
        for name, make in self.parameters.items():
            value = make(rng)
            if value is ...:
                break
            given[name] = value
        made = values.passed(rng, given, list(self.parameters))
        if self.around is not None:
            made = made._replace(around=self.around(rng))
        if len(self.levels) > 1:
            made = made._replace(log_level=rng.choice(self.levels))
        return made


def mostly(usual: Maker, *others: Maker, odd: float = 0.04) -> Maker:
    """The usual, one of the others, or anything."""

    def make(rng: random.Random) -> Any:
        roll = rng.random()
        if roll < odd:
            return values.odd(rng)
        return (usual if roll < 0.7 or not others else rng.choice(others))(rng)

    return make


def sometimes(make: Maker, chance: float = 0.5) -> Maker:
    """A value, or none and none of the parameters that follow."""
    return lambda rng: make(rng) if rng.random() < chance else ...


def one_of(*choices: Any) -> Maker:
    return lambda rng: rng.choice(choices)


def written(alphabet: str, most: int = 40) -> Maker:
    return lambda rng: values.text(rng, alphabet, most)


def joined(*pieces: str, most: int = 8) -> Maker:
    """Some pieces after another, texts of any kind among them."""

    def make(rng: random.Random) -> str:
        count = rng.randint(0, most)
        return "".join(
            rng.choice(pieces) if rng.random() < 0.85 else values.text(rng, most=9)
            for _ in range(count)
        )

    return make


def altered(make: Maker) -> Maker:
    return lambda rng: values.changed_text(rng, make(rng))


# Numbers and texts


BITS_OF_HASHES = (*(8, 32, 64, 128, 128, 128, 128, 160, 256, 256, 512, 513) * 2, 4000)


def hexadecimal(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(rng.choice(BITS_OF_HASHES)):x}"
    roll = rng.random()
    if roll < 0.5:
        return digits
    if roll < 0.6:
        return "_".join(digits)
    if roll < 0.7:
        return digits.upper()
    space = rng.choice(("", " ", "\t\n", "\v\f\r", "\x1c", "\x85", "\xa0", "\u2003"))
    sign = rng.choice(("", "", "+", "0x", "0X_", "+0x", "0x0x", "_"))
    return rng.choice((f"{space}{sign}{digits}", f"{sign}{digits}{space}", f"{sign}{digits}_"))


def comes_back(given: Call) -> bool:
    # With a negative number the original never returns.
    return not any(map(is_negative, (*given.args, *given.kwargs.values())))


def is_negative(value: Any) -> bool:
    if type(value) is str and "-" not in value:
        return False
    try:
        return not isinstance(value, Fresh) and int(value, 16) < 0
    except (TypeError, ValueError):
        return False


def spaced(rng: random.Random) -> str:
    alphabet = rng.choice(values.ALPHABETS)
    words = (
        "".join(rng.choices(alphabet, k=rng.choice((0, 1, 2, 5, 9, 30))))
        for _ in range(rng.randrange(9))
    )
    return " ".join(words)


HASHES = "abcXYZ019-"
ENDS = ("", "", "", "\n", " ", "\r\n", "\n\n", "\x1c", "\x85", "\xa0", "-", "\0", "é", "²")


def user_hash(rng: random.Random) -> str:
    return rng.choice(ENDS[:4]) + values.text(rng, HASHES, 20) + rng.choice(ENDS)


def cluster_name(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.3:
        return "a" + values.text(rng, "abc-019", 60)
    if kind < 0.6:
        return rng.choice("aZ") + values.text(rng, "abXY019-_.", 60) + rng.choice("a9Z-_.")
    if kind < 0.8:
        # Where it is cut, there are dashes in front.
        return "".join(c * rng.randrange(20) for c in "xA.-_z-")
    return values.text(rng, most=60)


VARIABLE = ("A", "b", "_", "0", "PATH", "é", "\n", "", "²", "ª", "１", "-", " ", "\0", "\u0130")
COLORS = ("\x1b[31m", "\x1b[0m", "\x1b[1;32m", "\x1b[\n1m", "\x1bm", "\x1b[\r\nm", "\x1b", "[", "m")
COLORS = (*COLORS, "\x1b[\u0661m", "\x1b[;m", "\x1b[38;5;1m", "x" * 30, "日" * 33, "\U0001f600")
SECRETS = ("--secret", "--secret=", "A", "=", "==", "\n", "\r", "\x85", "\u2028", "é", "日", "🙂")
SECRETS = (*SECRETS, "<redacted>", "--secret=A=b", "--secrets", "\\1", "\\g<0>", "\ud800", "\0")


def secrets(rng: random.Random) -> list[str]:
    make = joined(*SECRETS, most=5)
    found = []
    for _ in range(rng.randrange(6)):
        if rng.random() < 0.5:
            found.append("--secret")
        found.append(values.odd(rng) if rng.random() < 0.01 else make(rng))
    return found


# Files


def content(rng: random.Random) -> files.Content:
    kind = rng.random()
    if kind < 0.8:
        lines = rng.choices(LINES, k=rng.randrange(20))
        return files.Content(b"".join(lines) + values.octets(rng, rng.choice((0, 1, 20))))
    block = rng.choice((b"a", b"y\n", b"\r\n", "é".encode(), b"\xff", b"\xf0\x9f\x98\x80\n"))
    size = rng.choice(files.EDGES[:4] if kind < 0.98 else files.EDGES) + rng.randrange(-3, 4)
    return files.Content(rng.choice(LINES), block, size // len(block), rng.choice(LINES))


LINES = (
    *(b"\n", b"\n", b"\n\n", b"\r\n", b"\r", b"\r\r\n", b"\n\r", b"words\n", b"a b c\r\n", b"\0"),
    *(b"\xff\n", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf5\x80", b"\xc0\x80"),
    *("é\n".encode(), "語\r\n".encode(), "\U0001f600".encode(), b"\xef\xbb\xbf", b"\x85\x0b\x1c"),
    *("\u2028\n".encode(), b"x" * 100 + b"\n", b"INFO 01-02 03:04 run: step\n", b"\x1a", b"\x0c"),
)


def path_of(make: Maker) -> Maker:
    def made(rng: random.Random) -> Any:
        forms = [*files.PLAIN_FORMS] if rng.random() < 0.85 else [*files.FORMS]
        names = files.NAMES[:7] if rng.random() < 0.9 else files.NAMES
        return files.file(make(rng), rng.choice(forms), rng.choice(names))

    return made


def closes_nothing(given: Call) -> bool:
    """Whether no number might be taken for a descriptor, and be closed: one of the runner's."""
    return not any(map(is_descriptor, (*given.args[:1], *given.kwargs.values())))


def is_descriptor(value: Any) -> bool:
    if isinstance(value, Fresh):
        return value.label.startswith("Watched")
    try:
        return operator.index(value) >= 0
    except TypeError:
        return False


def tail_allowed(given: Call) -> bool:
    path = given.args[:1] or (given.kwargs.get("file_path"),)
    if is_descriptor(path[0]):
        return False
    # Backwards byte by byte takes the original minutes for a large file.
    label = path[0].label if isinstance(path[0], Fresh) else ""
    large = "times=" in label and "times=0" not in label
    return not large or (len(given.args) < 3 and "chunk_size" not in given.kwargs)


ALGORITHMS = tuple(sorted(hashlib.algorithms_available))
COMMON_ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha256", "md5")


def spelled(rng: random.Random) -> Any:
    name = rng.choice(ALGORITHMS)
    return rng.choice((name, name, name.upper(), name.title(), OddStr(name), name + " ", "nope"))


def entries(rng: random.Random) -> Any:
    names = {values.text(rng, "ab é語.", 5).strip("./") for _ in range(rng.randrange(5))} - {""}
    forms = [*files.PLAIN_FORMS, "relative", "with a slash"]
    form = rng.choice(forms if rng.random() < 0.85 else [*files.FORMS])
    return files.directory(names, form, rng.choice((0, 0, 0, 0, 30)))


def hindrance(rng: random.Random) -> tuple[Fresh, ...]:
    return rng.choice(((),) * 40 + ((unprivileged,), (limit("RLIMIT_NOFILE", 0),)))


# The system


def number_text(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.3:
        return str(rng.randrange(-9, 10 ** rng.randrange(1, 20)))
    if kind < 0.5:
        return repr(values.real(rng))
    if kind < 0.6:
        return rng.choice((" {} ", "\t{}\n", "{:_}", "+{}", "{}.", "0{}")).format(
            rng.randrange(10**6)
        )
    if kind < 0.8:
        return values.text(rng, "0123456789_.eE+- naif", 12)
    if kind < 0.9:
        text = values.text(rng, most=12).replace("\0", "")
        return text.encode("utf-8", "surrogatepass")
    return rng.choice(
        (None, None, "", "inf", "-inf", "nan", "1e400", "-1e400", "0.9999", "1e-400", "٣", "\x1c1")
    )


def processors(rng: random.Random) -> tuple[Fresh, ...]:
    around = (environment(**{system.CPU: number_text(rng)}),)
    return (*around, system.one_processor()) if rng.random() < 0.1 else around


def memory(rng: random.Random) -> tuple[Fresh, ...]:
    gb = number_text(rng) if rng.random() < 0.6 else None
    return (environment(**{system.GB: gb, system.BYTES: number_text(rng)}),)


def free_ports(rng: random.Random) -> tuple[Fresh, ...]:
    # The makers ask for these ports, mostly.
    start = 20_000 + rng.randrange(40)
    return (system.busy(*(start + n for n in range(6) if rng.random() < 0.5)),)


CLOUDS = (
    "kubernetes",
    "Kubernetes",
    "KUBERNETES",
    "aws",
    "",
    "gcp",
    "\u212aubernetes",
    "k8s",
    None,
)


def mounts(rng: random.Random) -> Any:
    made: dict[str, Any] = {}
    for _ in range(rng.randrange(4)):
        made[values.text(rng, "ab/", 5)] = rng.choice(
            ("/proc/self/task", "/nowhere", "/etc", "s3://bucket", "", "/proc/version", "~", ".")
        )
    if rng.random() < 0.6:
        made["made"] = entries(rng)
    if rng.random() < 0.02:
        made[rng.choice("ab")] = values.odd(rng)
    return made


def workers(rng: random.Random) -> tuple[Fresh, ...]:
    around = [system.warned(rng.random() < 0.8)] if rng.random() < 0.9 else []
    if rng.random() < 0.4:
        around.append(limit("RLIMIT_NOFILE", rng.choice((99, 104, 110, 200, 1023, 1024, 4096))))
    return tuple(around)


def pid(rng: random.Random) -> Any:
    return rng.choice((0, 1, 2, os.getpid(), os.getppid(), rng.randrange(40_000)))


# Users


def stored_hash(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.6:
        return user_hash(rng).encode("utf-8", "surrogatepass")
    if kind < 0.7:
        return values.text(rng, HASHES, 12).encode() or b"a"
    if kind < 0.8:
        return values.octets(rng, 9)
    if kind < 0.85:
        return b"a" * rng.randrange(1018, 1030) + rng.choice((b"", b"\n", b" ", b"\xc3\xa9"))
    return rng.choice(
        (
            None,
            b"",
            b"-",
            b"abcd1234\n",
            b"\xef\xbb\xbfabc",
            b"a\r\nb",
            "link",
            "secret",
            "directory",
        )
    )


def identity(rng: random.Random) -> tuple[Fresh, ...]:
    named = user_hash(rng).replace("\0", "") if rng.random() < 0.4 else None
    if named is not None and rng.random() < 0.05:
        named = rng.choice(("", "-", b"\xff", b"abc\xff", "abc\n\n"))
    try:
        if isinstance(named, str):
            os.fsencode(named)
    except UnicodeEncodeError:
        named = "x"
    variables = {users.VARIABLE: named}
    if rng.random() < 0.1:
        # It is read when SkyPilot is imported, and never again.
        variables["HOME"] = rng.choice(("/nowhere", "", None, "/", "relative"))
    return (environment(**variables), users.hash_file(stored_hash(rng)))


# YAML


@functools.cache
def real_texts() -> tuple[str, ...]:
    import sky

    folders = (pathlib.Path(sky.__file__).parent,)
    found = [path for folder in folders for path in sorted(folder.rglob("*.y*ml*"))]
    texts = [path.read_text("utf-8", "replace") for path in (*TASKS, *found)]
    return tuple(text for text in texts if len(text) < 3000)


BITS = (
    *"ab1:-?[]{},#&*!|>'\"\\ \n",
    ": ",
    "- ",
    "\n  ",
    "\n",
    " #",
    "? ",
    "---\n",
    "...\n",
    "<<: ",
)
BITS = (
    *BITS,
    "\t",
    "\r\n",
    "\x85",
    "\ufeff",
    "|\n  ",
    ">-\n  ",
    "&a ",
    "*a ",
    "!!str ",
    "\\x41",
    "é",
)


def yaml_text(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.3:
        return yaml_texts.text(rng)
    if kind < 0.5:
        return yaml_scalars.text(rng)
    if kind < 0.7:
        return "".join(rng.choices(BITS, k=rng.randrange(1, 16)))
    if kind < 0.8:
        return yaml_texts.mutated(rng, yaml_scalars.text(rng))
    if kind < 0.9:
        return yaml_texts.mutated(rng, rng.choice((*ANSWERED, *DECLINED)))
    if kind < 0.97:
        return values.changed_text(rng, yaml_texts.text(rng))
    source = rng.choice(real_texts())
    return source if rng.random() < 0.2 else yaml_texts.mutated(rng, source)


def configuration(rng: random.Random) -> Any:
    generator = yaml_equal.Generator(0)
    generator.random = rng
    made = generator.config()
    if rng.random() < 0.03 and isinstance(made, dict):
        value = values.odd(rng)
        # Each side would get another one, in a place where nobody looks.
        made[values.text(rng)] = value.label if isinstance(value, Fresh) else value
    return made


def is_finite(given: Call) -> bool:
    """Whether no argument holds itself: comparing one would never end."""
    return not any(map(holds_itself, (*given.args, *given.kwargs.values())))


@functools.cache
def schemas() -> Any:
    return schema_cases.skypilot_schemas()


def prefix(rng: random.Random) -> Any:
    if rng.random() < 0.95:
        return rng.choice(("", "x: ", "Invalid: "))
    chosen = values.odd(rng)
    # The original adds to it in place.
    return tuple(chosen) if isinstance(chosen, (list, bytearray)) else chosen


def schema_call(rng: random.Random) -> Call:
    kind = rng.choices(list(schema_equal.KINDS), [10, 6, 1])[0]
    made, whole = schema_equal.KINDS[kind](rng, schemas())
    given = {"obj": whole, "schema": made}
    if rng.random() < 0.8:
        given["err_msg_prefix"] = prefix(rng)
        if type(whole) is not dict or rng.random() < 0.7:
            given["skip_none"] = mostly(one_of(False, False, True))(rng)
    return values.passed(rng, given, list(given))


# Processes


@functools.cache
def grown(shape: str) -> int:
    """The root of a tree of processes, which lives as long as this program."""
    import atexit
    import contextlib

    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return processes.grow(SHAPES[shape], stack)


SHAPES: dict[str, Any] = {
    "alone": (),
    "one": ((),),
    "a chain": ((((),),),),
    "zombies": ("zombie", (), ("zombie",)),
    "wide": ((),) * 6,
    "deep and wide": (((), ()), ((("zombie",),), ())),
}


def tree(rng: random.Random) -> Fresh:
    shape = rng.choice([*SHAPES])
    return Fresh(f"Process of {shape}", lambda _: psutil.Process(grown(shape)))


def any_process(rng: random.Random) -> Any:
    number = rng.choice((1, os.getpid(), os.getppid()))
    return Fresh(f"Process({number})", lambda _: psutil.Process(number))


DESCRIPTIONS = (
    Description(
        "base36_encode",
        {"hex_str": mostly(hexadecimal, altered(hexadecimal), written("0fF_xX+- "), values.text)},
        ("text", "test_base36_encode_of"),
        weight=110_000,
        allowed=comes_back,
    ),
    Description(
        "format_float",
        {
            "num": mostly(values.real, values.real, values.integer, one_of(True, False)),
            "precision": sometimes(
                mostly(lambda rng: rng.randrange(8), lambda rng: rng.randrange(-1, 66))
            ),
        },
        ("text", "test_format_float_"),
        weight=190_000,
        allowed=affordable,
    ),
    Description(
        "truncate_long_string",
        {
            "s": mostly(spaced, values.text, odd=0.02),
            "max_length": sometimes(
                mostly(lambda rng: rng.randrange(-5, 60), values.integer), 0.85
            ),
            "truncate_middle": sometimes(mostly(one_of(True, False), one_of(0, 1, None, 7))),
        },
        ("text", "test_truncate_long_string_"),
        weight=160_000,
    ),
    Description(
        "is_valid_user_hash",
        {"user_hash": mostly(user_hash, values.text, one_of(None))},
        ("users", "test_is_valid_user_hash"),
        weight=115_000,
    ),
    Description(
        "check_cluster_name_is_valid",
        {"cluster_name": mostly(cluster_name, altered(cluster_name), values.text)},
        ("users", "test_check_cluster_name_is_valid"),
        weight=65_000,
    ),
    Description(
        "is_valid_env_var",
        {"name": mostly(joined(*VARIABLE), written("abZ_09"), values.text)},
        ("users", "test_is_valid_env_var"),
        weight=115_000,
    ),
    Description(
        "remove_color",
        {"s": mostly(joined(*COLORS), written("\x1b[m1é日\n"), values.text)},
        ("users", "test_remove_color"),
        weight=115_000,
    ),
    Description(
        "_redact_secrets_values",
        {"argv": mostly(secrets)},
        ("users", "test_redact_secrets_values"),
        weight=60_000,
    ),
    Description(
        "get_parallel_threads",
        {
            "cloud_str": sometimes(
                mostly(one_of(*CLOUDS), written("kubernetesKUBERNETES"), values.text), 0.95
            )
        },
        ("system", "test_get_parallel_threads"),
        weight=20_000,
    ),
    Description(
        "is_process_alive",
        {"pid": mostly(pid, values.integer, lambda rng: rng.randrange(2**31))},
        ("system", "test_is_process_alive"),
        weight=6_000,
        restless=True,
    ),
    Description(
        "safe_load",
        {"stream": mostly(yaml_text, odd=0.01)},
        ("yaml_load", "test_of"),
        weight=12_000,
        own=0.8,
    ),
    Description(
        "read_yaml_str",
        {"yaml_str": mostly(yaml_text, odd=0.01)},
        ("yaml_load", "test_of"),
        weight=5_000,
        own=0.8,
    ),
    Description(
        "read_yaml_all_str",
        {"yaml_str": mostly(yaml_text, odd=0.01)},
        ("yaml_load", "test_of"),
        weight=5_000,
        own=0.8,
    ),
    Description(
        "check_no_duplicate_keys",
        {"yaml_str": mostly(yaml_text, odd=0.01)},
        ("yaml_keys", "test_of"),
        weight=4_000,
        own=0.8,
    ),
    Description(
        "dump_yaml_str",
        {"config": mostly(configuration, odd=0.01)},
        ("yaml_dump", "test_dump_yaml_str_of"),
        weight=6_000,
        own=0.8,
        shared=True,
        allowed=is_finite,
    ),
    Description(
        "validate_schema",
        dict.fromkeys(("obj", "schema", "err_msg_prefix", "skip_none"), values.odd),
        ("schema", "test_"),
        whole=schema_call,
        weight=4_000,
        own=0.9,
        shared=True,
    ),
    Description(
        "read_last_n_lines",
        {
            "file_path": mostly(path_of(content), one_of(*files.SPECIAL), odd=0.02),
            "n": mostly(lambda rng: rng.randrange(12), values.integer, odd=0.02),
            "chunk_size": sometimes(one_of(1, 2, 3, 7, 100, 8192, 2**20, 2**62, 0, -1), 0.3),
            "encoding": sometimes(one_of("utf-8", "utf-8", "UTF-8", "latin-1", "utf-16", "nope")),
            "errors": sometimes(
                one_of("replace", "ignore", "strict", "backslashreplace", "surrogateescape", "nope")
            ),
        },
        ("files", "test_read_last_n_lines"),
        weight=3_000,
        around=hindrance,
        light=False,
        allowed=tail_allowed,
    ),
    Description(
        "hash_file",
        {
            "path": mostly(path_of(content), one_of(*files.SPECIAL), odd=0.02),
            "hash_alg": mostly(one_of(*COMMON_ALGORITHMS), spelled, odd=0.02),
        },
        ("files", "test_hash_file"),
        weight=3_000,
        around=hindrance,
        light=False,
        allowed=closes_nothing,
    ),
    Description(
        "estimate_fd_for_directory",
        {"path": mostly(entries, one_of(*files.DIRECTORIES), odd=0.03)},
        ("files", "test_estimate_fd_for_directory"),
        weight=2_500,
        around=hindrance,
        light=False,
        restless=True,
    ),
    Description(
        "find_free_port",
        {
            "start_port": mostly(
                lambda rng: 20_000 + rng.randrange(40),
                lambda rng: 20_000 + rng.randrange(40),
                lambda rng: rng.randrange(19_000, 31_000),
                one_of(0, 1, 65_533, 65_534, 65_535, 65_536, -1),
                values.integer,
            )
        },
        ("system", "test_find_free_port"),
        weight=3_000,
        around=free_ports,
        levels=(SILENT, SILENT, logging.DEBUG, None),
        light=False,
        restless=True,
    ),
    Description(
        "get_cpu_count",
        {},
        ("system", "test_get_cpu_count"),
        weight=3_000,
        around=processors,
        light=False,
    ),
    Description(
        "get_mem_size_gb",
        {},
        ("system", "test_get_mem_size_gb"),
        weight=3_000,
        around=memory,
        light=False,
    ),
    Description(
        "get_max_workers_for_file_mounts",
        {
            "common_file_mounts": mostly(mounts, odd=0.02),
            "cloud_str": sometimes(mostly(one_of(*CLOUDS))),
        },
        ("system", "test_get_max_workers"),
        weight=2_500,
        around=workers,
        levels=(SILENT, SILENT, logging.DEBUG, None),
        light=False,
    ),
    Description(
        "get_user_hash",
        {},
        ("users", "test_get_user_hash"),
        weight=3_000,
        around=identity,
        light=False,
    ),
    Description(
        "make_cluster_name_on_cloud",
        {
            "display_name": mostly(cluster_name, altered(cluster_name)),
            "max_length": sometimes(
                mostly(lambda rng: rng.randrange(-3, 60), one_of(None, 15, 35)), 0.9
            ),
            "add_user_hash": sometimes(mostly(one_of(True, False), one_of(None, 0, 1))),
        },
        ("users", "test_make_cluster_name_on_cloud"),
        weight=4_000,
        around=identity,
        levels=(SILENT, SILENT, SILENT, logging.DEBUG, None),
        light=False,
    ),
    Description(
        "_safe_children",
        {"process": mostly(tree, any_process, odd=0.01)},
        ("processes", "test_safe_children_of_anything"),
        weight=100,
        light=False,
        restless=True,
    ),
)
