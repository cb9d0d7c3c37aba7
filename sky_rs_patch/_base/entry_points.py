"""The entry points of installed packages, without the time that it usually takes to find none."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from typing import Any


def of_group(group: str) -> list[Any]:
    """The entry points of a group, as ``importlib.metadata`` has them."""
    if not _may_exist(group.encode()):
        return []
    from importlib import metadata

    try:
        return list(metadata.entry_points(group=group))
    except TypeError:
        # Up to Python 3.9 there is no selection by group.
        return list(metadata.entry_points().get(group, ()))


def _may_exist(group: bytes) -> bool:
    """Whether some installed package may have entry points of a group.

    ``importlib.metadata`` parses the files of every package, in 5 ms. In nearly every environment a
    look at the files themselves, in a third of that, says no.
    """
    for finder in sys.meta_path:
        # Somebody has a way of their own to keep packages.
        if finder is not PathFinder and hasattr(finder, "find_distributions"):
            return True
    return any(_may_lie_in(place or ".", group) for place in sys.path if isinstance(place, str))


def _may_lie_in(place: str, group: bytes) -> bool:
    try:
        names = os.listdir(place)  # noqa: PTH208
    except NotADirectoryError:
        # An archive.
        return True
    except OSError:
        return False
    for name in names:
        lower = name.lower()
        if lower.endswith((".dist-info", ".egg-info")):
            try:
                with open(f"{place}/{name}/entry_points.txt", "rb", buffering=0) as file:  # noqa: PTH123
                    if group in file.read():
                        return True
            except OSError:
                # Most packages have none.
                continue
        elif lower.endswith(".egg") or lower == "egg-info":
            return True
    return False
