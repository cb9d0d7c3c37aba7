"""Random values, fast: Hypothesis takes a hundred times as long as most calls."""

from __future__ import annotations

import decimal
import fractions
import pathlib
import struct
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
from one_call import Call, Fresh, OddBytes, OddFloat, OddInt, OddStr, Watched

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

SPECIAL = (
    "\0\t\n\v\f\r\x1b\x1c\x1d\x1e\x1f \"'#-.:/=?@[\\]_`{|}~\x7f\x80\x85\xa0\xad\xb2\xdf\xff\u0130"
    "\u0131\u017f\u0300\u0660\u0661\u07c1\u1e9e\u2003\u200d\u2028\u2029\u202e\u2126\u212a\u2160"
    "\u3000\ufb01\ufeff\uff10\uff21\ufffd\ufffe\uffff\ud800\udbff\udc80\udfff\U00010000\U0001d7d8"
    "\U0001f600\U000e0001\U0010ffff"
)
#: Every width in which CPython keeps a str.
ALPHABETS = (
    "ab",
    "abcXYZ019 -_.",
    "".join(map(chr, range(32, 127))),
    "".join(map(chr, range(128))),
    "".join(map(chr, range(256))),
    "".join(map(chr, range(0x100, 0xD800, 7))),
    "".join(map(chr, range(0xD800, 0xE000, 3))) + "a\U00010000",
    "".join(map(chr, range(0x10000, 0x110000, 997))),
    SPECIAL,
    SPECIAL + "abc019" * 9,
)
LENGTHS = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 35, 40, 63, 64, 65, 127, 128, 300)


def text(rng: random.Random, alphabet: Sequence[str] | None = None, most: int = 128) -> str:
    """A text of few or many kinds of characters."""
    length = rng.choice(LENGTHS)
    return "".join(rng.choices(alphabet or rng.choice(ALPHABETS), k=min(length, most)))


def integer(rng: random.Random) -> int:
    """Small, or next to a power of two, or huge."""
    kind = rng.random()
    if kind < 0.5:
        return rng.randrange(-40, 100)
    if kind < 0.8:
        return rng.choice((1, -1)) * (1 << rng.randrange(70)) + rng.randrange(-2, 3)
    if kind < 0.97:
        return rng.getrandbits(rng.randrange(1, 200)) - (1 << rng.randrange(100))
    return rng.choice((1, -1)) * 10 ** rng.choice((30, 121, 308, 400, 4299, 4300))


def real(rng: random.Random) -> float:
    """Any bits, decimals, ties and whole numbers."""
    kind = rng.random()
    if kind < 0.25:
        return struct.unpack("d", rng.getrandbits(64).to_bytes(8, "little"))[0]  # type: ignore[no-any-return]
    if kind < 0.5:
        return rng.randrange(-(10**9), 10**9) / 10 ** rng.randrange(12)
    if kind < 0.65:
        # A half of the last digit.
        return (2 * rng.randrange(-(10**6), 10**6) + 1) / (2 * 10 ** rng.randrange(6))
    if kind < 0.75:
        return rng.randrange(-(2**53), 2**53) * 2.0 ** rng.randrange(-1074, 900)
    if kind < 0.85:
        return float(rng.randrange(-(2**62), 2**62))
    if kind < 0.95:
        return rng.uniform(-1000, 1000)
    return rng.choice(EDGES)


INFINITY = float("inf")
EDGES = (
    *(0.0, -0.0, INFINITY, -INFINITY, INFINITY - INFINITY, 5e-324, 1.7976931348623157e308, 0.5),
    *(2.2250738585072014e-308, 2.0**52 + 0.5, 2.0**53, 2.0**63, 2.0**64, 1e16, 1e17, 1e22, 1e23),
    *(0.1, 0.05, 0.25, 2.675, 1.005, 9.995, 0.9999, 99.95, 1e-5, 1e-4, 123456789.125, -0.04),
)


