"""Causes of differences: what differs alike in a thousand tests is told once, with examples."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import verdicts
from pytest_skyrs._model.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Causes that are told apart: in all, and of one observable of one function.
_MOST = 200
_MOST_ALIKE = 20
#: Differences of a cause that are kept in full.
_EXAMPLES = 3
#: Characters of a text, and bytes of all pickled arguments, that a report holds.
_TEXT = 4_000
_PICKLES = 16 << 20
#: Lines, and characters of one, by which differences are the same.
_LINES = 3
_LINE = 200


class Spans:
    """Numbers of tests, which come in order.

    Attributes:
        count: how many there are.
    """

    def __init__(self) -> None:
        self._spans: list[list[int]] = []
        self.count = 0

    def add(self, number: int) -> None:
        """Adds a number that isn't lower than those before; a second time it changes nothing."""
        last = self._spans[-1] if self._spans else [-2, -2]
        if number == last[1]:
            return
        self.count += 1
        if number == last[1] + 1:
            last[1] = number
        else:
            self._spans.append([number, number])

    def __str__(self) -> str:
        """As ``0-12,15``."""
        return ",".join(f"{a}-{b}" if a < b else str(a) for a, b in self._spans)


@dataclasses.dataclass
class Cause:
    """Differences that are the same.

    Attributes:
        first: the first of them, as it is reported.
        examples: more of them, of other tests.
        where: numbers of the tests that have them, in the order of the report.
        differences: how many there are.
        mixed: whether there were too many of the kind to tell them apart.
        environment: variables that had other values when the tests began.
    """

    first: dict[str, Any]
    examples: list[dict[str, Any]]
    where: Spans
    differences: int
    mixed: bool
    environment: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The first difference, with what is known of the others."""
        return {
            **self.first,
            "tests": self.where.count,
            "differences": self.differences,
            "where": str(self.where),
            "mixed": self.mixed,
            "environment": list(self.environment),
            "examples": self.examples,
        }


class Causes:
    """All causes of a run.

    Attributes:
        by_id: each by the id of its first difference.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Cause] = {}
        self._by_key: dict[tuple[Any, ...], Cause] = {}
        self._alike: Counter[tuple[Any, ...]] = Counter()
        self._kept = 0
        self._pickled = 0

    def add(
        self, number: int, difference: dict[str, Any], environment: Sequence[str]
    ) -> tuple[Cause, dict[str, Any]]:
        """Finds the cause of a difference.

        Args:
            number: of the test, not lower than those before.
            difference: as it is reported, without its id.
            environment: variables that had other values on the two sides when the test began.

        Returns:
            The cause, and the difference with an id: its own if the report holds it, else that of
            the first one that is the same.
        """
        # What differs each time doesn't come of the order of the tests.
        blamed = tuple(environment) if difference["verdict"] == verdicts.INCONCLUSIVE else ()
        kind = difference["verdict"], difference["observable"], difference["function"]
        exact = ("environment", *blamed) if blamed else (*kind, *_essence(difference))
        cause = self._by_key.get(exact)
        mixed = self._alike[kind] >= _MOST_ALIKE or len(self.by_id) >= _MOST
        if cause is None and mixed:
            cause = self._by_key.get(kind)
        if cause is None:
            difference = self._keep(difference)
            cause = Cause(difference, [], Spans(), 0, mixed, blamed)
            self.by_id[difference["id"]] = self._by_key[kind if mixed else exact] = cause
            self._alike[kind] += 1
        elif difference["test"] in {each["test"] for each in (cause.first, *cause.examples)} or (
            len(cause.examples) >= _EXAMPLES - 1
        ):
            # Whoever wants to see such a call again takes the one that was kept.
            same = {name: cause.first[name] for name in ("id", "repro", "pickle")}
            difference = {**difference, **same}
        else:
            difference = self._keep(difference)
            cause.examples.append(difference)
        cause.differences += 1
        cause.where.add(number)
        return cause, difference

    def of(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The differences of a test as they are known: its own, or the same ones of another.

        Args:
            row: of the test, with the ids of its causes.
        """
        found = []
        for identifier in row["divergences"]:
            cause = self.by_id[identifier]
            kept = (cause.first, *cause.examples)
            own = next((each for each in kept if each["test"] == row["id"]), cause.first)
            found.append(
                {
                    **own,
                    "test": row["id"],
                    "cause": identifier,
                    "environment": list(cause.environment),
                }
            )
        return found

    def _keep(self, difference: dict[str, Any]) -> dict[str, Any]:
        """A difference that the report holds, with an id of its own."""
        self._kept += 1
        identifier = f"d{self._kept}"
        pickled = difference["pickle"]
        if pickled is not None:
            self._pickled += len(pickled)
            pickled = pickled if self._pickled <= _PICKLES else None
        return {
            **difference,
            **{name: _cut(difference[name]) for name in ("arguments", "python", "rust")},
            "id": identifier,
            "repro": f"python -m pytest_skyrs replay {identifier}" if pickled else None,
            "pickle": pickled,
        }


def _essence(difference: dict[str, Any]) -> tuple[Any, ...]:
    """What two differences have in common that are the same: the lines that one side lacks."""
    known = difference["known"] or {}
    sides = [
        [line[:_LINE] for line in difference[side][:_TEXT].splitlines()]
        for side in ("python", "rust")
    ]
    lacking = [
        normalise(
            "\n".join(islice((line for line in ours if line not in theirs), _LINES)), Counter()
        )
        for ours, theirs in ((sides[0], set(sides[1])), (sides[1], set(sides[0])))
    ]
    return (known.get("issue"), *lacking)


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _TEXT:
        return text
    return f"{text[:_TEXT]}... ({len(text):,} characters)"
