"""Which global names a code object loads, read straight from its bytecode.

``dis.get_instructions`` says the same, but takes milliseconds for what the guards of one route
lead to, in the middle of somebody's first call. ``tests/test_bytecode.py`` compares the two.
"""

from __future__ import annotations

import dis
import sys
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_EXTENDED_ARG = dis.opmap["EXTENDED_ARG"]
_LOADS = {dis.opmap["LOAD_GLOBAL"], dis.opmap["LOAD_NAME"]}
# From 3.12 on LOAD_ATTR does both.
_ATTRIBUTES = {dis.opmap[name] for name in ("LOAD_ATTR", "LOAD_METHOD") if name in dis.opmap}
_ASSIGNMENTS = {dis.opmap["STORE_GLOBAL"], dis.opmap["DELETE_GLOBAL"]}
# Room for inline caches; before 3.11 there are none, and 0 is no instruction.
_CACHE = dis.opmap.get("CACHE", 0)
# The lowest bit of the argument says what else is pushed.
_SHIFTED = {
    *([dis.opmap["LOAD_GLOBAL"]] if sys.version_info >= (3, 11) else []),
    *([dis.opmap["LOAD_ATTR"]] if sys.version_info >= (3, 12) else []),
}


def global_chains(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Global names that the code and its nested functions load, with attributes taken at once.

    ``os.path.exists(x)`` gives ``("os", "path", "exists")``.
    """
    chain: list[str] = []
    for opcode, name in _named_operations(code):
        if opcode in _ATTRIBUTES and chain:
            chain.append(str(name))
            continue
        if chain:
            yield tuple(chain)
        chain = [str(name)] if opcode in _LOADS else []
    for nested in _nested(code):
        yield from global_chains(nested)


def assigned_globals(code: CodeType) -> set[str]:
    """Global names that the code and its nested functions set or delete."""
    names = {str(name) for opcode, name in _named_operations(code) if opcode in _ASSIGNMENTS}
    return names.union(*map(assigned_globals, _nested(code)))


def _nested(code: CodeType) -> Iterable[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def _named_operations(code: CodeType) -> Iterator[tuple[int, str | None]]:
    """All instructions; those that matter here with the name they are about."""
    names = code.co_names
    content = code.co_code
    extended = 0
    for at in range(0, len(content), 2):
        opcode = content[at]
        if opcode == _CACHE:
            continue
        argument = content[at + 1] | extended
        if opcode == _EXTENDED_ARG:
            extended = argument << 8
            continue
        extended = 0
        if opcode in _LOADS or opcode in _ATTRIBUTES or opcode in _ASSIGNMENTS:
            yield opcode, names[argument >> 1 if opcode in _SHIFTED else argument]
        else:
            yield opcode, None
