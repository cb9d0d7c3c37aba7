"""Limits of a double run from outside: its time limit, and signals that end it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_skyrs._controller.arm_process import Arm

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """A signal that would have ended the process without a report.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"{signal.Signals(number).name} was sent to this session")
        self.number = number


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Lets signals that end the process raise `Terminated`, unless somebody handles them."""
    taken: list[int] = []

    def stop(number: int, _: Any) -> None:
        raise Terminated(number)

    if threading.current_thread() is threading.main_thread():
        taken = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in taken:
            signal.signal(number, stop)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class Limit:
    """The time for the whole double run, which begins now.

    Args:
        seconds: how long it may take; as long as it takes if ``None``.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        #: Of `time.monotonic`.
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def describe(self, running: Arm | None) -> str:
        """That the time is over, and what ran."""
        where = f" while the {running.settings.name} arm ran" if running is not None else ""
        return (
            f"--skyrs-timeout={self._seconds:g}: the time was over{where}; what follows is what "
            "was known by then"
        )
