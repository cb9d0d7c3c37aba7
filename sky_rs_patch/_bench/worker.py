"""A process that measures: ``python -m sky_rs_patch._bench.worker``, the job as JSON on stdin.

It writes one JSON object a line: each workload as it is done.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

from sky_rs_patch._bench import timing
from sky_rs_patch._bench.corpus import Corpus
from sky_rs_patch._bench.workloads import WORKLOADS, Bound, Workload


def main() -> int:
    """Measures what the job says."""
    job = json.load(sys.stdin)
    # What SkyPilot prints at its import isn't ours to read.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    import pyperf

    import sky_rs_patch

    sky_rs_patch.enable()
    # Before the first value, as pyperf's own workers do: it asks for frequency and load.
    tell(metadata=pyperf.Run([1.0], collect_metadata=True).get_metadata())
    if job.get("calls"):
        tell(calls=_calls(job))
    peers = Peers(job.get("peers"))
    tell(problems=peers.problems)
    tasks = Path(job["tasks"]) if job.get("tasks") else None
    with (
        tempfile.TemporaryDirectory(prefix="sky-rs-bench-") as folder,
        Corpus(Path(folder), tasks=tasks, quick=job["quick"]) as corpus,
    ):
        for index in job["workloads"]:
            tell(index=index, **_one(WORKLOADS[index], corpus, peers, job))
    return 0


class Peers:
    """The same originals, compiled by something else: a development run has them."""

    def __init__(self, folder: str | None) -> None:
        self.functions: dict[tuple[str, str], Callable[..., Any]] = {}
        self.problems: list[str] = []
        if folder is None:
            return
        sys.path.insert(0, folder)
        for entry in json.loads(Path(folder, "peers.json").read_text(encoding="utf-8")):
            try:
                module = importlib.import_module(entry["module"])
                function = getattr(module, entry["function"])
            except Exception as error:
                self.problems.append(
                    f"{entry['function']} by {entry['peer']}: {_first_line(error)}"
                )
                continue
            self.functions[entry["function"], entry["peer"]] = function

    def of(self, function: str) -> dict[str, Callable[..., Any]]:
        """The peers of a function, by name."""
        return {peer: f for (name, peer), f in self.functions.items() if name == function}


def _one(workload: Workload, corpus: Corpus, peers: Peers, job: dict[str, Any]) -> dict[str, Any]:
    with timing.variables(workload.environment):
        try:
            found = timing.find(workload.function)
            if found is None:
                return {"state": "absent", "note": "this SkyPilot doesn't have it"}
            return _measured(workload, found, corpus, peers, job)
        except Exception as error:
            return {"state": "failed", "note": _first_line(error)}


def _measured(
    workload: Workload, found: timing.Found, corpus: Corpus, peers: Peers, job: dict[str, Any]
) -> dict[str, Any]:
    arguments = workload.arguments(corpus)
    try:
        found.original(*arguments)
    except Exception as error:
        # A parameter that this release hasn't, or a task with a field that it doesn't know.
        return {"state": "refused", "note": _first_line(error)}
    result: dict[str, Any] = {"state": "measured", "target": found.target, "notes": []}
    clock = job["cpu_time"]
    timers = {"original": timing.timer(found.original, arguments, cpu_time=clock)}
    if found.proxy is None:
        result.update(state="no route", note=found.why)
    else:
        timers["routed"] = timing.timer(found.proxy, arguments, cpu_time=clock)
        # The module of the original, and one that is like it and that nobody watches.
        module = vars(sys.modules[found.original.__module__])
        for name, function, namespace in (
            ("original, changing", found.original, {**module}),
            ("routed, changing", found.proxy, module),
        ):
            timers[name] = timing.timer(function, arguments, cpu_time=clock, changing=namespace)
    for name, function, its in _others(workload, found, arguments, corpus, peers):
        try:
            function(*its)
        except Exception as error:
            result["notes"].append(f"{name}: {_first_line(error)}")
            continue
        timers[name] = timing.timer(function, its, cpu_time=clock)
    for each in timers.values():
        each.timeit(1)
    before = _counts(found.proxy)
    result["loops"], result["values"] = timing.interleaved(
        timers, seconds=job["seconds"], rounds=job["rounds"]
    )
    after = _counts(found.proxy)
    result["answered"] = after[0] > before[0] and after[1] == before[1]
    if found.proxy is not None and not result["answered"]:
        result["note"] = timing.declined(found.proxy, before[2])
    if workload.bound is not None and not isinstance(workload.bound, Bound):
        result["bytes"] = workload.bound.size(corpus)
    return result


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _counts(proxy: Any) -> tuple[int, int, dict[str, int]]:
    if proxy is None:
        return 0, 0, {}
    counts = proxy._self_route.counts()
    return counts[0], counts[1], dict(counts[2])


def _others(
    workload: Workload,
    found: timing.Found,
    arguments: tuple[Any, ...],
    corpus: Corpus,
    peers: Peers,
) -> list[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """The bare native function, the bound, and the peers."""
    from sky_rs_patch._binding import extension

    module = extension.load().module
    others: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = []
    if found.proxy is not None and not workload.declined:
        bare = getattr(module, timing.native_name(found), None)
        if bare is not None:
            others.append(("native", bare, arguments))
    if isinstance(workload.bound, Bound):
        bound = workload.bound
        its = arguments if bound.arguments is None else bound.arguments(corpus)
        others.append(("limit", getattr(module, bound.native), its))
    for peer, function in peers.of(workload.function).items():
        others.append((f"peer {peer}", function, arguments))
    return others


def _calls(job: dict[str, Any]) -> dict[str, list[float]]:
    """A call that returns its argument: what each way of calling costs, the loop taken off."""
    import time
    import timeit

    import wrapt

    from sky_rs_patch._binding import extension, proxies

    native: Any = extension.load().module

    def truncate(s: str, max_length: int = 35) -> str:
        return s

    def through(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    route = native.Route("trivial", truncate, "truncate_long_string", None)
    functions = {
        "plain Python function": truncate,
        "wrapt.FunctionWrapper": wrapt.FunctionWrapper(truncate, through),
        "proxy": proxies.kind().cls(route),
        "bare native function": native.truncate_long_string,
        "empty native call": native.floor_empty,
    }
    timers = {
        name: timing.timer(function, ("short",), cpu_time=job["cpu_time"])
        for name, function in functions.items()
    }
    loop = "the loop"
    clock = time.thread_time if job["cpu_time"] else time.perf_counter
    timers[loop] = timeit.Timer("pass", timer=clock)
    values = timing.interleaved(timers, seconds=job["seconds"], rounds=job["rounds"])[1]
    loops = values.pop(loop)
    return {
        name: [value - own for value, own in zip(found, loops)] for name, found in values.items()
    }


if __name__ == "__main__":
    sys.exit(main())