def octets(rng: random.Random, most: int = 20) -> bytes:
    return rng.randbytes(rng.randrange(most + 1))


def watched(rng: random.Random) -> Fresh:
    answer = rng.choice((0, 1, 5, True, "", "ab", None))
    return Fresh(f"Watched({answer!r})", lambda _: Watched(answer))


#: What somebody might pass by mistake or by malice.
ODD: tuple[Callable[[random.Random], Any], ...] = (
    lambda rng: rng.choice((None, True, False, ..., NotImplemented, object, len, print, 0, 1, "")),
    integer,
    real,
    text,
    octets,
    lambda rng: bytearray(octets(rng)),
    lambda rng: memoryview(octets(rng)),
    lambda rng: OddStr(text(rng)),
    lambda rng: OddInt(rng.randrange(-50, 2**40)),
    lambda rng: OddFloat(real(rng)),
    lambda rng: OddBytes(octets(rng)),
    lambda rng: complex(rng.randrange(-9, 9), real(rng)),
    lambda rng: decimal.Decimal(rng.randrange(-999, 999)).scaleb(rng.randrange(-9, 9)),
    lambda rng: fractions.Fraction(rng.randrange(-99, 99), rng.randrange(1, 99)),
    lambda rng: pathlib.PurePosixPath(rng.choice(("/tmp", "x", "a/../b", "", "/proc/version"))),
    lambda rng: [rng.randrange(9) for _ in range(rng.randrange(4))],
    lambda rng: {text(rng, "abc", 3): rng.randrange(9) for _ in range(rng.randrange(3))},
    watched,
    lambda rng: rng.choice((np.int8, np.uint8, np.int32, np.int64, np.uint64))(rng.randrange(100)),
    lambda rng: np.bool_(rng.random() < 0.5),
    lambda rng: np.float64(real(rng)),
    lambda rng: np.float32(rng.uniform(-1e6, 1e6)),
    lambda rng: np.float16(rng.uniform(-1e3, 1e3)),
    lambda rng: np.str_(text(rng, most=9).replace("\0", "")),
    lambda rng: np.bytes_(octets(rng)),
)


def odd(rng: random.Random) -> Any:
    return rng.choice(ODD)(rng)


# Changing values


def changed_text(rng: random.Random, source: str, others: Sequence[str] = ()) -> str:
    """With something inserted, removed, replaced, repeated or taken from another text."""
    place = rng.randint(0, len(source))
    kind = rng.randrange(9)
    one = rng.choice(source if source and rng.random() < 0.7 else rng.choice(ALPHABETS))
    if kind == 0:
        return source[:place] + one + source[place:]
    if kind == 1:
        return source[:place] + source[place + rng.choice((1, 1, 2, 8)) :]
    if kind == 2:
        return source[:place] + one + source[place + 1 :]
    if kind == 3:
        return source[:place]
    if kind == 4:
        return source[place:]
    if kind == 5:
        piece = source[place : place + rng.choice((1, 2, 5, 20))]
        return source[:place] + piece * rng.choice((2, 2, 3, 9)) + source[place:]
    if kind == 6:
        return rng.choice((source.upper, source.lower, source.swapcase, source.title))()
    if kind == 7 and others:
        other = rng.choice(others)
        return source[:place] + other[rng.randint(0, len(other)) :]
    return rng.choice((one + source, source + one, one + source + one, source + "\n"))


