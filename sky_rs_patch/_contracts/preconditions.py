"""What a native function takes for granted beyond the code of its original.

Each function here returns what is amiss, or ``None``. They run when a route's guards are
derived: at the first call, and again after something that the guards watch has changed.
"""

from __future__ import annotations

import os
import sys

#: Major versions of psutil whose answers the native functions were compared with.
_PSUTIL_MAJORS = (5, 6, 7)

#: Where psutil looks up where /proc is.
PROCFS_READS = ("sys.modules[psutil]", "psutil.PROCFS_PATH")

#: Where `psutil.Process(pid).is_running()` leads, beyond what the code of the original shows.
PSUTIL_PROCESS_READS = (
    "psutil.Process",
    "psutil.Process.is_running",
    "psutil._psplatform",
    "psutil._pslinux.Process",
    "psutil._pslinux.open_binary",
    "psutil._pslinux.get_procfs_path",
    "psutil._pslinux.bcat",
    *PROCFS_READS,
    "psutil.NoSuchProcess.__init__",
)

#: Where it leads further where the native function asks /proc itself, and not psutil.
PSUTIL_ALIVE_READS = (*PSUTIL_PROCESS_READS, "psutil._pslinux.Process.create_time")

#: Where `psutil.Process.children()` leads, as far as a native function covers it.
PSUTIL_CHILDREN_READS = (
    *PSUTIL_PROCESS_READS,
    "psutil.NoSuchProcess",
    "psutil.ZombieProcess",
    "psutil._pslinux.ppid_map",
    "psutil._pslinux.pids",
    "psutil._pslinux.AccessDenied",
    "psutil.Process.children",
    "psutil.Process.create_time",
    "threading.RLock",
)

#: Releases of psutil whose `children` and `ppid_map` were compared with the native walk.
_PSUTIL_CHILDREN = ((7, 1), (7, 2))


def known_psutil() -> str | None:
    """Is psutil of a known version, on Linux, and reading /proc?"""
    import psutil

    if not sys.platform.startswith("linux"):
        return f"psutil's answers on {sys.platform} are not known"
    if psutil.version_info[0] not in _PSUTIL_MAJORS:
        return f"psutil {psutil.__version__} is not known"
    if psutil.PROCFS_PATH != "/proc":
        return f"psutil.PROCFS_PATH is {psutil.PROCFS_PATH!r}"
    return None


def known_children() -> str | None:
    """Does psutil look for children as the native function does?"""
    import psutil

    if psutil.version_info[:2] not in _PSUTIL_CHILDREN:
        return f"how psutil {psutil.__version__} looks for children is not known"
    return known_psutil()


def unforced_cpu_count() -> str | None:
    """Is ``os.cpu_count()`` what the system says? From 3.13 on it can be told otherwise."""
    if sys.version_info >= (3, 13) and (
        "cpu_count" in sys._xoptions or "PYTHON_CPU_COUNT" in os.environ
    ):
        return "os.cpu_count() is set by -X cpu_count or PYTHON_CPU_COUNT"
    if os.cpu_count() != os.sysconf("SC_NPROCESSORS_ONLN"):
        return "os.cpu_count() isn't the number of online processors"
    return None


def known_cluster_names() -> str | None:
    """Are valid cluster names what the native function takes for such?"""
    from sky.skylet import constants

    if constants.CLUSTER_NAME_VALID_REGEX != "[a-zA-Z]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?":
        return "CLUSTER_NAME_VALID_REGEX is another"
    return None


def plain_logger() -> str | None:
    """Are log records made as logging makes them, and loggers plain ones?"""
    import logging

    if logging.getLogRecordFactory() is not logging.LogRecord:
        return "a log record factory is set"
    if logging.getLoggerClass() is not logging.Logger:
        return f"loggers are {logging.getLoggerClass().__qualname__}"
    return None


def plain_logger_and_cpu_count() -> str | None:
    """Are both of the above so?"""
    return plain_logger() or unforced_cpu_count()


def plain_logger_and_md5() -> str | None:
    """Are loggers plain, and is there an MD5? Some systems forbid it."""
    import hashlib

    try:
        hashlib.md5(b"")
    except ValueError as error:
        return f"there is no MD5: {error}"
    return plain_logger()
