"""Counters that outlive the process that counts.

Every target has one block of counters, in which all its routes count. With
``SKY_RS_PATCH_STATS_DIR`` set, the blocks of a process are in a mapped file of that directory. It
costs nothing at the call, and it is there to be read while a server runs and after its workers were
killed, which is how SkyPilot ends them. A forked child counts in a file of its own.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
import weakref
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sky_rs_patch._base import switch
from sky_rs_patch._binding import candidates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sky_rs_patch._native import Route

VARIABLE = "SKY_RS_PATCH_STATS_DIR"
_SCHEMA = 2
_HEADER = 8192
_CAPACITY = 96
_SUFFIX = ".skyrs"


class _File:
    """This process's file: a JSON header, then a block of counters for each target."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{os.getpid()}-{time.time_ns()}{_SUFFIX}"
        size = _HEADER + _CAPACITY * _block_bytes()
        with path.open("xb+") as file:
            # With holes in it, counting would be fatal once the disk is full.
            os.posix_fallocate(file.fileno(), 0, size)
            self._map = mmap.mmap(file.fileno(), size)
        self._counters = memoryview(self._map)[_HEADER:].cast("Q")
        self._targets: list[str] = []
        candidates.keep_beside(path)

    def block(self, target: str) -> memoryview | None:
        """A new block; ``None`` if the file is full."""
        targets = [*self._targets, target]
        header = {
            "schema": _SCHEMA,
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "argv": [argument[:200] for argument in sys.argv[:8]],
            "width": _block_bytes() // 8,
            "reasons": _reasons(),
            "routes": targets,
        }
        text = json.dumps(header).encode() + b"\0"
        if len(targets) > _CAPACITY or len(text) > _HEADER:
            return None
        self._map[: len(text)] = text
        self._targets = targets
        width = _block_bytes() // 8
        return self._counters[(len(targets) - 1) * width : len(targets) * width]


class _Tally:
    """Counts of one target, as long as the process lives: its routes come and go."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._routes: list[weakref.ref[Route]] = []
        #: Failed guards by name: of routes that were settled, and what had been settled of each.
        self._failures: Counter[str] = Counter()
        self._settled: weakref.WeakKeyDictionary[Route, Counter[str]] = weakref.WeakKeyDictionary()
        self._open()

    def _open(self) -> None:
        block = _file.block(self._target) if _file is not None else None
        self._block = block or memoryview(bytearray(_block_bytes())).cast("Q")

    def add(self, route: Route) -> None:
        """Lets a route count here."""
        self._routes = [known for known in self._routes if known() is not None]
        self._routes.append(weakref.ref(route))
        route.share_counts(self._block)

    def add_counts(self, counts: Iterable[int]) -> None:
        """Adds counts that nobody counts any more, in the order of a block."""
        for index, count in enumerate(counts):
            self._block[index] += count

    def settle(self, route: Route) -> None:
        """Keeps what only the route knows: nobody may hold it from now on."""
        failures = Counter(route.counts()[3])
        self._failures += failures - self._settled.get(route, Counter())
        self._settled[route] = failures

    def counts(self) -> tuple[int, int, dict[str, int], dict[str, int]]:
        """As `Route.counts`."""
        for known in self._routes:
            route = known()
            if route is not None:
                self.settle(route)
        rust, python, *declines = self._block
        return rust, python, _named(_reasons(), declines), dict(self._failures)

    def start_anew(self) -> None:
        """Counts from zero in a child; what came before is the parent's."""
        self.counts()
        self._failures.clear()
        self._open()
        routes, self._routes = self._routes, []
        for known in routes:
            route = known()
            if route is not None:
                self.add(route)


_tallies: dict[str, _Tally] = {}
_file: _File | None = None
_failed = False


def _block_bytes() -> int:
    from sky_rs_patch._binding import extension

    module = extension.load().module
    return 8 * (module.COUNTER_BLOCK if module is not None else 0)


