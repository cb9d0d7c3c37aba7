"""The routes of ``sky.utils.subprocess_utils``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sky_rs_patch._contracts import logger_calls, preconditions
from sky_rs_patch._routes.spec import RouteSpec, Sample

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "sky.utils.subprocess_utils"


def _process_with_children(_: Path) -> tuple[Any, ...]:
    import psutil

    # A process that has children: this one's parent.
    return (psutil.Process(os.getppid() or os.getpid()),)


ROUTES: tuple[RouteSpec, ...] = (
    RouteSpec(
        f"{MODULE}.get_parallel_threads",
        {"A": "get_parallel_threads"},
        Sample(("kubernetes",)),
        answers="`None` or an exact ASCII `str`",
        declines="other types; a CPU count forced by `-X cpu_count` (3.13)",
        callees={"_get_thread_multiplier": "A"},
        precondition=preconditions.unforced_cpu_count,
    ),
    RouteSpec(
        f"{MODULE}.get_max_workers_for_file_mounts",
        {"A": "get_max_workers_for_file_mounts"},
        Sample(lambda folder: ({"/data": str(folder)},)),
        answers="exact `dict` of exact `str`",
        declines=(
            "an unlimited or low RLIMIT_NOFILE that hasn't been warned about, a debug "
            "record that somebody would see, directories that can't be read"
        ),
        callees={"get_parallel_threads": "A", "_get_thread_multiplier": "A"},
        context=("logger", "globals()"),
        reads=logger_calls.READS,
        examine=logger_calls.examine,
        precondition=preconditions.plain_logger_and_cpu_count,
        pure=False,
    ),
    RouteSpec(
        f"{MODULE}.is_process_alive",
        {"A": "is_process_alive"},
        Sample(lambda _: (os.getpid(),)),
        answers="exact `int` from 0 on, below 2³¹",
        declines="negative and larger numbers, `/proc` that answers neither yes nor no (hidepid)",
        reads=preconditions.PSUTIL_ALIVE_READS,
        precondition=preconditions.known_psutil,
    ),
    RouteSpec(
        f"{MODULE}._safe_children",
        # They differ in what they say of processes that may not be looked at.
        {"A": "_safe_children", "B": "_safe_children"},
        Sample(_process_with_children),
        answers=(
            "exact `psutil.Process` (psutil 7.1 and 7.2): Rust walks all of /proc, psutil "
            "makes the objects of the descendants and compares their times"
        ),
        declines=(
            "a process whose number was used again, a subclass or an object with a "
            "`children` of its own, processes that may not be looked at (the original "
            "warns), no descriptor left"
        ),
        context=(
            "psutil.Process",
            "psutil.NoSuchProcess",
            "psutil.ZombieProcess",
            "import:psutil.__dict__",
            "import:psutil._pslinux.ppid_map",
        ),
        reads=preconditions.PSUTIL_CHILDREN_READS,
        precondition=preconditions.known_children,
        pure=False,
    ),
)
