"""Times of the routes for names, hashes, colors, secrets and processes: original against proxy.

    python tools/bench_names.py [--processes 100 1000]

The original's callees are originals, too. Its own ``HOME`` is used, so no file of yours is read.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import tempfile
import timeit
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGV = ["sky", "launch", "-c", "c", "t.yaml", "--env", "A=b", "--secret", "K=v", "--down", "-y"]
WORKLOADS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("is_valid_user_hash", "valid", ("abcd1234",)),
    ("is_valid_user_hash", "invalid", ("not valid",)),
    ("is_valid_user_hash", "None", (None,)),
    ("get_user_hash", "", ()),
    ("make_cluster_name_on_cloud", "fits", ("my-cluster", 35)),
    ("make_cluster_name_on_cloud", "shortened", ("my-very-long-cluster-name-of-today", 25)),
    ("make_cluster_name_on_cloud", "converted", ("My.Cluster_1", 35)),
    ("make_cluster_name_on_cloud", "without a hash", ("my-cluster", 35, False)),
    ("check_cluster_name_is_valid", "valid", ("my-cluster-1",)),
    ("check_cluster_name_is_valid", "None", (None,)),
    ("is_valid_env_var", "valid", ("HF_TOKEN",)),
    ("is_valid_env_var", "invalid", ("1x",)),
    ("remove_color", "short, none", ("x",)),
    ("remove_color", "a line, none", ("hello world " * 8,)),
    ("remove_color", "a line, colored", ("\x1b[31mhello\x1b[0m " * 8,)),
    ("remove_color", "1,200 wide, none", ("日本" + "hello world " * 100,)),
    ("_redact_secrets_values", "a secret in 11", (ARGV,)),
    ("_redact_secrets_values", "two arguments", (["sky", "status"],)),
]


def compare(original: Callable[[], Any], routed: Callable[[], Any], number: int) -> str:
    """Best times, and the median ratio, of turns."""
    times: list[list[float]] = [[], []]
    for _ in range(11):
        for at, (function, switch) in enumerate(((original, "0"), (routed, "1"))):
            os.environ["SKYPILOT_USE_RUST"] = switch
            function()
            times[at].append(timeit.timeit(function, number=number) / number * 1e6)
    ratio = statistics.median(a / b for a, b in zip(*times))
    return f"{min(times[0]):>12.3f} µs{min(times[1]):>12.3f} µs{ratio:>8.1f}x"


def small(module: Any, prefix: str = "") -> None:
    for name, what, arguments in WORKLOADS:
        if prefix and name not in ("get_user_hash", "make_cluster_name_on_cloud"):
            continue
        proxy = getattr(module, name)
        scope = {"arguments": arguments}
        calls = []
        for function in (proxy.__wrapped__, proxy):
            # 100 calls a turn with the arguments as locals, so that the loop doesn't count.
            names = ", ".join(f"a{at}" for at in range(len(arguments)))
            unpack = f"{names}, = arguments\n" if names else ""
            body = timeit.Timer(f"f({names})", unpack or "pass", globals={**scope, "f": function})
            calls.append(lambda body=body: body.timeit(100))
        before = proxy._self_route.counts()
        line = compare(*calls, number=20)
        parts = line.replace("µs", "").replace("x", "").split()
        original, routed = (float(part) * 10 for part in parts[:2])
        answered = proxy._self_route.counts()[0] > before[0]
        note = "" if answered else "  (the original answered)"
        print(
            f"{name:<30}{prefix + what:<26}{original:>9.0f} ns{routed:>9.0f} ns"
            f"{float(parts[2]):>8.1f}x{note}",
            flush=True,
        )


@contextlib.contextmanager
def processes(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes on this machine, some of them ours."""
    present = sum(name.isdigit() for name in os.listdir("/proc"))  # noqa: PTH208
    more = [subprocess.Popen(["sleep", "900"]) for _ in range(max(2, count - present))]
    try:
        yield more
    finally:
        for process in more:
            process.kill()
        for process in more:
            process.wait()


def trees(module: Any, count: int) -> None:
    import psutil

    proxy = module._safe_children
    with processes(count) as children:
        # One without children, one with ten (the shell below), and this one.
        for root in (children[0].pid, None, os.getpid()):
            with contextlib.ExitStack() as stack:
                pid = root
                if pid is None:
                    script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 900 & done; echo; wait"
                    shell = subprocess.Popen(
                        ["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
                    )
                    stack.callback(shell.wait)
                    stack.callback(os.killpg, shell.pid, 9)
                    assert shell.stdout is not None
                    shell.stdout.readline()
                    pid = shell.pid
                process = psutil.Process(pid)
                line = compare(
                    lambda process=process: proxy.__wrapped__(process),
                    lambda process=process: proxy(process),
                    max(1, 1000 // count),
                )
                found = len(proxy(process))
                total = len(psutil.pids())
            print(f"_safe_children, {total:,} processes, {found} descendants{line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="*", default=[100, 1000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / ".sky").mkdir()
        (pathlib.Path(folder) / ".sky" / "user_hash").write_text("abcd1234")
        os.environ["HOME"] = folder
        os.environ.pop("SKYPILOT_USER_ID", None)
        import sky_rs_patch

        sky_rs_patch.enable()
        from sky.utils import common_utils, subprocess_utils

        small(common_utils)
        os.environ["SKYPILOT_USER_ID"] = "abcd1234"
        small(common_utils, "variable, ")
        for count in options.processes:
            trees(subprocess_utils, count)


if __name__ == "__main__":
    main()
