"""Calls every route very often and looks for what stays: memory and descriptors.

    python tools/check/leaks.py --calls 100000 [--markdown]

Memory is what `malloc` has handed out and not got back (`mallinfo2`: Rust's, CPython's arenas and
large objects alike), and the number of CPython's own blocks. Each route is called, then called in a
way that it declines, then switched off and on. A leak of one block a call would show as a hundred
thousand of them; what is allowed are the few that caches and counters take once.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
os.environ.setdefault("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
os.environ.setdefault("SKYPILOT_USER_ID", "0123abcd")

import samples

import sky_rs_patch

#: What may come to stay, whatever the number of calls.
BYTES, BLOCKS = 64 << 10, 300


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def held() -> tuple[int, int, int]:
    """Bytes that malloc has handed out, CPython's blocks, open descriptors."""
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Mallinfo
    info = libc.mallinfo2()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return info.uordblks + info.hblkhd, sys.getallocatedblocks(), descriptors


def declining(call, arguments):
    """Calls in a way that no native function answers; the original may raise."""
    with contextlib.suppress(Exception):
        call(*arguments, no_such_parameter=1)


def grown(work, times):
    """What stays of so many repetitions, after a tenth of them."""
    for _ in range(max(times // 10, 10)):
        work()
    before = held()
    for _ in range(times):
        work()
    return tuple(after - earlier for earlier, after in zip(before, held()))


def is_leak(growth):
    """Whether more came to stay than caches and counters take once."""
    return growth[0] > BYTES or growth[1] > BLOCKS or growth[2] > 0


def switching():
    """All proxies go and come back."""
    sky_rs_patch.disable()
    sky_rs_patch.enable()


def measure(calls):
    """Yields what was done, how often, and what stayed."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = {
            **samples.calls(Path(directory)),
            "sky.utils.rust_fallback.is_process_alive": (os.getpid(),),
            "sky.utils.rust_fallback.estimate_fd_for_directory": (directory,),
        }
        # What is here already needn't be looked through again each time.
        gc.freeze()
        sky_rs_patch.enable()
        for target, given in arguments.items():
            proxy = samples.function(target)
            served = proxy._self_route.counts()[0]
            yield target, calls, grown(lambda: proxy(*given), calls)  # noqa: B023
            assert proxy._self_route.counts()[0] - served >= calls, f"{target} declined"
            times = max(calls // 10, 10)
            work = lambda: declining(proxy, given)  # noqa: B023, E731
            yield f"{target}, declined", times, grown(work, times)
        times = max(calls // 100, 10)
        yield "disable and enable", times, grown(switching, times)
        sky_rs_patch.disable()
        gc.unfreeze()


def main() -> int:
    """Prints a line for each; 1 if anything grows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    leaks = 0
    form = (
        "| {} | {:,} | {:,} | {:,} | {} |"
        if options.markdown
        else "{:70} {:>9,} {:>9,} {:>6,} {:>3}"
    )
    if options.markdown:
        print("| what | calls | bytes | blocks | descriptors |\n|---|---|---|---|---|")
    for what, times, (bytes_, blocks, descriptors) in measure(options.calls):
        leak = is_leak((bytes_, blocks, descriptors))
        leaks += leak
        print(
            form.format(what, times, bytes_, blocks, descriptors),
            " GROWS" if leak else "",
            flush=True,
        )
    print(f"{leaks} of them grow" if leaks else "nothing grows")
    return 1 if leaks else 0


if __name__ == "__main__":
    with contextlib.redirect_stderr(io.StringIO()):
        end = main()
    sys.exit(end)
