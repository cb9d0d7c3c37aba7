"""Entry points of installed packages, without the time that it usually takes to find none."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

from sky_rs_patch._binding import extension

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def may_exist(group: str) -> bool:
    """Whether some installed package may have entry points of a group.

    ``importlib.metadata`` parses the files of every package, in 5 ms. In nearly every environment a
    look at the files themselves says no, in a tenth of that.
    """
    native = extension.load().module
    for finder in sys.meta_path:
        # Somebody has a way of their own to keep packages.
        if finder is not PathFinder and hasattr(finder, "find_distributions"):
            return True
    return native is None or native.may_declare_entry_points(list(sys.path), group)


def of_group(group: str) -> list[Any]:
    """The entry points of a group, as ``importlib.metadata`` has them."""
    if not may_exist(group):
        return []
    from importlib import metadata

    try:
        return list(metadata.entry_points(group=group))
    except TypeError:
        # Up to Python 3.9 there is no selection by group.
        return list(metadata.entry_points().get(group, ()))
