"""The schedule of a session: which process ran which tests, in which order, for a replay.

Its file has a JSON object a line, written as things happen, so that a session that is killed leaves
all up to there. A session begins with its head, which names the workers that it starts with; then
follow the tests as they begin, and workers that replace dead ones::

    {"skyrs-schedule": 1, "dist": "load", "workers": ["gw0", "gw1"]}
    {"worker": "gw0", "test": "test_a.py::test_one", "at": 0}
    {"worker": "gw2", "replaces": "gw0"}

``at`` counts the tests as they began, for a line may be written later than that. A file may have
several sessions: an arm that died has gone on with another one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

#: Written into each head; files with other numbers are refused.
_VERSION = 1
_HEAD = "skyrs-schedule"
#: The only process of a session without workers.
ALONE = "main"


class BadSchedule(Exception):
    """A file isn't a schedule; the message names it, its line, and what is wrong."""


@dataclasses.dataclass
class Part:
    """What one process ran.

    Attributes:
        worker: its name.
        tests: node ids, in the order in which they began.
        places: of each of them among the tests of all processes.
    """

    worker: str
    tests: list[str] = dataclasses.field(default_factory=list)
    places: list[int] = dataclasses.field(default_factory=list)

    def add(self, test: str, place: int) -> None:
        """One more test has begun."""
        self.tests.append(test)
        self.places.append(place)


