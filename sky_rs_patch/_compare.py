"""Times of the twelve functions: the original against the proxy, interleaved in one process."""

from __future__ import annotations

import os
import statistics
import tempfile
import timeit
from pathlib import Path
from typing import Any, Callable, NamedTuple


class Workload(NamedTuple):
    """One way in which SkyPilot calls a function."""

    function: str
    what: str
    arguments: tuple[Any, ...]


class Result(NamedTuple):
    """Seconds a call: the best of all rounds, and the middle one of the ratios."""

    workload: Workload
    original: float
    routed: float
    ratio: float
    answered: bool


def workloads(folder: Path, *, large: bool) -> list[Workload]:
    """Makes the files that the workloads read, and lists the workloads.

    Args:
        folder: an empty directory.
        large: also make a 33 MB log and a 64 MiB file.
    """
    small = folder / "small"
    small.write_bytes(os.urandom(4096))
    log = folder / "server.log"
    lines = 100_000 if large else 10_000
    log.write_text("I 11-21 12:00:00.000 PID=1 server.py:1] request " + "x" * 283 + "\n")
    log.write_text(log.read_text() * lines)
    directory = folder / "mount"
    directory.mkdir()
    for number in range(1000):
        (directory / f"file-{number:04}").touch()
    sentence = " ".join(f"word{number}" for number in range(100))
    tails = [10, 1000, lines]
    result = [
        Workload("base36_encode", "an md5", ("d41d8cd98f00b204e9800998ecf8427e",)),
        Workload("base36_encode", "a sha256", (_SHA256,)),
        Workload("format_float", "1.0", (1.0,)),
        Workload("format_float", "3.14159", (3.14159,)),
        Workload("format_float", "an int", (7,)),
        Workload("truncate_long_string", "short", ("a short string",)),
        Workload("truncate_long_string", "long", (sentence,)),
        Workload("truncate_long_string", "long, middle", (sentence, 60, True)),
        *(Workload("read_last_n_lines", f"{n:,} lines", (str(log), n)) for n in tails),
        Workload("hash_file", "4 KiB, md5", (str(small), "md5")),
        Workload("hash_file", "4 KiB, sha256", (str(small), "sha256")),
    ]
    if large:
        big = folder / "big"
        with big.open("wb") as file:
            for _ in range(64):
                file.write(os.urandom(1 << 20))
        result += [Workload("hash_file", f"64 MiB, {a}", (str(big), a)) for a in ("md5", "sha256")]
    return [
        *result,
        Workload("find_free_port", "a free one", (30001,)),
        Workload("get_cpu_count", "", ()),
        Workload("get_mem_size_gb", "", ()),
        Workload("get_parallel_threads", "", ()),
        Workload("is_process_alive", "parent", (os.getppid(),)),
        Workload("get_max_workers_for_file_mounts", "1,000 entries", ({"/m": str(directory)},)),
        Workload("estimate_fd_for_directory", "1,000 entries", (str(directory),)),
    ]


_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


_HOMES = ("sky.utils.common_utils", "sky.utils.subprocess_utils", "sky.utils.rust_fallback")


def proxies() -> dict[str, Any]:
    """The twelve proxies by the name of their function; the routes must be enabled."""
    import importlib

    from sky_rs_patch import _rust_fallback

    found = {}
    for name in _rust_fallback.NAMES:
        for home in map(importlib.import_module, _HOMES):
            if name in vars(home):
                found[name] = vars(home)[name]
                break
    return found


def measure(workload: Workload, proxy: Any, *, seconds: float, rounds: int = 7) -> Result:
    """Measures one workload, original and proxy by turns.

    Args:
        workload: what to call.
        proxy: the proxy; its ``__wrapped__`` is the original.
        seconds: about how long to take.
        rounds: how many turns.
    """
    before = proxy._self_route.counts()
    timers = [_timer(function, workload.arguments) for function in (proxy.__wrapped__, proxy)]
    share = seconds / rounds / 2
    numbers = []
    for timer in timers:
        timer.timeit(1)
        once = max(min(timer.timeit(3) / 3, timer.timeit(1)), 1e-8)
        numbers.append(max(1, int(share / once)))
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for at, timer in enumerate(timers):
            times[at].append(timer.timeit(numbers[at]) / numbers[at])
    after = proxy._self_route.counts()
    return Result(
        workload,
        min(times[0]),
        min(times[1]),
        statistics.median(original / routed for original, routed in zip(*times)),
        after[0] > before[0] and after[1] == before[1],
    )


def _timer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> timeit.Timer:
    names = [f"a{at}" for at in range(len(arguments))]
    scope = {"function": function, **dict(zip(names, arguments))}
    # The arguments become locals of the timed loop, as they are in a program.
    setup = "".join(f"{name} = {name}_\n" for name in names)
    scope.update({f"{name}_": value for name, value in zip(names, arguments)})
    return timeit.Timer(f"function({', '.join(names)})", setup or "pass", globals=scope)


def run(
    *, seconds: float, large: bool, progress: Callable[[Result], None] | None = None
) -> list[Result]:
    """Measures all workloads with the routes enabled.

    Raises:
        RuntimeError: if the extension is missing or no release build.
    """
    import sky_rs_patch
    from sky_rs_patch import _extension

    profile = _extension.build_info().get("profile")
    if profile != "release":
        raise RuntimeError(
            f"times of a {profile or 'missing'} build say nothing; build the extension with "
            "`maturin build --release`"
        )
    results = []
    with sky_rs_patch.enabled(), tempfile.TemporaryDirectory() as folder:
        found = proxies()
        for workload in workloads(Path(folder), large=large):
            proxy = found.get(workload.function)
            if proxy is None or not hasattr(proxy, "_self_route"):
                continue
            result = measure(workload, proxy, seconds=seconds)
            results.append(result)
            if progress is not None:
                progress(result)
    return results


def line(result: Result) -> str:
    """One line of the table: what, original, routed, ratio."""
    workload = result.workload
    note = "" if result.answered else "  (the original answered)"
    return (
        f"{workload.function:<32}{workload.what:<16}{_time(result.original):>10}"
        f"{_time(result.routed):>10}{result.ratio:>8.1f}x{note}"
    )


HEADER = f"{'function':<32}{'workload':<16}{'Python':>10}{'Rust':>10}{'ratio':>9}"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}" if seconds * scale < 1000 else f"{seconds:.0f} s"
    return f"{seconds * 1e9:.0f} ns"
