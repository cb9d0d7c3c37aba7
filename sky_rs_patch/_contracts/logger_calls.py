"""What a ``logger.debug`` reads that nobody hears: a record is made, and no handler takes it."""

from __future__ import annotations

import logging
import sys
import threading
from types import FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sky_rs_patch._guards.walk import Walk

#: Who makes the record is asked by name.
READS = (
    "logging._logRecordFactory",
    "logging.Logger.debug",
    "logging.LogRecord.__init__",
    "logging.lastResort",
)

#: Functions of ``logging`` and others that its methods call.
_FUNCTIONS = (
    (logging, ("currentframe", "_is_internal_frame", "getLevelName")),
    (threading, ("current_thread",)),
)


def examine(walk: Walk, _: FunctionType) -> tuple[object, ...]:
    """Watches what a record is made of: time, process, thread, the caller's frame."""
    for module, names in _FUNCTIONS:
        for name in names:
            # Not every Python has all of them.
            function = vars(module).get(name)
            if type(function) is FunctionType:
                walk.function(function)
    for cls in (threading.Thread, type(threading.main_thread())):
        walk.freeze(cls, f"threading.{cls.__qualname__}")
    name_of_thread = vars(threading.Thread)["name"]
    if type(name_of_thread) is property and type(name_of_thread.fget) is FunctionType:
        walk.function(name_of_thread.fget)
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        walk.function(process.current_process)
        walk.freeze(process.BaseProcess, "multiprocessing.process.BaseProcess")
        walk.pin_methods([process.BaseProcess])
    return ()
