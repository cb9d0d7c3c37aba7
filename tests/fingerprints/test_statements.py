"""Digests of statements: every change of every known function is named, and nothing else is."""

import ast
import json
import textwrap

import applicability
import pytest

from sky_rs_patch._fingerprints import compute, statements
from sky_rs_patch._fingerprints.known_variants import DECORATED, KNOWN

STATEMENTS = (ast.stmt, ast.ExceptHandler)


def parsed(text):
    return ast.parse(textwrap.dedent(text)).body[0]


def of(text):
    return statements.of_definition(parsed(text))


def compared(before, after):
    """Kind, number and line of each change."""
    return [tuple(change) for change in statements.compare(of(before), of(after))]


BEFORE = """
    def sums(numbers, start=0):
        '''Adds.'''
        total = start
        for number in numbers:
            if number is None:
                continue
            total += number
        try:
            check(total)
        except ValueError:
            total = None
        return total
"""
# 1 total  2 for  3 if  4 continue  5 +=  6 try  7 check  8 except  9 = None  10 return
CASES = [
    ("nothing", "", "", []),
    ("layout", "start=0", "\n        start = 0  # where it begins\n    ", []),
    ("docstring", "'''Adds.'''", "'''Another.'''", []),
    ("docstring gone", "        '''Adds.'''\n", "", []),
    ("head", "start=0", "start=1", [("changed", 0, 1)]),
    ("name", "def sums", "def added", [("changed", 0, 1)]),
    ("decorator", "    def sums", "    @cached\n    def sums", [("changed", 0, 2)]),
    ("simple statement", "total += number", "total -= number", [("changed", 5, 7)]),
    ("condition alone", "number is None", "number == 0", [("changed", 3, 5)]),
    ("exception alone", "except ValueError", "except TypeError", [("changed", 8, 10)]),
    ("added", "        try:", "        total *= 2\n        try:", [("added", 6, 8)]),
    ("added at the end", "return total", "return total\n        pass", [("added", 11, 13)]),
    ("gone", "            total += number\n", "", [("gone", 4, 7)]),
    (
        "gone with its block",
        "            if number is None:\n                continue\n",
        "",
        [("gone", 2, 5), ("gone", 2, 6)],
    ),
    (
        "dedented",
        "            total += number",
        "        total += number",
        [("moved", 5, 7)],
    ),
    (
        "indented",
        "            total += number",
        "                total += number",
        [("moved", 5, 7)],
    ),
    (
        "into else",
        "            total += number",
        "            else:\n                total += number",
        [("moved", 5, 8)],
    ),
    (
        "a block around one",
        "        return total",
        "        with lock:\n            return total",
        [("added", 10, 12)],
    ),
    (
        "try for finally",
        "        except ValueError:\n            total = None",
        "        finally:\n            total = None",
        [("gone", 7, 10), ("moved", 8, 11)],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "changes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_change_is_named(old, new, changes):
    assert old in BEFORE
    after = BEFORE.replace(old, new, 1) if old else BEFORE
    assert compared(BEFORE, after) == changes
    assert (statements.similarity(of(BEFORE), of(after)) == 1) == (
        {change for change, _, _ in changes} <= {"moved"}
    )
    same = compute.of_definition(parsed(BEFORE)) == compute.of_definition(parsed(after))
    assert same == (changes == [])


def places(definition):
    """Every list of statements within a function."""
    for node in ast.walk(definition):
        for field in ("body", "orelse", "finalbody"):
            found = getattr(node, field, None)
            if isinstance(found, list) and found:
                yield found


def known_here():
    """The installed SkyPilot's functions of which there are digests."""
    found = []
    for name in KNOWN:
        module, _, attribute = name.rpartition(".")
        definition = applicability.skypilot().binding(module, attribute)
        if definition is not None and compute.of_definition(definition) in KNOWN[name]:
            found.append((name, definition))
    assert len(found) > 10
    return found


def test_each_added_and_each_removed_statement_is_named():
    """In every block of every function that is known here."""
    new = ast.parse("never_there_before()").body[0]
    count = 0
    for name, definition in known_here():
        known = statements.known()[name][compute.of_definition(definition)]
        plain = statements.of_definition(definition)
        assert bool(definition.decorator_list) == (compute.of_definition(definition) in DECORATED)
        assert [(block, digest) for _, block, digest in known] == [
            (block, digest) for _, block, digest in plain
        ], name
        for block in places(definition):
            first = 1 if block is definition.body and ast.get_docstring(definition) else 0
            for at in range(first, len(block) + 1):
                line = block[min(at, len(block) - 1)].lineno
                new.lineno = line
                block.insert(at, new)
                (change,) = statements.compare(known, statements.of_definition(definition))
                assert change.change == "added", (name, line)
                assert statements.of_definition(definition)[change.statement].digest not in {
                    digest for _, _, digest in plain
                }
                block.remove(new)
                if at == len(block) or len(block) == 1:
                    continue
                removed = block.pop(at)
                changes = statements.compare(known, statements.of_definition(definition))
                inner = [node for node in ast.walk(removed) if isinstance(node, STATEMENTS)]
                gone = [change for change in changes if change.change == "gone"]
                added = [change for change in changes if change.change == "added"]
                assert len(gone) - len(added) == len(inner), (name, line)
                block.insert(at, removed)
                count += 1
        assert statements.of_definition(definition) == plain
    assert count > 50


def test_a_function_of_a_docstring_alone_has_a_head_alone():
    assert [s.block for s in of("def f():\n    'Nothing.'\n")] == [""]


def test_the_docstring_of_an_inner_function_counts():
    inner = "def f():\n    def g():\n        'One.'\n"
    assert compared(inner, inner.replace("One", "Two")) == [("changed", 2, 3)]


def test_every_known_variant_has_its_statements():
    assert statements.known().keys() == KNOWN.keys()
    for name, variants in KNOWN.items():
        assert statements.known()[name].keys() == variants.keys(), name
        for found in statements.known()[name].values():
            assert found[0].block == ""
            assert all(statement.block for statement in found[1:])
        letters = [letter for letter, _, _ in variants.values()]
        assert letters == sorted(set(letters)), name
        made = [[s[1:] for s in found] for found in statements.known()[name].values()]
        assert all(made.count(one) == 1 for one in made), name


def test_what_is_written_is_what_is_read():
    text = statements.FILE.read_text()
    assert statements.written(statements.known()) == text
    # Digests, places and names: nothing that could be text of a function.
    for variants in json.loads(text).values():
        for items in variants.values():
            for item in items.split():
                line, block, digest = item.split(":")
                assert int(line) > 0
                assert set(block) <= set("behfc")
                assert len(digest) == 8
                assert int(digest, 16) >= 0
