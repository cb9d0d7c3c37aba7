"""The first exception of each route's candidate, for reports: which it was, and where.

A candidate that raises has declined, and nobody sees the exception. With
``SKY_RS_PATCH_STATS_DIR`` set it is kept beside the process's counters.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sky_rs_patch._base import interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SUFFIX = ".raised"
_LONGEST = 300

_first: dict[str, dict[str, str]] = {}
#: This process's file of counters, if it has one.
_counters: Path | None = None


def keep_beside(counters: Path | None) -> None:
    """Says where this process keeps its counters."""
    global _counters
    _counters = counters


def raised(target: str, candidate: Callable[..., Any], error: BaseException) -> None:
    """Remembers an exception, unless the target has one already; the extension calls it."""
    if target in _first:
        return
    _first[target] = found = {
        "type": type(error).__qualname__,
        "message": _message(error),
        "place": _place(candidate, error),
    }
    if _counters is not None:
        with contextlib.suppress(OSError), _counters.with_suffix(_SUFFIX).open("a") as file:
            file.write(json.dumps({"route": target, **found}) + "\n")


def forget(target: str) -> None:
    """A target has another candidate, or none."""
    _first.pop(target, None)


def first_exception(target: str) -> dict[str, str] | None:
    """``type``, ``message`` and ``place`` of what a target's candidate first raised here."""
    return _first.get(target)


def read(counters: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Targets and exceptions of another process.

    Args:
        counters: its file of counters.
    """
    try:
        lines = counters.with_suffix(_SUFFIX).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        # A process that is killed leaves half a line.
        with contextlib.suppress(ValueError):
            content = json.loads(line)
            yield content.pop("route"), content


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as failure:
        if not interrupts.is_failure(failure):
            raise
        return "(its message can't be had)"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _place(candidate: Callable[..., Any], error: BaseException) -> str:
    """The last line of the candidate's own file that was reached; where it begins, if none was."""
    code = getattr(candidate, "__code__", None)
    traceback, places = error.__traceback__, []
    while traceback is not None:
        places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    own = [place for place in places if code is None or place[0] == code.co_filename]
    if own or places:
        file, line = (own or places)[-1]
        return f"{file}:{line}"
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    return f"{getattr(candidate, '__module__', None)}.{type(candidate).__qualname__}"
