"""Ending everything that a program started, also what outlived its parent.

SkyPilot's executors survive their server, and set their process title over the memory that
/proc/PID/environ shows: neither a process group nor a marker in the environment finds them. A
subreaper does: orphans become its children.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Makes this process the new parent of its descendants' orphans, from now on.

    Raises:
        OSError: if the system doesn't know subreapers.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def end_descendants() -> list[str]:
    """Kills all descendants and waits for them; call `adopt_orphans` before they start.

    Returns:
        The names of the processes that were still running.
    """
    ended: dict[int, str] = {}
    this = psutil.Process()
    while True:
        # A child that is killed leaves its own children to us.
        descendants = this.children(recursive=True)
        if not descendants:
            return sorted(ended.values())
        for process in descendants:
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    ended[process.pid] = process.name()
                    process.kill()
        psutil.wait_procs(descendants, timeout=10)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
