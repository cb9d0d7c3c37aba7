"""What a test leaves behind in its process: open files, threads, children, memory."""

from __future__ import annotations

import os
from typing import NamedTuple

import psutil


class Resources(NamedTuple):
    """Counts of this process; `memory` in bytes of resident memory."""

    files: int
    threads: int
    children: int
    memory: int

    def since(self, before: Resources) -> list[int]:
        """What was added."""
        return [now - then for now, then in zip(self, before)]


class Meter:
    """Reads the counts of the process that made it."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def read(self) -> Resources:
        """The counts now."""
        process = self._process
        try:
            with process.oneshot():
                memory = process.memory_info().rss
                threads = process.num_threads()
            return Resources(process.num_fds(), threads, _children(process), memory)
        except psutil.Error:
            # A forked child that goes on with the session.
            self._process = psutil.Process()
            return Resources(0, 0, 0, 0)


def _children(process: psutil.Process) -> int:
    try:
        # Without children this fails at once; a walk over all processes takes milliseconds.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return len(process.children())
