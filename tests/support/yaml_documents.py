"""Documents that are hard to dump: small, nasty, and drawn from a `random.Random`."""

from __future__ import annotations

import random
import struct
from typing import Any, Callable

LOOKALIKES = (
    "",
    *("yes", "Yes", "YES", "yEs", "no", "No", "NO", "nO", "on", "ON", "off", "Off", "y", "n", "Y"),
    *("true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "null", "Null", "NULL", "nULL"),
    *("~", "~~", "<<", "<", "=", "==", "!", "&", "*", "-", "--", "---", "--- a", "---a", "----"),
    *("...", "... b", ".", "..", "?", "? a", ":", ": a", "a:", "a: b", "a:b", "a #b", "a#b", "#"),
    *("0", "-0", "+0", "00", "01", "08", "0o7", "0b1", "0b2", "0b", "0b_", "0x", "0xf", "0xg"),
    *("1_000", "1,000", "_1", "1_", "0_", "12e3", "1e5", "1.5e5", "1.5e+5", "1.e-5", "1.5E+", ".5"),
    *("._", "._5", ".5_", "+.5", "-.5", "5.", "1:30", "1:60", "190:20:30", "190:20:30.15", "0:30"),
    *(".inf", "-.inf", "+.Inf", ".INF", ".iNF", ".nan", ".NaN", ".NAN", "-.nan", "inf", "nan"),
    *("2001-12-14", "2001-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5"),
    *("2001-1-1  1:00:00 Z", "2001-12-15 2:59:43.10", "2001-12-15 2:59", "20011-12-14", "1-1-1"),
    *("[]", "{}", "[a", "{a", "a]", "a, b", "%a", "@a", "`a", "'", "''", '"', "\\", "|", ">"),
    *(
        "!!str",
        "key",
        "name",
        "run",
        "setup",
        "resources",
        "cloud",
        "accelerators",
        "V100:8",
        "~/a b/c",
    ),
)
NUMERIC = "0011223456789++--..__::eExXbBoOaAfFnNiIsS  tTzZ~"
NASTY = (
    " \n\t\r'\"#:-?,[]{}&*!|>%@`\\~=<.ab01 \n \n'"
    "\0\x07\b\v\f\x1b\x1f\x7f\x80\x85\x9f\xa0\xad\xe9\xff\u0100\u2028\u2029\u4e2d"
    "\ud7ff\ud800\udc80\udfff\ue000\ufdd0\ufeff\ufffd\ufffe\uffff\U00010000\U0001f600\U0010ffff"
)
LINES = "ab c'#:\n\n \n"
INTEGERS = (0, 1, -1, 7, 2**31, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1, 10**30, -(10**40))
FLOATS = (0.0, -0.0, 1.0, 1e16, 1e17, 1.5e300, 1e-7, 5e-324, 0.1, 1e22, 123456789.125)
UNUSUAL_FLOATS = (float("inf"), float("-inf"), float("nan"), -float("nan"))


class Generator:
    """Documents that are small, and nasty."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.shared: list[Any] = []
        self.texts: tuple[Callable[[], str], ...] = (
            self.lookalike,
            self.almost,
            self.numeric,
            self.nasty,
            self.lines,
            self.words,
            self.long_word,
            self.plain,
            self.plain,
        )

    def config(self) -> Any:
        """What a call is given."""
        self.shared.clear()
        chance = self.random.random()
        if chance < 0.62:
            return self.mapping(0)
        if chance < 0.8:
            return [self.node(1) for _ in range(self.random.randrange(4))]
        if chance < 0.9:
            # A document's own scalar.
            return self.scalar() if chance < 0.86 else [self.scalar() for _ in range(2)]
        if chance < 0.95:
            return self.sequence(0)
        return self.node(0)

    def node(self, depth: int) -> Any:
        chance = self.random.random()
        if chance < 0.6 + 0.08 * depth:
            return self.scalar()
        if self.shared and chance > 0.96:
            return self.random.choice(self.shared)
        if chance < 0.8:
            return self.mapping(depth)
        return self.sequence(depth)

    def mapping(self, depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self.shared.append(made)
        for _ in range(self.size(depth)):
            made[self.key(depth)] = self.node(depth + 1)
        return made

    def sequence(self, depth: int) -> list[Any] | tuple[Any, ...]:
        if self.random.random() < 0.2:
            items = tuple(self.node(depth + 1) for _ in range(self.size(depth)))
            self.shared.append(items)
            return items
        made: list[Any] = []
        # Before its items: it may hold itself.
        self.shared.append(made)
        for _ in range(self.size(depth)):
            made.append(self.node(depth + 1))
        return made

    def size(self, depth: int) -> int:
        return self.random.choice((0, 1, 1, 2, 2, 3, 4) if depth < 3 else (0, 0, 1, 2))

    def key(self, depth: int) -> Any:
        chance = self.random.random()
        if chance < 0.7:
            return self.text()
        if chance < 0.76:
            # Simple keys end at 128 characters, tag and anchor included.
            return self.random.choice(("k", "k ", "é", "k\n", "'")) * self.random.randrange(55, 140)
        if chance < 0.8:
            return self.random.choice((10**121, 10**122, -(10**121), -(10**122), 10**130))
        if chance < 0.86:
            return self.tuple_key(depth)
        return self.scalar()

    def tuple_key(self, depth: int) -> tuple[Any, ...]:
        tuples = [made for made in self.shared if type(made) is tuple and is_hashable(made)]
        if tuples and self.random.random() < 0.4:
            return self.random.choice(tuples)
        if depth > 3 or self.random.random() < 0.4:
            made = tuple(self.scalar() for _ in range(self.random.randrange(3)))
        else:
            made = tuple(self.key(depth + 2) for _ in range(self.random.randrange(3)))
        self.shared.append(made)
        return made

    def scalar(self) -> Any:
        chance = self.random.random()
        if chance < 0.75:
            return self.text()
        if chance < 0.82:
            return self.random.choice((None, True, False))
        if chance < 0.9:
            if chance < 0.86:
                return self.random.randrange(-300, 300)
            return self.random.choice(INTEGERS)
        if chance < 0.93:
            return self.random.choice(FLOATS)
        if chance < 0.94:
            return self.random.choice(UNUSUAL_FLOATS)
        if chance < 0.97:
            return round(self.random.uniform(-1000, 1000), self.random.randrange(6))
        return struct.unpack("d", self.random.randbytes(8))[0]

    def text(self) -> str:
        return self.random.choice(self.texts)()

    def lookalike(self) -> str:
        return self.random.choice(LOOKALIKES)

    def almost(self) -> str:
        text = self.random.choice(LOOKALIKES)
        at = self.random.randrange(len(text) + 1)
        other = self.random.choice(NUMERIC if self.random.random() < 0.7 else NASTY)
        return text[:at] + other + text[at + self.random.randrange(2) :]

    def numeric(self) -> str:
        return "".join(self.random.choices(NUMERIC, k=self.random.randrange(1, 9)))

    def nasty(self) -> str:
        most = 100 if self.random.random() < 0.1 else 7
        return "".join(self.random.choices(NASTY, k=self.random.randrange(1, most)))

    def lines(self) -> str:
        most = 150 if self.random.random() < 0.2 else 14
        return "".join(self.random.choices(LINES, k=self.random.randrange(1, most)))

    def words(self) -> str:
        """Text that is folded, or just not."""
        ends = ("", "", "", "'", "\n", " ", "é", "\t", " é", "\n ")
        between = (" ", " ", " ", " ", " ", "  ", "\n", "é", " é ", "'", '"', "\\", " '")
        parts = []
        for _ in range(self.random.randrange(1, 25)):
            parts += ["w" * self.random.randrange(1, 12), self.random.choice(between[: self.most])]
        return self.random.choice(ends) + "".join(parts[:-1]) + self.random.choice(ends)

    @property
    def most(self) -> int:
        return self.random.choice((5, 6, 7, 13))

    def long_word(self) -> str:
        word = self.random.choice(("x", "x", "-", "é", "x y", "x  y", "'x ")) * 100
        cut = word[: self.random.randrange(60, 100)]
        return cut + self.random.choice(("", " b", " b c", "  b", "\nb", " é", "'"))

    def plain(self) -> str:
        letters = "abcdefghijklmnop/-_.: "
        return "".join(self.random.choices(letters, k=self.random.randrange(1, 20)))


def is_hashable(value: tuple[Any, ...]) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
