"""Scheduler for xdist that deals the tests as a recorded session did, worker by worker."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model.schedule import file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest
    from xdist.workermanage import WorkerController

    from pytest_skyrs._model.schedule import Schedule


@dataclasses.dataclass
class _Entry:
    """A test's turn: its place among all, and its index in the collection."""

    place: int
    index: int


@dataclasses.dataclass
class _Slot:
    """What the processes get that take a worker's place, one after another.

    Attributes:
        parts: of processes to come.
        queue: of the present one: tests that haven't begun. It knows the first of them; that one
            begins when it is told what follows.
        node: the present one, if it is up.
        running: what it runs.
        released: whether it was told what follows the queue's first.
    """

    parts: deque[deque[_Entry]] = dataclasses.field(default_factory=deque)
    queue: deque[_Entry] = dataclasses.field(default_factory=deque)
    node: WorkerController | None = None
    running: _Entry | None = None
    released: bool = False


class Replaying:
    """An `xdist.scheduler.Scheduling` that follows a schedule.

    Each worker gets the tests of its namesake, in their order. Where a worker died then, it gets
    those up to there, and a fresh one gets those of its replacement. Over all workers, tests begin
    in the order in which they began then: what they leave in shared places is found by the same
    ones. Tests that the schedule doesn't know run last, where most of their file has run.

    Args:
        config: of the session.
        schedule: to follow.
        say: tells the user in what the tests aren't those of the schedule.

    Attributes:
        config: of the session; plugins that want a test again look for it.
        collection: node ids, once all workers have told theirs.
    """

    def __init__(
        self, config: pytest.Config, schedule: Schedule, say: Callable[[Iterable[str]], None]
    ) -> None:
        from xdist.workermanage import parse_tx_spec_config

        self.config = config
        self._schedule = schedule
        self._say = say
        self._wanted = len(parse_tx_spec_config(config))
        #: The workers that are up, and what each has collected when it has.
        self._up: dict[WorkerController, _Slot | None] = {}
        self._collections: dict[WorkerController, list[str]] = {}
        self._slots: list[_Slot] = []
        #: Those whose worker is gone, for workers that are being started.
        self._vacant: deque[_Slot] = deque()
        self._done: set[int] = set()
        self.collection: list[str] | None = None

    # What xdist asks.

    @property
    def nodes(self) -> list[WorkerController]:
        """The workers that are up."""
        return list(self._up)

    @property
    def collection_is_completed(self) -> bool:
        """Whether as many workers as xdist starts have collected."""
        return len(self._collections) >= self._wanted

    @property
    def tests_finished(self) -> bool:
        """Whether no worker needs to be told anything more."""
        return self.collection_is_completed and not any(map(self._first, self._slots))

    @property
    def has_pending(self) -> bool:
        """Whether tests are left, or running."""
        return any(slot.running or self._first(slot) for slot in self._slots)

    def add_node(self, node: WorkerController) -> None:
        """A worker is up."""
        self._up[node] = None

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """A worker has collected.

        Raises:
            RuntimeError: if it came later, and has collected other tests.
        """
        if self.collection is not None:
            difference = self._difference(node, collection)
            if difference is not None:
                raise RuntimeError(difference)
        self._collections[node] = list(collection)

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        """A worker is done with a test."""
        slot = self._up[node]
        assert slot is not None
        slot.running = None
        self._done.add(item_index)
        self._advance()

    def mark_test_pending(self, item: str) -> None:
        """A plugin wants a test again whose worker died."""
        assert self.collection is not None
        index = self.collection.index(item)
        entries = (entry for slot in self._slots for part in slot.parts for entry in part)
        # It may have run again then, too.
        if self._vacant and all(entry.index != index for entry in entries):
            self._vacant[-1].parts.appendleft(deque([_Entry(-1, index)]))

    def remove_pending_tests_from_node(
        self, node: WorkerController, indices: Sequence[int]
    ) -> None:
        """Nothing is ever taken from a worker."""
        raise NotImplementedError

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker is gone: gives the test in which it died, if it did."""
        slot = self._up.pop(node)
        if slot is None:
            return None
        crashed = slot.running
        slot.node = slot.running = None
        slot.released = False
        if slot.queue:
            slot.parts.appendleft(slot.queue)
            slot.queue = deque()
        elif crashed is None and self._first(slot) is not None:
            # In the recorded session it died here; what follows ran in a fresh process.
            self._start_another(node)
        if self._first(slot) is not None or crashed is not None:
            self._vacant.append(slot)
        assert self.collection is not None
        return None if crashed is None else self.collection[crashed.index]

    def schedule(self) -> None:
        """Begins, or gives work to workers that came later."""
        if self.collection is None:
            if not self._agree():
                return
            self.collection = next(iter(self._collections.values()))
            self._deal()
        for node, slot in self._up.items():
            if slot is None and node in self._collections:
                self._begin(node, self._vacant.popleft() if self._vacant else _Slot())
        self._advance()

    # How it is done.

    def _difference(self, node: WorkerController, collection: Sequence[str]) -> str | None:
        """In what a worker has collected other tests than the first one."""
        from xdist.report import report_collection_diff

        first, reference = next(iter(self._collections.items()))
        text: str | None = report_collection_diff(
            reference, collection, first.gateway.id, node.gateway.id
        )
        return text

    def _agree(self) -> bool:
        """Whether all workers have collected the same tests, as xdist demands."""
        import pytest

        agree = True
        for node, collection in self._collections.items():
            text = self._difference(node, collection)
            if text is not None:
                agree = False
                report = pytest.CollectReport(node.gateway.id, "failed", text, [])
                self.config.hook.pytest_collectreport(report=report)
        return agree

    def _deal(self) -> None:
        """Finds the schedule's tests among those that were collected, and gives out the slots."""
        assert self.collection is not None
        indexes: dict[str, list[int]] = {}
        for index, nodeid in enumerate(self.collection):
            indexes.setdefault(nodeid, []).append(index)
        used: Counter[str] = Counter()
        gone: dict[str, None] = {}
        for parts in self._schedule.slots:
            slot = _Slot()
            for part in parts:
                entries: deque[_Entry] = deque()
                for nodeid, place in zip(part.tests, part.places):
                    found = indexes.get(nodeid)
                    if found is None:
                        gone.setdefault(nodeid)
                        continue
                    # An id that is there once, and twice in the schedule, was run again.
                    entries.append(_Entry(place, found[min(used[nodeid], len(found) - 1)]))
                    used[nodeid] += 1
                if entries:
                    slot.parts.append(entries)
            self._slots.append(slot)
        new = sorted(index for nodeid, found in indexes.items() for index in found[used[nodeid] :])
        self._append(new)
        self._say(describe_changes([self.collection[index] for index in new], list(gone)))
        self._give_out()

    def _append(self, new: Iterable[int]) -> None:
        """Adds tests that the schedule doesn't know, after all that it knows."""
        assert self.collection is not None
        sizes, files = [], []
        place = 0
        for slot in self._slots:
            entries = [entry for part in slot.parts for entry in part]
            sizes.append(len(entries))
            files.append(Counter(file_of(self.collection[entry.index]) for entry in entries))
            place = max([place, *(entry.place + 1 for entry in entries)])
        for index in new:
            file = file_of(self.collection[index])
            home = max(range(len(sizes)), key=lambda slot: (files[slot][file], -sizes[slot]))
            files[home][file] += 1
            sizes[home] += 1
            parts = self._slots[home].parts
            if not parts:
                parts.append(deque())
            parts[-1].append(_Entry(place, index))
            place += 1

    def _give_out(self) -> None:
        """Gives each worker the slot of its namesake, where there is one."""
        left = dict(zip(self._schedule.workers, self._slots))
        ready = [node for node in self._up if node in self._collections]
        for node in sorted(ready, key=lambda node: node.gateway.id not in left):
            name = node.gateway.id
            slot = left.pop(name if name in left else next(iter(left), ""), None)
            self._begin(node, slot or _Slot())
        self._vacant.extend(left.values())

    def _begin(self, node: WorkerController, slot: _Slot) -> None:
        """A fresh worker begins with the next part of a slot."""
        self._up[node] = slot
        slot.node = node
        if self._first(slot) is None:
            node.shutdown()
            return
        part = slot.parts.popleft()
        slot.queue = deque(entry for entry in part if entry.index not in self._done)
        node.send_runtest_some([slot.queue[0].index])

    def _first(self, slot: _Slot) -> _Entry | None:
        """What begins next in a slot, now or in another process."""
        if slot.queue:
            return slot.queue[0]
        while slot.parts:
            for entry in slot.parts[0]:
                if entry.index not in self._done:
                    return entry
            slot.parts.popleft()
        return None

    def _advance(self) -> None:
        """Lets tests begin whose turn it is."""
        while True:
            turns = [(entry.place, slot) for slot in self._slots if (entry := self._first(slot))]
            if not turns:
                return
            _, slot = min(turns, key=lambda turn: turn[0])
            node = slot.node
            if node is None or not slot.queue or (node.shutting_down and not slot.released):
                return
            if not slot.released:
                slot.released = True
                if len(slot.queue) > 1:
                    node.send_runtest_some([slot.queue[1].index])
                else:
                    # A worker begins its last test when it knows that nothing follows.
                    node.shutdown()
            if slot.running is not None:
                return
            slot.running = slot.queue.popleft()
            slot.released = False

    def _start_another(self, node: WorkerController) -> None:
        """Has xdist start a worker in the place of one that is done."""
        session: Any = self.config.pluginmanager.get_plugin("dsession")
        if not session.shuttingdown:
            session._clone_node(node)


def describe_changes(new: Sequence[str], gone: Sequence[str]) -> list[str]:
    """In what the tests that were collected aren't those of a schedule, a sentence each."""
    lines = []
    if new:
        lines.append(f"not in the schedule, run last: {_some(new)}")
    if gone:
        lines.append(f"in the schedule, and not collected any more: {_some(gone)}")
    return lines


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    count = f"{len(names)} test{'s' if len(names) != 1 else ''}"
    return f"{count} ({shown}{', ...' if len(names) > 3 else ''})"
