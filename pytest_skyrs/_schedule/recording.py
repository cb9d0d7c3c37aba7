"""Recorder of a session's schedule, in its main process: each test's begin is a line of a file."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._model import schedule
from pytest_skyrs._model.other_plugins import distribution

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path


class Recording:
    """Writes down which process runs which test.

    Args:
        config: of the session.
        path: of the file to write.
    """

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._dist = distribution(config.option)
        self._path = path
        self._pid = os.getpid()
        # Line by line: a session that is killed leaves all but its last line.
        self._file = path.open("w", encoding="ascii", buffering=1)
        self._workers: set[str] = set()
        self._latest: dict[str, tuple[str, int | None]] = {}
        self._count = 0
        #: When tests began of which no worker has told more yet.
        self._begun: dict[str, deque[int]] = {}
        self._down = ""
        if self._dist == "no":
            self._write(schedule.head("no", [schedule.ALONE]))

    def pytest_report_header(self) -> str:
        """Says where the schedule is."""
        return f"skyrs: records the schedule in {self._path}"

    def _write(self, line: str) -> None:
        # A child that a test forked, and that came back out of the test, goes on as well.
        if os.getpid() == self._pid:
            self._file.write(line + "\n")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """A test begins in this process."""
        self._write(schedule.began(schedule.ALONE, item.nodeid, self._place()))
        return (yield)

    def _place(self) -> int:
        self._count += 1
        return self._count - 1

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins; on which worker isn't told."""
        if self._dist != "no":
            self._begun.setdefault(nodeid, deque()).append(self._place())

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """The workers of the start have their names."""
        self._workers.update(spec.id for spec in specs)
        self._write(schedule.head(self._dist, [spec.id for spec in specs]))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """If another one is started now, it takes its place."""
        self._down = node.gateway.id

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """A worker is there."""
        if gateway.id not in self._workers:
            self._workers.add(gateway.id)
            self._write(schedule.replaced(self._down, gateway.id))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A worker tells of a test; its first report says that it has begun."""
        node = getattr(report, "node", None)
        if node is None:
            return
        worker = node.gateway.id
        latest = report.nodeid, getattr(report, "item_index", None)
        known = self._latest.get(worker)
        # xdist's report on a worker that died has no index.
        if known == latest or (latest[1] is None and known and known[0] == latest[0]):
            return
        self._latest[worker] = latest
        begun = self._begun.get(report.nodeid)
        place = begun.popleft() if begun else self._place()
        self._write(schedule.began(worker, report.nodeid, place))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Nothing follows."""
        self._file.close()
