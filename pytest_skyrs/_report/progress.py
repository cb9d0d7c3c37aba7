"""Progress of an arm whose tests aren't shown one by one: how many are over, and the time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable

from pytest_skyrs._model.events import Start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._model.events import Event
    from pytest_skyrs._model.test_run import TestRun

#: Seconds between two looks of the line on a terminal, and between two lines of a log.
_TERMINAL = 0.5
_LOG = 30.0


class Progress:
    """Shows how far an arm is: a line that changes on a terminal, a line now and then in a log.

    Args:
        reporter: pytest's; ``None`` if there is none.
        verbose: pytest's: below zero a log gets half as many lines, and none at -2.
        name: of the arm.
        clock: in seconds.
    """

    def __init__(
        self,
        reporter: TerminalReporter | None,
        verbose: int,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        terminal = bool(getattr(reporter, "isatty", False))
        self._reporter: Any = reporter if terminal or verbose >= -1 else None
        self._terminal = terminal
        self._name = name
        self._clock = clock
        self._interval = _TERMINAL if terminal else _LOG * (1 if verbose >= 0 else 2)
        self._began = self._last = clock()
        self._first: float | None = None
        self._running: dict[str, float] = {}
        self._over = self._failed = self._told = 0
        self._shown = False
        self._total: int | None = None

    def take(self, event: Event, run: TestRun | None, total: int | None) -> None:
        """Something has happened.

        Args:
            event: what.
            run: of the test that is over with it.
            total: the arm's tests, once they are collected.
        """
        self._total = total
        if isinstance(event, Start):
            now = self._clock()
            self._first = self._first or now
            self._running[event.nodeid] = now
        if run is not None:
            self._running.pop(run.nodeid, None)
            self._over += 1
            self._failed += run.failed

    def tick(self) -> None:
        """Time goes by."""
        now = self._clock()
        if self._reporter is None or now - self._last < self._interval:
            return
        self._last = now
        line = f"skyrs: {self._describe(now)}"
        if not self._shown:
            self._reporter.ensure_newline()
            # With -q it knows nothing of the dots in the line.
            if self._reporter._tw.width_of_current_line:
                self._reporter.write_line("")
        if self._terminal:
            # A longer one would begin another line, and stay.
            self._reporter.rewrite(line[: self._reporter._tw.fullwidth - 1], erase=True)
            self._shown = True
        else:
            self._reporter.write_line(line)
            self._reporter._tw.flush()
        self._told = self._over

    def clear(self) -> None:
        """Leaves the terminal's line to others."""
        if self._shown:
            self._reporter.rewrite("", erase=True)
            self._reporter.write("\r")
            self._shown = False

    def _describe(self, now: float) -> str:
        text = f"{self._name} arm: "
        if self._total is None and not self._over:
            return f"{text}collecting for {duration(now - self._began)}"
        total = f" of {self._total:,}" if self._total is not None else ""
        text += f"{self._over:,}{total} tests"
        if self._failed:
            text += f", {self._failed:,} failed"
        text += "".join(f", {part}" for part in (*self._left(now), *self._stuck(now)))
        return text

    def _left(self, now: float) -> Iterator[str]:
        """About how long the rest takes."""
        if self._total is not None and self._over and self._first is not None:
            left = max(0, self._total - self._over) * (now - self._first) / self._over
            yield f"about {duration(left)} left"

    def _stuck(self, now: float) -> Iterator[str]:
        """The test in which it has been for long."""
        if not self._running:
            return
        nodeid, since = min(self._running.items(), key=lambda item: item[1])
        if self._told == self._over and now - since >= _LOG:
            yield f"for {duration(now - since)} in {nodeid}"


def duration(seconds: float) -> str:
    """A time to read: ``45 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
