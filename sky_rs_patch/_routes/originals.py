"""Python originals of functions that the installed SkyPilot doesn't have.

``estimate_fd_for_directory`` is this project's own; ``is_process_alive`` is in SkyPilot 0.10 only;
the estimate behind the keyword form of ``get_max_workers_for_file_mounts`` is in none.
"""

from __future__ import annotations

import os
import resource

import psutil

#: File descriptors that SkyPilot reckons for each file that is copied, and leaves unused.
FD_PER_FILE = 5
FD_RESERVE = 100


def estimate_fd_for_directory(path: str | os.PathLike[str]) -> int:
    """Estimates how many file descriptors copying a directory takes.

    Args:
        path: the directory.

    Returns:
        Five for each of its entries.

    Raises:
        OSError: if the directory can't be listed.
    """
    return len(os.listdir(path)) * FD_PER_FILE


def is_process_alive(pid: int) -> bool:
    """Tells whether there is a process of that number; one that nobody waited for counts.

    Args:
        pid: the process's number.

    Returns:
        What ``psutil`` says of it; ``False`` if it knows none.
    """
    try:
        return psutil.Process(pid).is_running()
    except psutil.NoSuchProcess:
        return False


def max_workers_for_estimate(
    num_sources: int, estimated_files_per_source: int, num_threads: int
) -> int:
    """The number of workers for file mounts whose sizes are estimated.

    Args:
        num_sources: how many sources there are; without any, the need is that of one file.
        estimated_files_per_source: files in each source.
        num_threads: the most workers there may be.

    Returns:
        At least one, at most ``num_threads``.

    Raises:
        ValueError: if a number is negative.
    """
    for name, value in (
        ("num_sources", num_sources),
        ("estimated_files_per_source", estimated_files_per_source),
    ):
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    fd_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = estimated_files_per_source if num_sources else 0
    fd_per_source = max(FD_PER_FILE, files * FD_PER_FILE)
    max_workers = (fd_limit - FD_RESERVE) // fd_per_source
    return min(max(max_workers, 1), num_threads)
