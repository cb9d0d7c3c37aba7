"""Replay of a recorded schedule in a session: with xdist's workers, or in this process alone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._model.other_plugins import distribution
from pytest_skyrs._schedule.scheduler import Replaying, describe_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from pytest_skyrs._model.schedule import Schedule


class Replay:
    """Makes a session follow a schedule.

    Args:
        config: of the session.
        schedule: to follow.
        say: tells the user something.
        insist: also in the place of a scheduler of the user's own.
        part: tests that the schedule doesn't know aren't run in this process.
        tell_changes: say which tests are new, and which are gone.
    """

    def __init__(
        self,
        config: pytest.Config,
        schedule: Schedule,
        say: Callable[[str], None],
        *,
        insist: bool = False,
        part: bool = False,
        tell_changes: bool = True,
    ) -> None:
        self._config = config
        self._schedule = schedule
        self._say = say
        self._insist = insist
        self._part = part
        self._tell_changes = tell_changes

    @pytest.hookimpl(wrapper=True, optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """Takes the place of xdist's own schedulers, and of no other ones."""
        own = yield
        kind = type(own)
        if config.getvalue("dist") == "each":
            # Each worker runs all tests in their order.
            return own
        if kind.__module__.partition(".")[0] != "xdist" and not self._insist:
            self._say(
                f"the tests are dealt by {kind.__module__}.{kind.__qualname__}, which isn't "
                "xdist's: it stays, and the schedule isn't replayed"
            )
            return own
        return Replaying(config, self._schedule, self._say_all)

    def pytest_report_header(self) -> str:
        """Says what is replayed."""
        names = ", ".join(self._schedule.workers)
        return f"skyrs: replays a schedule of {self._schedule.count} tests on {names}"

    def _say_all(self, lines: Iterable[str]) -> None:
        if self._tell_changes:
            for line in lines:
                self._say(line)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Without workers, the tests are put into order."""
        if distribution(self._config.option) != "no":
            return
        waiting: dict[str, deque[pytest.Item]] = {}
        for item in items:
            waiting.setdefault(item.nodeid, deque()).append(item)
        ordered, gone = [], []
        for part in self._schedule.parts:
            for nodeid in part.tests:
                if waiting.get(nodeid):
                    ordered.append(waiting[nodeid].popleft())
                elif nodeid not in waiting:
                    gone.append(nodeid)
        known = set(map(id, ordered))
        new = [item for item in items if id(item) not in known]
        if self._part:
            self._config.hook.pytest_deselected(items=new)
            new = []
        self._say_all(describe_changes([item.nodeid for item in new], gone))
        items[:] = ordered + new
