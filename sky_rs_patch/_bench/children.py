"""Child processes that a benchmark starts: a clean environment, and an end."""

from __future__ import annotations

import os
import site
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: What a child must not inherit: it would switch, count or print.
_UNWANTED = (
    "SKYPILOT_USE_RUST",
    "SKY_RS_PATCH_ACTIVE",
    "SKY_RS_PATCH_STATS_DIR",
    "SKYPILOT_DEBUG",
    "SKYPILOT_USER_ID",
    "PYTHONSTARTUP",
    "PYTHONPROFILEIMPORTTIME",
)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a child that reads and writes nothing of the user's.

    Args:
        home: its home directory.
        more: further variables.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    return {
        **kept,
        "HOME": str(home),
        # Packages that were installed with `pip install --user` stay where they are.
        "PYTHONUSERBASE": site.getuserbase(),
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        "PYTHONHASHSEED": "random",
        **more,
    }


def python(*arguments: str) -> list[str]:
    """This interpreter's command line."""
    return [sys.executable, *arguments]
