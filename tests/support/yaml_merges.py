"""YAML texts with merge keys, which PyYAML's releases flatten in different ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml_scalars

if TYPE_CHECKING:
    import random

KEYS = ("a", "b", "c", "d", "x", "y", "1", "1.0", "true", "0x1", "~", "'a'", '"b"')
#: Merge keys, and what only looks like one.
MERGES = ("<<", "<<", "<<", "<<", "<<", "<<", "!!merge m", '!!merge "<<"', "'<<'", '"<<"', "<< ")


def text(rng: random.Random) -> str:
    """A document of mappings that merge others: by alias, in place, in lists, more than once."""
    names: list[str] = []
    parts = []
    for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5))):
        name = rng.choice(("A", "B", "C", "D")) if rng.random() < 0.1 else f"N{len(names)}"
        make = _flow if rng.random() < 0.4 else _block
        parts.append(f"k{len(parts)}: &{name}{make(rng, names)}")
        names.append(name)
        if rng.random() < 0.15:
            parts.append(f"s{len(parts)}: [{_merged(rng, names)}, {rng.choice(KEYS)}]\n")
    if rng.random() < 0.15:
        parts.append(f"<<: {_merged(rng, names)}\n")
    return "".join(parts)


def _entries(rng: random.Random, names: list[str]) -> list[tuple[str, str]]:
    entries = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 4))):
        value = yaml_scalars.word(rng) if rng.random() < 0.1 else str(rng.randrange(9))
        key = (
            f"&K{rng.randrange(2)} {rng.choice(KEYS)}" if rng.random() < 0.05 else rng.choice(KEYS)
        )
        entries.append((key, value))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        entries.insert(rng.randint(0, len(entries)), (rng.choice(MERGES), _merged(rng, names)))
    return entries


def _merged(rng: random.Random, names: list[str]) -> str:
    """What a merge key stands before: proper in most cases."""
    kind = rng.random()
    if kind < 0.05 or not names:
        return rng.choice(("{}", "{a: 1}", "[]", "[{a: 1}, {a: 2, b: 3}]", "1", "~", "[1]", "*Z"))
    if kind < 0.5:
        return f"*{rng.choice(names)}"
    parts = [
        f"*{rng.choice(names)}" if rng.random() < 0.85 else f"{{{rng.choice(KEYS)}: 7}}"
        for _ in range(rng.choice((1, 2, 2, 3, 4)))
    ]
    if rng.random() < 0.03:
        parts.append(rng.choice(("1", "[]", f"[*{names[0]}]")))
    return f"[{', '.join(parts)}]"


def _block(rng: random.Random, names: list[str]) -> str:
    entries = _entries(rng, names)
    if not entries:
        return " {}\n"
    return "\n" + "".join(f"  {key}: {value}\n" for key, value in entries)


def _flow(rng: random.Random, names: list[str]) -> str:
    return " {" + ", ".join(f"{key}: {value}" for key, value in _entries(rng, names)) + "}\n"
