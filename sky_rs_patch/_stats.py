"""Counters that outlive the process that counts.

With ``SKY_RS_PATCH_STATS_DIR`` set, the routes of every process count in a mapped file of that
directory. It costs nothing at the call, and it is there to be read while a server runs and after
its workers were killed, which is how SkyPilot ends them. A forked child counts in a file of its
own.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sky_rs_patch._native import Route

VARIABLE = "SKY_RS_PATCH_STATS_DIR"
_SCHEMA = 1
_HEADER = 8192
_CAPACITY = 96
_SUFFIX = ".skyrs"


class _File:
    """This process's file: a JSON header, then a block of counters for each route."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.routes: list[Route] = []
        self._open()

    def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{os.getpid()}-{time.time_ns()}{_SUFFIX}"
        size = _HEADER + _CAPACITY * _block_bytes()
        with path.open("xb+") as file:
            file.truncate(size)
            self._map = mmap.mmap(file.fileno(), size)
        self._counters = memoryview(self._map)[_HEADER:].cast("Q")

    def add(self, route: Route) -> None:
        if len(self.routes) < _CAPACITY:
            self.routes.append(route)
            self._write_header()
            route.share_counts(self._counters, len(self.routes) - 1)

    def _write_header(self) -> None:
        header = {
            "schema": _SCHEMA,
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "argv": [argument[:200] for argument in sys.argv[:8]],
            "routes": [route.name for route in self.routes],
        }
        text = json.dumps(header).encode()[: _HEADER - 1]
        self._map[: len(text) + 1] = text + b"\0"

    def after_fork(self) -> None:
        """Moves to a file of the child's own; the counts up to here are the parent's."""
        routes, self.routes = self.routes, []
        self._open()
        for route in routes:
            self.add(route)
            route.reset_counts()


_file: _File | None = None
_failed = False


def _block_bytes() -> int:
    from sky_rs_patch import _extension

    module = _extension.load().module
    return 8 * (module.COUNTER_BLOCK if module is not None else 0)


def attach(route: Route) -> None:
    """Lets a new route count in this process's file, if there is to be one."""
    global _file, _failed
    directory = os.environ.get(VARIABLE)
    if not directory or _failed:
        return
    try:
        if _file is None:
            _file = _File(Path(directory))
            os.register_at_fork(after_in_child=_after_fork)
        _file.add(route)
    except OSError as error:
        from sky_rs_patch import _finder

        _failed = True
        _finder.complain(f"no counters are kept in {VARIABLE}={directory}: {error}")


def _after_fork() -> None:
    global _failed
    if _file is not None and not _failed:
        try:
            _file.after_fork()
        except OSError:
            # Going on in the parent's file would mix the two up.
            _failed = True
            for route in _file.routes:
                route.share_counts(None)


def read(directory: str) -> list[dict[str, Any]]:
    """Reads the files of all processes.

    Returns:
        One dictionary a process: ``pid``, ``ppid``, ``argv`` and ``routes``, which maps names to
        ``calls`` and ``declines`` as in `sky_rs_patch.status`.

    Raises:
        OSError: if the directory can't be read.
        ValueError: if a file is of another version.
    """
    from sky_rs_patch import _extension

    module = _extension.load().module
    reasons = module.DECLINE_REASONS if module is not None else ()
    width = _block_bytes() // 8
    processes = []
    for path in sorted(Path(directory).iterdir()):
        if path.suffix != _SUFFIX:
            continue
        content = path.read_bytes()
        text = content[:_HEADER].partition(b"\0")[0]
        if not text:
            continue
        header = json.loads(text)
        if header.get("schema") != _SCHEMA:
            raise ValueError(f"{path} has schema {header.get('schema')!r}, not {_SCHEMA}")
        counters = memoryview(content)[_HEADER:].cast("Q")
        routes: dict[str, Any] = {}
        for index, name in enumerate(header["routes"]):
            block = counters[index * width : (index + 1) * width]
            merge(
                routes.setdefault(name, empty()),
                block[0],
                block[1],
                {reason: block[2 + at] for at, reason in enumerate(reasons) if block[2 + at]},
            )
        processes.append({**header, "routes": routes})
    return processes


def empty() -> dict[str, Any]:
    """Counts of nothing."""
    return {"calls": {"rust": 0, "python": 0}, "declines": {}}


def merge(into: dict[str, Any], rust: int, python: int, declines: dict[str, int]) -> None:
    """Adds counts to counts."""
    into["calls"]["rust"] += rust
    into["calls"]["python"] += python
    for reason, count in declines.items():
        into["declines"][reason] = into["declines"].get(reason, 0) + count