def changed(rng: random.Random, value: Any, others: Sequence[str] = ()) -> Any:
    """A value next to another; of the same type, mostly."""
    kind = type(value)
    if rng.random() < 0.04:
        return odd(rng)
    if kind is str:
        made = changed_text(rng, value, others)
        roll = rng.random()
        if roll < 0.03:
            return OddStr(made)
        if roll < 0.05:
            return made.encode("utf-8", "surrogatepass")
        return made
    if kind is int:
        roll = rng.random()
        if roll < 0.1:
            return rng.choice((OddInt, float, np.float64, str, bool))(min(abs(value), 2**60))
        if roll < 0.6:
            return value + rng.choice((-2, -1, 1, 2))
        if roll < 0.7:
            return -value
        return integer(rng)
    if kind is float:
        roll = rng.random()
        if roll < 0.1:
            return rng.choice((OddFloat, np.float64, str))(value)
        if roll < 0.6:
            bits = struct.unpack("q", struct.pack("d", value))[0] + rng.choice((-1, 1, 2))
            return struct.unpack("d", (bits % 2**64).to_bytes(8, "little"))[0]
        return real(rng)
    if kind is bool:
        return not value
    if kind is bytes:
        return changed_text(rng, value.decode("latin-1")).encode("utf-8", "surrogatepass")
    if kind in (list, tuple) and value:
        items = list(value)
        place = rng.randrange(len(items))
        action = rng.randrange(4)
        if action == 0:
            del items[place]
        elif action == 1:
            items.insert(place, items[rng.randrange(len(items))])
        else:
            items[place] = changed(rng, items[place], others)
        return items if kind is list else tuple(items)
    if value is None:
        return rng.choice((None, 0, False, "", odd(rng)))
    return value


# Changing calls


def placed(given: Call, names: Sequence[str]) -> dict[str, Any] | None:
    """The arguments by parameter; None if they don't fit."""
    if len(given.args) > len(names):
        return None
    found = dict(zip(names, given.args))
    if any(name in found or name not in names for name in given.kwargs):
        return None
    return {**found, **given.kwargs}


def passed(
    rng: random.Random, values: dict[str, Any], names: Sequence[str], like: Call | None = None
) -> Call:
    """A call with those arguments, by position or by name, sometimes with a wrong arity."""
    order = [name for name in names if name in values]
    gap = next((i for i, name in enumerate(names) if name not in values), len(order))
    positional = gap if rng.random() < 0.7 else rng.randint(0, gap)
    args = tuple(values[name] for name in order[:positional])
    rest = order[positional:]
    if len(rest) > 1:
        rng.shuffle(rest)
    kwargs = {name: values[name] for name in rest}
    if rng.random() < 0.01:
        wrong = rng.randrange(4)
        if wrong == 0:
            args += (1,) * rng.randint(1, 4)
        elif wrong == 1:
            args = args[:-1]
        elif wrong == 2:
            kwargs[rng.choice(("x", "", "é", "\udc80", "SELF"))] = 1
        elif names:
            kwargs[rng.choice(names)] = 1
    return (like or Call())._replace(args=args, kwargs=kwargs)


def recombined(rng: random.Random, pool: Sequence[Call], names: Sequence[str]) -> Call:
    """A call made of one or two of a pool, with a change or without."""
    base = rng.choice(pool)
    values = placed(base, names)
    if values is None:
        return base
    if rng.random() < 0.3:
        other = rng.choice(pool)
        base = base._replace(around=other.around)
    if values:
        name = rng.choice(list(values))
        if rng.random() < 0.5:
            values[name] = (placed(rng.choice(pool), names) or values).get(name, values[name])
        if rng.random() < 0.7:
            name = rng.choice(list(values))
            others = [v for v in values.values() if type(v) is str]
            values[name] = changed(rng, values[name], others)
    return passed(rng, values, names, base)


def varied(rng: random.Random, given: Call) -> Call:
    """A call with one argument changed."""
    if given.args:
        place = rng.randrange(len(given.args))
        args = list(given.args)
        args[place] = changed(rng, args[place])
        return Call(tuple(args), given.kwargs, given.around, given.log_level)
    if given.kwargs:
        name = rng.choice(list(given.kwargs))
        kwargs = {**given.kwargs, name: changed(rng, given.kwargs[name])}
        return Call(given.args, kwargs, given.around, given.log_level)
    return given
