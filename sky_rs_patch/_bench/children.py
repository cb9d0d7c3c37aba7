"""Child processes that a benchmark starts: a clean environment, and an end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sky_rs_patch._base.child_environment import child_environment

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
    variables = {"SKYPILOT_DISABLE_USAGE_COLLECTION": "1", "PYTHONHASHSEED": "random", **more}
    return child_environment(without=_UNWANTED, home=home, **variables)


def python(*arguments: str) -> list[str]:
    """This interpreter's command line."""
    return [sys.executable, *arguments]