@dataclasses.dataclass
class Schedule:
    """Which process ran which tests.

    Attributes:
        dist: xdist's mode; ``no`` without workers.
        workers: names of the processes that the first session began with.
        slots: for each of these the parts of the processes that took its place, one after another.
    """

    dist: str
    workers: list[str]
    slots: list[list[Part]]

    @property
    def parts(self) -> Iterator[Part]:
        """The parts of all processes."""
        for slot in self.slots:
            yield from slot

    @property
    def count(self) -> int:
        """How many tests began."""
        return sum(len(part.tests) for part in self.parts)

    @property
    def is_alone(self) -> bool:
        """Whether it was recorded without workers."""
        return self.workers == [ALONE]

    def of_worker(self, name: str) -> Schedule | None:
        """What a single process ran, for a session without workers; ``None`` if there is none."""
        for part in self.parts:
            if part.worker == name:
                return Schedule("no", [ALONE], [[Part(ALONE, part.tests, part.places)]])
        return None

    def before(self, wanted: Callable[[str], bool], *, whole: bool) -> Schedule:
        """The part of it that brings some tests into the places that they had.

        Args:
            wanted: tells by its node id whether a test is one of them.
            whole: with all tests before them in their processes, else with those of their files.
        """
        slots = [[_cut(part, wanted, whole=whole) for part in slot] for slot in self.slots]
        kept = [[part for part in slot if part.tests] for slot in slots]
        return Schedule(self.dist, self.workers, kept)

    def lines(self) -> Iterator[str]:
        """The lines of its file."""
        yield head(self.dist, self.workers)
        begins = []
        for name, slot in zip(self.workers, self.slots):
            previous = name
            for number, part in enumerate(slot):
                # The names of later ones are only to be different.
                worker = name if number == 0 else f"{name}.{number}"
                if number:
                    yield replaced(previous, worker)
                previous = worker
                begins += [(place, worker, test) for place, test in zip(part.places, part.tests)]
        for place, worker, test in sorted(begins):
            yield began(worker, test, place)

    def write(self, path: Path) -> None:
        """Writes the file."""
        with path.open("w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in self.lines())


def _cut(part: Part, wanted: Callable[[str], bool], *, whole: bool) -> Part:
    last: dict[str, int] = {}
    for position, test in enumerate(part.tests):
        if wanted(test):
            last["" if whole else file_of(test)] = position
    cut = Part(part.worker)
    for position, (test, place) in enumerate(zip(part.tests, part.places)):
        if position <= last.get("" if whole else file_of(test), -1):
            cut.add(test, place)
    return cut


def file_of(nodeid: str) -> str:
    """The file that a node id is in."""
    return nodeid.partition("::")[0]


def head(dist: str, workers: Iterable[str]) -> str:
    """The line with which a session begins."""
    return json.dumps({_HEAD: _VERSION, "dist": dist, "workers": list(workers)})


def began(worker: str, test: str, place: int) -> str:
    """The line that tells of a test's begin, and how many had begun before."""
    return json.dumps({"worker": worker, "test": test, "at": place})


def replaced(dead: str, worker: str) -> str:
    """The line that tells of a worker in the place of a dead one."""
    return json.dumps({"worker": worker, "replaces": dead})


def read(path: Path) -> Schedule:
    """Reads a file.

    Raises:
        BadSchedule: if it can't be read, or isn't a schedule.
    """
    reader = _Reader()
    number = 0
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                # A session that was killed leaves half a line at the end.
                if line.endswith(b"\n"):
                    reader.take(line)
    except OSError as error:
        raise BadSchedule(f"{path}: {error.strerror}") from None
    except _BadLine as error:
        raise BadSchedule(f"{path}, line {number}: {error}") from None
    if reader.schedule is None:
        raise BadSchedule(f"{path} is no schedule: it has no line with {_HEAD!r}")
    return reader.schedule


class _BadLine(Exception):
    pass


class _Reader:
    """Puts a schedule together, line by line."""

    def __init__(self) -> None:
        self.schedule: Schedule | None = None
        self._parts: dict[str, tuple[int, Part]] = {}
        #: Where the places of the present session begin, and of the next one.
        self._first = self._next = 0

    def take(self, line: bytes) -> None:
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise _BadLine(f"no JSON object: {line[:60]!r}")
        if _HEAD in content:
            self._begin(content)
            return
        if self.schedule is None:
            raise _BadLine(f"no schedule: its first line has no {_HEAD!r}")
        worker = content.get("worker")
        if isinstance(worker, str) and isinstance(content.get("test"), str):
            if worker not in self._parts:
                raise _BadLine(f"{worker!r} is none of its workers")
            at = content.get("at")
            if type(at) is not int:
                raise _BadLine("it doesn't say when the test began ('at')")
            self._parts[worker][1].add(content["test"], self._first + at)
            self._next = max(self._next, self._first + at + 1)
        elif isinstance(worker, str) and str(content.get("replaces")) in self._parts:
            self._add(worker, self._parts[str(content["replaces"])][0])
        else:
            raise _BadLine("neither a test of a worker nor a worker that replaces another")

    def _begin(self, content: dict[str, Any]) -> None:
        if content[_HEAD] != _VERSION:
            raise _BadLine(f"version {content[_HEAD]!r}, and this plugin reads {_VERSION}")
        workers, dist = content.get("workers"), content.get("dist")
        names = isinstance(workers, list) and all(isinstance(name, str) for name in workers)
        if not names or not workers or not isinstance(dist, str):
            raise _BadLine("its head names no workers")
        if self.schedule is None:
            self.schedule = Schedule(dist, workers, [[] for _ in workers])
        self._parts = {}
        self._first = self._next
        for number, name in enumerate(workers):
            self._add(name, number % len(self.schedule.workers))

    def _add(self, worker: str, slot: int) -> None:
        assert self.schedule is not None
        part = Part(worker)
        self.schedule.slots[slot].append(part)
        self._parts[worker] = slot, part


class Trail:
    """What a process has run so far, in a word: equal words mean the same tests in the same order.

    Args:
        world: what else the tests see that may differ: which files were collected, say.
    """

    def __init__(self, world: str = "") -> None:
        self._digest = hashlib.blake2b(world.encode("utf-8", "surrogatepass"), digest_size=8)

    def word(self) -> str:
        """What came before the test that runs now."""
        return self._digest.hexdigest()

    def add(self, nodeid: str) -> None:
        """A test is over."""
        self._digest.update(nodeid.encode("utf-8", "surrogatepass") + b"\0")
