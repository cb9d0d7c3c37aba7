"""How a route's calls are made: what the `fuzz` of a `RouteCases` is put together of."""

from __future__ import annotations

import functools
import hashlib
import logging
import operator
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import open_files
import psutil
import schema_cases
import test_properties_files as files
import test_properties_processes as processes
import test_properties_system as system
import test_properties_users as users
import yaml
import yaml_corpus
import yaml_documents
import yaml_merges
import yaml_scalars
import yaml_texts
from cases import CASES
from one_call import Call, Fresh, OddStr, environment, limit, unprivileged
from test_properties_text import affordable  # noqa: F401 - for the cases
from test_properties_yaml_dump import holds_itself
from test_properties_yaml_load import ANSWERED, DECLINED, TASKS

from fuzz import values

if TYPE_CHECKING:
    import random

    from cases.case import RouteCases

Maker = Callable[["random.Random"], Any]
SILENT = logging.INFO
#: Files, folders, wheels and sdists whose texts are drawn as well.
CORPUS: list[pathlib.Path] = []


class Description(NamedTuple):
    """How a route's calls are made and compared.

    Attributes:
        parameters: its parameters, with what makes their values. A value may be left out, from
            the right, if its maker gives `...`.
        properties: modules of property tests whose calls are recombined, and what the tests'
            names begin with; by default those that are made of the cases.
        weight: calls in a million, roughly.
        own: how many of the calls are made by the makers; the rest are recombined ones.
        whole: makes calls instead of the parameters' makers, where their values depend on each
            other.
        around: makes the call's surroundings.
        levels: levels of log records that a handler takes.
        light: whether calls without surroundings are compared by `lightly`.
        shared: whether arguments are too large to be made for each side.
        restless: whether other processes change what the function reads, or take its ports.
        allowed: whether a call may be made at all.
        name: the function's.
    """

    parameters: dict[str, Maker]
    properties: tuple[str, str] | None = None
    weight: int = 1_000
    own: float = 0.6
    whole: Callable[[random.Random], Call] | None = None
    around: Callable[[random.Random], tuple[Fresh, ...]] | None = None
    levels: tuple[int | None, ...] = (logging.DEBUG,)
    light: bool = True
    shared: bool = False
    restless: bool = False
    allowed: Callable[[Call], bool] | None = None
    name: str = ""

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
def real_texts() -> list[str]:
    """SkyPilot's YAML files and templates, and the short ones of the corpus."""
    import sky

    own = pathlib.Path(sky.__file__).parent.rglob("*.y*ml*")
    found = yaml_corpus.texts([*TASKS, *sorted(own), *CORPUS])
    return [text for text in found if len(text) < 3000]


@functools.cache
def corpus() -> list[str]:
    """The corpus alone, whatever a text's length."""
    return yaml_corpus.texts(CORPUS)


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
    if CORPUS and kind < 0.5:
        return rng.choice(corpus()) if kind < 0.25 else rewritten(rng, rng.choice(real_texts()))
    if kind < 0.25:
        return yaml_texts.text(rng)
    if kind < 0.4:
        return yaml_scalars.text(rng)
    if kind < 0.55:
        return yaml_merges.text(rng)
    if kind < 0.7:
        return "".join(rng.choices(BITS, k=rng.randrange(1, 16)))
    if kind < 0.8:
        return yaml_texts.mutated(rng, yaml_scalars.text(rng))
    if kind < 0.9:
        return yaml_texts.mutated(rng, rng.choice((*ANSWERED, *DECLINED)))
    if kind < 0.97:
        return values.changed_text(rng, yaml_texts.text(rng))
    source = rng.choice(real_texts())
    return source if rng.random() < 0.2 else rewritten(rng, source)


def rewritten(rng: random.Random, source: str) -> str:
    """A real text with one change, or with one key in the place of its neighbour."""
    return (yaml_texts.mutated if rng.random() < 0.7 else yaml_texts.doubled)(rng, source)


def yaml_file(rng: random.Random) -> Fresh:
    content: str | bytes = yaml_text(rng)
    if rng.random() < 0.1:
        content = values.changed_text(rng, content).encode("utf-8", "surrogatepass")[1:]
    kind = rng.choice(list(open_files.KINDS)) if rng.random() < 0.2 else None
    options = rng.choice((*open_files.PLAIN, *open_files.PLAIN, *open_files.OTHER))
    before = rng.choice(list(open_files.BEFORE)) if rng.random() < 0.6 else "nothing"
    return open_files.opened(content, kind, before, **(options if kind is None else {}))


def configuration(rng: random.Random) -> Any:
    if CORPUS and rng.random() < 0.3:
        try:
            return yaml.load(rng.choice(corpus()), Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, ValueError, TypeError):
            # A template, mostly.
            return None
    generator = yaml_documents.Generator(0)
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
    kind = rng.choices(list(schema_cases.KINDS), [10, 6, 1])[0]
    made, whole = schema_cases.KINDS[kind](rng, schemas())
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


def described(cases: RouteCases) -> Description:
    """How a route's calls are made."""
    found = cases.fuzz(sys.modules[__name__])
    basics = ("basics", f"test_{cases.name.lstrip('_')}_")
    return found._replace(name=cases.name, properties=found.properties or basics)


DESCRIPTIONS = tuple(described(cases) for cases in CASES.values() if cases.fuzz is not None)
