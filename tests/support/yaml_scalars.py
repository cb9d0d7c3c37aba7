"""Makes YAML texts of scalars that might be numbers, booleans, dates and the like, and compares
what is loaded.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import yaml_texts

if TYPE_CHECKING:
    import random

EXAMPLES = (
    *("yes", "Yes", "YES", "yEs", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y"),
    *("true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "null", "Null", "NULL", "nULL"),
    *("~", "~~", "=", "==", "<<", "<", "<<<", "0", "-0", "+0", "00", "0_", "_0", "1_000", "0o17"),
    *("017", "-017", "08", "09", "0_7", "0b101", "-0b1_1", "0b", "0b_", "0b2", "0x1F", "+0xa_b"),
    *("0x", "0x_", "0xg", "1:30", "-1:30:59", "1:60", "0:30", "8080:80", "22:22", "1:30.5", "1:"),
    *("1.", ".5", "-.5", "+.5", "1.5", "-1.5", "1_0.5_0", "1e3", "1.0e3", "1.0e+3", "1.e-3", "."),
    *("1.5E+10", "1.0e+400", ".5e+3", "._5", "..", "-.", "-", "+", ".inf", "-.Inf", "+.INF"),
    *(".nan", ".NaN", "-.nan", ".iNF", "2001-12-14", "2001-1-1", "2001-12-14 21:59:43", "1-2-3"),
    *("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43Z", "9223372036854775807", "-1"),
    *("9223372036854775808", "-9223372036854775808", "123456789012345678901234567890", "0.1"),
    *("0.30000000000000004", "179769313486231580793.0e+300", "4.9e-324", "1.0.0", "3.10", "v1"),
    *("A100:8", "8+", "1x", "٣", "1é", "é", "50GB", "s3://b/c", "a:b", "a::b", "c#d", "-1-", "--"),
    *("0.0", "-0.0", "0_0.0", "1__", "1._", "0b1.0", "0x1.0", "1.5.", "1e+3", "nullx", "truee"),
)
CHARACTERS = "0123456789012345678900__..::--+eExXbaofFtTzZ nNlL~=<"


def word(rng: random.Random) -> str:
    """A plain scalar, mostly."""
    kind = rng.random()
    if kind < 0.6:
        return rng.choice(EXAMPLES)
    if kind < 0.85:
        characters = "".join(
            rng.choice(CHARACTERS) for _ in range(rng.choice((1, 2, 3, 4, 6, 9, 14, 25)))
        )
        return characters.strip(" ") or "0"
    source = rng.choice(EXAMPLES)
    place = rng.randint(0, len(source))
    return (source[:place] + rng.choice(CHARACTERS) + source[place + rng.choice((0, 1)) :]).strip(
        " "
    ) or "0"


def text(rng: random.Random) -> str:
    """Mappings, sequences and flow collections of such words."""
    style = yaml_texts.Style(0.0, 2, "\n")
    lines = []
    for _ in range(rng.choice((1, 2, 3, 6))):
        kind = rng.random()
        if kind < 0.35:
            lines.append(f"{word(rng)}: {word(rng)}")
        elif kind < 0.5:
            lines.append(
                f"k{len(lines)}: [{', '.join(word(rng) for _ in range(rng.randint(0, 4)))}]"
            )
        elif kind < 0.6:
            pairs = (f"{word(rng)}: {word(rng)}" for _ in range(rng.randint(0, 4)))
            lines.append(f"k{len(lines)}: {{{', '.join(pairs)}}}")
        elif kind < 0.7:
            quote = rng.choice("'\"")
            lines.append(f"{quote}{word(rng)}{quote}: {quote}{word(rng)}{quote}")
        elif kind < 0.8:
            lines.append(f"k{len(lines)}:\n" + "\n".join(f"- {word(rng)}" for _ in range(2)))
        elif kind < 0.9:
            lines.append(f"b{len(lines)}: {yaml_texts.block_scalar(rng, style, 0)}".rstrip("\n"))
        else:
            lines.append(f"k{len(lines)}:\n  {word(rng)}: {word(rng)} # {word(rng)}")
    return rng.choice(("", "", "", "---\n")) + "\n".join(lines) + rng.choice(("\n", "\n", ""))


def same(one: Any, other: Any, met: tuple[dict[int, int], dict[int, int]] | None = None) -> bool:
    """Whether two loaded values are equal, with all types and the order of keys.

    What is one object in the one must be one in the other, and only that; they may hold themselves.
    """
    if type(one) is not type(other):
        return False
    there, back = met = met or ({}, {})
    if id(one) in there or id(other) in back:
        return there.get(id(one)) == id(other) and back.get(id(other)) == id(one)
    there[id(one)], back[id(other)] = id(other), id(one)
    if type(one) is dict:
        return len(one) == len(other) and all(
            same(a, c, met) and same(b, d, met)
            for (a, b), (c, d) in zip(one.items(), other.items())
        )
    if type(one) is list:
        return len(one) == len(other) and all(same(a, b, met) for a, b in zip(one, other))
    if type(one) is float:
        return struct.pack("d", one) == struct.pack("d", other) or (
            math.isnan(one) and math.isnan(other)
        )
    return bool(one == other)
