"""Runs one arm as a process of its own, and ends all that it leaves behind.

Started by path, with a JSON file as its argument; imports nothing of pytest. Orphans of the arm
become its children (a subreaper), so nothing escapes. It ends everything when the arm is over,
when it reads ``stop`` on its standard input, and when that is closed: the controller is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_skyrs._model.events import SupervisorResult

#: Seconds that an arm has to end by itself after Ctrl-C.
_GRACE = 10.0


class _Supervisor:
    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._status: int | None = None
        self._pid = 0
        self._stopping: float | None = None
        #: The signal that stopped it; ``None`` if the controller did.
        self._told_by: int | None = None
        #: The controller is gone without a word.
        self.abandoned = False

    def run(self) -> SupervisorResult:
        """Runs the arm to its end."""
        from sky_rs_patch import _testing

        start = time.monotonic()
        _testing.adopt_orphans()
        if self._plan["isolate"] == "net":
            _testing.isolate_network()
        wake, waker = os.pipe()
        for end in (wake, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda number, _: self._stop(number))
        self._pid = self._spawn()
        self._watch(wake)
        leftovers = _describe_descendants()
        _testing.end_descendants()
        assert self._status is not None
        code = os.waitstatus_to_exitcode(self._status)
        return {
            "exit": code,
            "signal": signal.Signals(-code).name if code < 0 else None,
            "stopped": self._stopping is not None,
            "stopped_by": signal.Signals(self._told_by).name if self._told_by else None,
            "leftovers": leftovers,
            "seconds": time.monotonic() - start,
        }

    def _spawn(self) -> int:
        plan = self._plan
        log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        pid = os.posix_spawn(
            plan["command"][0],
            plan["command"],
            plan["environment"],
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setpgroup=0,
        )
        os.close(log)
        os.close(nothing)
        return pid

    def _watch(self, wake: int) -> None:
        controller: int | None = 0
        while self._status is None:
            sources = [wake] if controller is None else [wake, controller]
            ready, _, _ = select.select(sources, [], [], 1.0)
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
            if controller in ready:
                self.abandoned = not os.read(0, 4096)
                controller = None
                self._stop()
            self._reap()
            if self._stopping is not None and time.monotonic() > self._stopping + _GRACE:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)

    def _reap(self) -> None:
        # Orphans as well, at once: tests wait for processes to be gone.
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status

    def _stop(self, number: int | None = None) -> None:
        if self._stopping is None and self._pid:
            self._stopping = time.monotonic()
            self._told_by = number
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGINT)


def _describe_descendants() -> list[str]:
    import psutil

    # Resource trackers and the like notice that their parent is gone, and end by themselves.
    time.sleep(0.1)
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                command = " ".join(process.cmdline())[:100].strip() or process.name()
                found.append(f"{command} (pid {process.pid})")
    return found


def main(plan_path: str) -> None:
    """Runs the plan, and writes how it went beside it."""
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    # In place of this script's folder, what the controller imports from.
    sys.path[:] = plan["sys_path"]
    supervisor = _Supervisor(plan)
    result: SupervisorResult
    try:
        result = supervisor.run()
    except OSError as error:
        result = {"exit": None, "problem": str(error), "leftovers": [], "seconds": 0.0}
    if supervisor.abandoned:
        # Nobody else will.
        shutil.rmtree(plan["workplace"], ignore_errors=True)
        return
    try:
        # The file that the controller gave us in the place of standard output.
        os.write(1, json.dumps(result).encode("ascii"))
    except OSError as error:
        sys.exit(f"skyrs: {plan['workplace']}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1])
