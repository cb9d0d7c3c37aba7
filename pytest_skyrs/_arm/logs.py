"""Hears every log record of a process, SkyPilot's too, whose logger doesn't propagate."""

from __future__ import annotations

import logging
import threading
from typing import Callable, NamedTuple

_LIMIT = 20_000


class Heard(NamedTuple):
    """A log record as it is compared; a foreign one is of a thread that an earlier test left."""

    thread: int
    foreign: bool
    logger: str
    level: str
    message: str

    def line(self) -> str:
        """The record as a line of text."""
        return f"{self.level} {self.logger}: {self.message}"


class LogTap(logging.Handler):
    """A handler that keeps what it hears.

    Args:
        scrub: takes the arm's own folders out of a message.
    """

    def __init__(self, scrub: Callable[[str], str]) -> None:
        super().__init__(level=0)
        self._scrub = scrub
        self.heard: list[Heard] = []
        self._before: set[int] = set()
        self._main = threading.get_ident()

    def attach(self) -> None:
        """Listens at the root, and at loggers that don't pass their records on to it.

        Called again before each test: a program may throw handlers out, or cut a logger off.
        """
        loggers = [logging.getLogger()]
        for logger in list(logging.Logger.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger) and not logger.propagate:
                loggers.append(logger)
        for logger in loggers:
            if self not in logger.handlers:
                logger.addHandler(self)

    def start(self) -> None:
        """A test begins: threads that run by now, but for this one, aren't its own."""
        self.heard.clear()
        self._before = {thread.ident or 0 for thread in threading.enumerate()}
        self._main = threading.get_ident()
        self._before.discard(self._main)

    @property
    def main(self) -> int:
        """The thread that runs the test."""
        return self._main

    def racing(self) -> bool:
        """Whether threads that the test has started go on after it.

        When they print and what they call then is chance.
        """
        known = {*self._before, self._main}
        return any(thread.ident not in known for thread in threading.enumerate())

    def detach(self) -> None:
        """Stops listening."""
        for logger in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
            if isinstance(logger, logging.Logger) and self in logger.handlers:
                logger.removeHandler(self)

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """No lock: appending to a list needs none, and a lock may be held while others fork."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Keeps a record."""
        if len(self.heard) < _LIMIT:
            try:
                message = record.getMessage()
            except Exception as error:
                message = f"{record.msg!r} ({type(error).__name__} when it is formatted)"
            if record.exc_info and record.exc_info[0] is not None:
                message += f" [{record.exc_info[0].__qualname__}: {record.exc_info[1]}]"
            thread = threading.get_ident()
            text = self._scrub(message)
            self.heard.append(
                Heard(thread, thread in self._before, record.name, record.levelname, text)
            )
        return True
