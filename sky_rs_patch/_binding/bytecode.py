"""Which global names a code object loads, read straight from its bytecode.

``dis.get_instructions`` says the same, but takes milliseconds for what the guards of one route
lead to, in the middle of somebody's first call. What the opcodes are called is known here; the
extension reads the instructions. ``tests/guards/test_bytecode.py`` compares the two.
"""

from __future__ import annotations

import sys
from opcode import opmap
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from sky_rs_patch._binding import extension

if TYPE_CHECKING:
    from collections.abc import Iterable

# As in rust/core/src/bytecode.rs.
_CACHE, _EXTENDED, _GLOBAL, _ATTRIBUTE, _ASSIGNMENT = range(1, 6)
_SHIFTED = 8


def _table() -> bytes:
    kinds = {
        "CACHE": _CACHE,
        "EXTENDED_ARG": _EXTENDED,
        # From 3.11 and 3.12 on the lowest bit of the argument says what else is pushed.
        "LOAD_GLOBAL": _GLOBAL | (_SHIFTED if sys.version_info >= (3, 11) else 0),
        "LOAD_NAME": _GLOBAL,
        "LOAD_ATTR": _ATTRIBUTE | (_SHIFTED if sys.version_info >= (3, 12) else 0),
        # From 3.12 on LOAD_ATTR does both.
        "LOAD_METHOD": _ATTRIBUTE,
        "STORE_GLOBAL": _ASSIGNMENT,
        "DELETE_GLOBAL": _ASSIGNMENT,
    }
    # Before 3.11 there are no inline caches, and 0 is no instruction.
    table = bytearray([_CACHE, *bytes(255)])
    for name, kind in kinds.items():
        # What only the compiler uses is above.
        if opmap.get(name, 256) < 256:
            table[opmap[name]] = kind
    return bytes(table)


_TABLE = _table()


class Scanned(NamedTuple):
    """What a code object and the functions nested in it do with names.

    Attributes:
        chains: global names that are loaded, with attributes taken at once: ``os.path.exists(x)``
            gives ``("os", "path", "exists")``.
        assigned: global names that are set or deleted.
        names: all names that are used, whatever for.
    """

    chains: list[tuple[str, ...]]
    assigned: set[str]
    names: frozenset[str]


def scan(code: CodeType) -> Scanned:
    """Scans code and all that is nested in it."""
    native: Any = extension.load().module
    chains: list[tuple[str, ...]] = []
    assigned: set[str] = set()
    names: set[str] = set()
    codes = [code]
    while codes:
        inner = codes.pop()
        names.update(inner.co_names)
        its_chains, its_assigned = native.scan_code(inner.co_code, inner.co_names, _TABLE)
        chains += its_chains
        assigned.update(its_assigned)
        # As they come in the code, each before those within it.
        codes += [each for each in reversed(inner.co_consts) if isinstance(each, CodeType)]
    return Scanned(chains, assigned, frozenset(names))


def global_chains(code: CodeType) -> list[tuple[str, ...]]:
    """Global names that the code and its nested functions load, with attributes taken at once."""
    return scan(code).chains


def assigned_globals(code: CodeType) -> set[str]:
    """Global names that the code and its nested functions set or delete."""
    return scan(code).assigned


def names(code: CodeType) -> frozenset[str]:
    """Names that the code and its nested functions use, whatever for."""
    return frozenset(code.co_names).union(*map(names, nested(code)))


def nested(code: CodeType) -> Iterable[CodeType]:
    """Code of the functions and classes that are made directly within the code."""
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))