def _reasons() -> list[str]:
    from sky_rs_patch._binding import extension

    module = extension.load().module
    return list(module.DECLINE_REASONS) if module is not None else []


def _named(reasons: list[str], counts: Iterable[int]) -> dict[str, int]:
    return {reason: count for reason, count in zip(reasons, counts) if count}


def attach(route: Route) -> None:
    """Lets a new route count for its target, in this process's file if there is to be one."""
    global _file, _failed
    directory = os.environ.get(VARIABLE)
    if not switch.is_off(directory) and _file is None and not _failed:
        try:
            _file = _File(Path(str(directory)))
        except OSError as error:
            from sky_rs_patch._base.warn import complain

            _failed = True
            complain(f"no counters are kept in {VARIABLE}={directory}: {error}")
        else:
            os.register_at_fork(after_in_child=_after_fork)
    if route.name not in _tallies:
        _tallies[route.name] = _Tally(route.name)
    _tallies[route.name].add(route)


def add(target: str, counts: Iterable[int]) -> None:
    """Adds the counts of a route that is gone."""
    if target not in _tallies:
        _tallies[target] = _Tally(target)
    _tallies[target].add_counts(counts)


def settle(route: Route) -> None:
    """Takes note of a route's counts before it may go."""
    _tallies[route.name].settle(route)


def targets() -> list[str]:
    """Everything that was called in this process while it was routed."""
    # Another thread may be importing a target: iterate over a copy.
    return [target for target, tally in list(_tallies.items()) if any(tally.counts()[:2])]


def counts(target: str) -> tuple[int, int, dict[str, int], dict[str, int]]:
    """Calls by Rust and by Python, declines by reason, failed guards by name."""
    tally = _tallies.get(target)
    return tally.counts() if tally is not None else (0, 0, {}, {})


def _after_fork() -> None:
    global _file
    if _file is None:
        return
    try:
        _file = _File(_file.directory)
    except OSError:
        # Going on in the parent's file would mix the two up.
        _file = None
        candidates.keep_beside(None)
    for tally in _tallies.values():
        tally.start_anew()


def read(directory: str) -> list[dict[str, Any]]:
    """Reads the files of all processes.

    Returns:
        One dictionary a process: ``pid``, ``ppid``, ``argv`` and ``routes``, which maps names to
        ``calls``, ``declines`` and ``first_exception`` as in `sky_rs_patch.status`.

    Raises:
        OSError: if the directory can't be read.
        ValueError: if a file is of another version.
    """
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
        width = header["width"]
        routes: dict[str, Any] = {}
        for index, name in enumerate(header["routes"]):
            rust, python, *declines = counters[index * width : (index + 1) * width]
            merge(
                routes.setdefault(name, empty()), rust, python, _named(header["reasons"], declines)
            )
        for name, exception in candidates.read(path):
            route = routes.setdefault(name, empty())
            route["first_exception"] = route["first_exception"] or exception
        processes.append({**header, "routes": routes})
    return processes


def total(processes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Sums up the routes of what `read` gives, over all processes."""
    routes: dict[str, Any] = {}
    for process in processes:
        for name, route in process["routes"].items():
            calls = route["calls"]
            into = routes.setdefault(name, empty())
            merge(into, calls["rust"], calls["python"], route["declines"])
            into["first_exception"] = into["first_exception"] or route["first_exception"]
    return routes


def empty() -> dict[str, Any]:
    """Counts of nothing."""
    return {"calls": {"rust": 0, "python": 0}, "declines": {}, "first_exception": None}


def merge(into: dict[str, Any], rust: int, python: int, declines: dict[str, int]) -> None:
    """Adds counts to counts."""
    into["calls"]["rust"] += rust
    into["calls"]["python"] += python
    for reason, count in declines.items():
        into["declines"][reason] = into["declines"].get(reason, 0) + count
