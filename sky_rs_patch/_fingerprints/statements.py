"""Digests of a function's statements, by which a change is named without the known text.

A function is the list of its statements in the order of the text, nested ones behind the one that
they are in; the first is its head (decorators, name, parameters). The digest of a compound
statement is that of its head alone, so that a change within it is the inner statement's.
"""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sky_rs_patch._fingerprints import compute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE = Path(__file__).with_name("known_statements.json")
#: Fields that hold statements, each with the letter that stands for it in `Statement.block`.
_BLOCKS = {"body": "b", "orelse": "e", "handlers": "h", "finalbody": "f", "cases": "c"}


class Statement(NamedTuple):
    """A statement of a function.

    Attributes:
        line: its first line; that of the function's first line is 1.
        block: the fields that lead to it, a letter each; its length is the depth.
        digest: of its syntax tree, without the blocks in it.
    """

    line: int
    block: str
    digest: str


class Change(NamedTuple):
    """A difference between a known function and another one.

    Attributes:
        change: ``changed``, ``added``, ``gone``, or ``moved`` (into or out of a block).
        statement: its number in the function that is there, 0 for the head; of one that is gone,
            that of the statement before it.
        line: of the statement in the function that is there, counted from its first line; of one
            that is gone, in the known function.
    """

    change: str
    statement: int
    line: int


def of_definition(definition: ast.FunctionDef) -> list[Statement]:
    """The statements of a function, its docstring left out."""
    first = min([definition.lineno, *(node.lineno for node in definition.decorator_list)])
    return [
        Statement(line - first + 1, block, _digest(node))
        for line, block, node in _flattened(definition, "", definition.lineno)
    ]


def _flattened(node: ast.AST, block: str, line: int) -> Iterator[tuple[int, str, ast.AST]]:
    yield line, block, node
    for field, letter in _BLOCKS.items():
        inner: list[Any] = getattr(node, field, [])
        for child in inner:
            if not block and child is inner[0] and _has_docstring(node):
                continue
            # A `match_case` has no line of its own.
            place = child.pattern if hasattr(child, "pattern") else child
            yield from _flattened(child, block + letter, place.lineno)


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None


def _digest(node: ast.AST) -> str:
    head = compute.canonical(node, {field: [] for field in _BLOCKS})
    return hashlib.sha256(head.encode()).hexdigest()[:8]


@functools.cache
def known() -> dict[str, dict[str, list[Statement]]]:
    """What is known: function -> fingerprint -> statements."""
    read: dict[str, dict[str, str]] = json.loads(FILE.read_text("utf-8"))
    return {
        name: {fingerprint: _parsed(text) for fingerprint, text in variants.items()}
        for name, variants in read.items()
    }


def _parsed(text: str) -> list[Statement]:
    made = []
    for item in text.split():
        line, block, digest = item.split(":")
        made.append(Statement(int(line), block, digest))
    return made


def written(functions: dict[str, dict[str, list[Statement]]]) -> str:
    """The text of the file that `known` reads; a line a variant."""
    made = {
        name: {
            fingerprint: " ".join(f"{line}:{block}:{digest}" for line, block, digest in statements)
            for fingerprint, statements in functions[name].items()
        }
        for name in sorted(functions)
    }
    return json.dumps(made, indent=1) + "\n"


def similarity(first: Sequence[Statement], second: Sequence[Statement]) -> float:
    """How much two functions have in common: 1 if all statements are alike, 0 if none are."""
    return _matcher(first, second).ratio()


def _matcher(
    first: Sequence[Statement], second: Sequence[Statement]
) -> difflib.SequenceMatcher[str]:
    before, after = ([statement.digest for statement in side] for side in (first, second))
    return difflib.SequenceMatcher(None, before, after, autojunk=False)


def compare(before: Sequence[Statement], after: Sequence[Statement]) -> list[Change]:
    """What changed from a known function to another one, in the order of the latter."""
    changes: list[Change] = []
    pairs: dict[int, int] = {}
    for tag, start, end, to, to_end in _matcher(before, after).get_opcodes():
        both = min(end - start, to_end - to)
        pairs.update(zip(range(start, start + both), range(to, to + both)))
        if tag == "equal":
            continue
        changes += [Change("changed", at, after[at].line) for at in range(to, to + both)]
        changes += [Change("added", at, after[at].line) for at in range(to + both, to_end)]
        last = to_end - 1
        changes += [Change("gone", last, before[at].line) for at in range(start + both, end)]
    told = {change.statement for change in changes if change.change != "gone"}
    changes += [
        Change("moved", to, after[to].line)
        for at, to in pairs.items()
        if to not in told and _is_moved(before, at, after, to, pairs)
    ]
    return sorted(changes, key=lambda change: (change.statement, change.change == "gone"))


def _is_moved(
    before: Sequence[Statement],
    at: int,
    after: Sequence[Statement],
    to: int,
    pairs: dict[int, int],
) -> bool:
    """Whether a statement is in another block; what is new or gone around it doesn't count."""
    paired = set(pairs.values())
    outer = [(pairs[of], letter) for of, letter in _around(before, at) if of in pairs]
    return outer[:1] != [(of, letter) for of, letter in _around(after, to) if of in paired][:1]


def _around(statements: Sequence[Statement], at: int) -> Iterator[tuple[int, str]]:
    """The statements that one is in, the innermost first, each with the block's letter."""
    block = statements[at].block
    for outer in range(at - 1, -1, -1):
        # In the order of the text the nearest one above that is one block further out.
        if len(statements[outer].block) < len(block):
            yield outer, block[-1]
            block = statements[outer].block
