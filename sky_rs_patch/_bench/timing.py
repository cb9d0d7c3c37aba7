"""Interleaved times of several callables: the standard library's timeit, by turns.

pyperf's Runner measures one function a process, one function after another: on a machine whose
clock changes from minute to minute that compares the minutes. Here every round calls each function,
starting with another one each time; pyperf keeps the values and says what they amount to.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import statistics
import sys
import time
import timeit
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from sky_rs_patch._bench.workloads import HOMES
from sky_rs_patch._routes.registry import registry
from sky_rs_patch._runtime import implementation, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_LOOPS = 1 << 24


class Found(NamedTuple):
    """A function of a workload as it is in this process.

    Attributes:
        target: its dotted name.
        original: the Python function.
        proxy: what routes it; ``None`` without a route.
        why: why there is no route.
    """

    target: str
    original: Any
    proxy: Any
    why: str | None


def find(function: str) -> Found | None:
    """Finds a workload's function; ``None`` if this SkyPilot doesn't have it."""
    for home in HOMES:
        try:
            module = importlib.import_module(home)
        except ImportError:
            continue
        found = vars(module).get(function)
        if not callable(found):
            continue
        target = f"{home}.{function}"
        if not hasattr(found, "_self_route"):
            known = registry.get(target) is not None
            why = table.refusals().get(target) if known else "this build has no route for it"
            return Found(target, found, None, why or "it isn't routed")
        return Found(target, found.__wrapped__, found, None)
    return None


def declined(proxy: Any, before: Mapping[str, int]) -> str:
    """Why calls went to the original since then, in words.

    Args:
        proxy: what routes the function.
        before: its declines by reason at that time.
    """
    route = proxy._self_route
    reasons = [reason for reason, n in route.counts()[2].items() if n > before.get(reason, 0)]
    problem = route.guard_problem() if "guard" in reasons else None
    said = ", ".join(reasons) or "nobody says why"
    return f"declined: {said}" + (f" ({problem})" if problem else "")


def native_name(found: Found) -> str:
    """The native function behind a route."""
    route = registry.get(found.target)
    natives = getattr(route, "natives", None)
    if natives:
        return str(natives[implementation.known_variant(found.original, found.target)])
    return found.target.rpartition(".")[2]


def loops_for(timer: timeit.Timer, seconds: float) -> int:
    """How many calls take about that long."""
    loops = 1
    while loops < _MAX_LOOPS:
        took = timer.timeit(loops)
        if took >= seconds:
            return loops
        # Not by more than ten at once: the first calls are slow.
        loops = min(
            _MAX_LOOPS, max(loops + 1, int(loops * min(10, 1.1 * seconds / max(took, 1e-9))))
        )
    return loops


def interleaved(
    timers: Mapping[str, timeit.Timer], *, seconds: float, rounds: int
) -> tuple[dict[str, int], dict[str, list[float]]]:
    """Times callables by turns.

    Args:
        timers: what to time.
        seconds: about how long one value takes.
        rounds: values of each.

    Returns:
        Calls in a value, and the values: seconds a call.
    """
    loops = {name: loops_for(timer, seconds) for name, timer in timers.items()}
    values: dict[str, list[float]] = {name: [] for name in timers}
    names = list(timers)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(timers[name].timeit(loops[name]) / loops[name])
    return loops, values


def timer(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    *,
    cpu_time: bool = False,
    changing: dict[str, Any] | None = None,
) -> timeit.Timer:
    """A timer of a call; the arguments are locals of its loop, as they are in a program.

    Args:
        function: what to call.
        arguments: its arguments.
        cpu_time: count the thread's processor time, which doesn't run while others have the
            processor.
        changing: a namespace in which a name is set before each call, to another object each time.
    """
    names = [f"a{at}" for at in range(len(arguments))]
    values = {"function": function, "changing": changing, **dict(zip(names, arguments))}
    scope = {f"{name}_": value for name, value in values.items()}
    setup = "flag = False\n" + "".join(f"{name} = {name}_\n" for name in values)
    change = "flag = not flag\nchanging['sky_rs_patch_bench'] = flag\n"
    call = f"{'' if changing is None else change}function({', '.join(names)})"
    clock = time.thread_time if cpu_time else time.perf_counter
    return timeit.Timer(call, setup, clock, globals=scope)


@contextlib.contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Spread(NamedTuple):
    """What several values amount to."""

    median: float
    low: float
    high: float
    least: float
    most: float
    values: int


def spread(values: list[float]) -> Spread:
    """Median, quartiles and extremes."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], values[0], values[0], 1)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high, min(values), max(values), len(values))


def seconds_text(seconds: float) -> str:
    """Seconds with a unit that suits them."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        scaled = seconds * scale
        if scaled >= 1:
            return f"{scaled:.0f} {unit}" if scaled >= 1000 else f"{scaled:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def check_release_build() -> None:
    """Refuses builds whose times say nothing.

    Raises:
        RuntimeError: if the extension is missing or no release build.
    """
    from sky_rs_patch._binding import extension

    profile = extension.build_info().get("profile")
    if profile != "release":
        raise RuntimeError(
            f"times of a {profile or 'missing'} build say nothing; build the extension with "
            f"`maturin build --release`{'' if profile else f' for {sys.executable}'}"
        )
