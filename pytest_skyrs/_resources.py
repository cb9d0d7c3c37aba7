"""What a test leaves behind in its process: open files, threads, children, memory."""

from __future__ import annotations

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
            return Resources(process.num_fds(), threads, _children(process.pid, process), memory)
        except psutil.Error:
            # A forked child that goes on with the session.
            self._process = psutil.Process()
            return Resources(0, 0, 0, 0)


def _children(pid: int, process: psutil.Process) -> int:
    # The kernel's own list, where it keeps one, spares a walk over all processes.
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123 - hot
            return len(file.read().split())
    except OSError:
        return len(process.children())
