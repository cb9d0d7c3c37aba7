"""Processes as values: what they are to this one, for their numbers are others in each session."""

from __future__ import annotations

import os
from typing import Any

#: Classes that stand for a process, and the attribute with its number.
_NUMBERS = {("psutil", "Process"): "_pid", ("subprocess", "Popen"): "pid"}
_MOST = 10_000
# Tests replace them.
_open, _read, _close, _getpid = os.open, os.read, os.close, os.getpid

#: As they were when they were first seen: one that ends meanwhile is the same.
_seen: dict[tuple[int, str], tuple[str, str]] = {}


def described(value: Any) -> tuple[str, str] | None:
    """Relation and name of a process; ``None`` if the value isn't one.

    Which of several children of the same name it is isn't told.
    """
    for base in type(value).__mro__:
        attribute = _NUMBERS.get((base.__module__, base.__qualname__))
        if attribute is not None:
            break
    else:
        return None
    stored = vars(value)
    pid = stored.get(attribute)
    if type(pid) is not int:
        return None
    # Numbers are used again; psutil tells processes apart by their start.
    key = pid, str(stored.get("_ident", id(value)))
    if key not in _seen:
        if len(_seen) >= _MOST:
            _seen.clear()
        _seen[key] = _relation(pid), _status(pid)[0]
    return _seen[key]


def _relation(pid: int) -> str:
    own = _getpid()
    if pid == own:
        return "this process"
    distance = _distance(pid, own)
    if distance:
        return "a child" if distance == 1 else "a descendant"
    distance = _distance(own, pid)
    if distance:
        return "the parent" if distance == 1 else "an ancestor"
    return "another process" if _status(pid)[1] else "no process"


def _distance(pid: int, ancestor: int) -> int:
    """Generations between two processes; 0 if the one isn't below the other."""
    for generation in range(1, 100):
        pid = _status(pid)[1]
        if pid == ancestor:
            return generation
        if pid <= 1:
            break
    return 0


def _status(pid: int) -> tuple[str, int]:
    """Name and parent of a process, if there is one."""
    try:
        descriptor = _open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = _read(descriptor, 4096).decode("utf-8", "replace")
        finally:
            _close(descriptor)
    except OSError:
        return "", 0
    head, _, rest = content.rpartition(")")
    return head.partition("(")[2], int(rest.split()[1])
