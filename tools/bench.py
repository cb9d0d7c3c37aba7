"""Times of the twelve functions through the proxy against their originals, as a table.

python tools/bench.py [--seconds 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import timeit

from sky_rs_patch import _compare, _extension


def trivial_call(rounds: int = 15) -> dict[str, float]:
    """Nanoseconds of a call that returns its argument: plain Python, proxy, bare native."""
    import wrapt

    from sky_rs_patch import _proxy

    native = _extension.load().module

    def truncate(s: str, max_length: int = 35) -> str:
        return s

    route = native.Route("trivial", truncate, "truncate_long_string", None)
    functions = {
        "plain Python function": truncate,
        "wrapt.FunctionWrapper": wrapt.FunctionWrapper(truncate, lambda f, _, a, k: f(*a, **k)),
        "proxy": _proxy.kind().cls(route),
        "bare native function": native.truncate_long_string,
    }
    timers = {
        name: timeit.Timer("function('short')", globals={"function": function})
        for name, function in functions.items()
    }
    empty = timeit.Timer("pass")
    number = 1_000_000
    best = dict.fromkeys(timers, float("inf"))
    loop = float("inf")
    for _ in range(rounds):
        loop = min(loop, empty.timeit(number))
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(number))
    return {name: (seconds - loop) / number * 1e9 for name, seconds in best.items()}


_TAIL = """
import re, sys
import sky_rs_patch
def peak():
    # Not ru_maxrss: that one starts with the parent's peak.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
sky_rs_patch.enable()
from sky.utils import common_utils
common_utils.read_last_n_lines(sys.argv[1], 10)
before = peak()
lines = common_utils.read_last_n_lines(sys.argv[1], 100_000)
print(peak() - before, sum(map(len, lines)))
"""


def tail_memory() -> dict[str, float]:
    """MiB by which a process grows at its peak when it tails 100,000 lines of 33 MB."""
    grown = {}
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        log.write_text(("x" * 329 + "\n") * 100_000)
        for name, switch in (("original", "0"), ("routed", "1")):
            environment = {**os.environ, "SKYPILOT_USE_RUST": switch}
            command = [sys.executable, "-c", _TAIL, str(log)]
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            grown[name] = int(done.stdout.split()[0]) / 1024
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2, help="for each workload")
    parser.add_argument("--json", type=pathlib.Path, help="write the results there")
    options = parser.parse_args()
    build = _extension.build_info()
    print(f"Python {platform.python_version()}, {build['rustc']}, {build['profile']} build")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}")
    print(f"\n{_compare.HEADER}")
    results = _compare.run(
        seconds=options.seconds, large=True, progress=lambda r: print(_compare.line(r), flush=True)
    )
    calls = trivial_call()
    print("\na call that returns its argument")
    for name, nanoseconds in calls.items():
        print(f"  {name:<24}{nanoseconds:>6.0f} ns")
    memory = tail_memory()
    print("\npeak memory of a tail of 100,000 lines (33 MB)")
    for name, mebibytes in memory.items():
        print(f"  {name:<24}{mebibytes:>6.0f} MiB")
    if options.json:
        rows = [
            {
                "function": r.workload.function,
                "workload": r.workload.what,
                "original_seconds": r.original,
                "routed_seconds": r.routed,
                "ratio": r.ratio,
                "answered_by_rust": r.answered,
            }
            for r in results
        ]
        options.json.write_text(
            json.dumps({"build": build, "calls": calls, "tail": memory, "rows": rows}, indent=2)
        )


if __name__ == "__main__":
    main()
