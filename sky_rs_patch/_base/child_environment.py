"""Environment of a child process: this process's, without what the child must not inherit."""

from __future__ import annotations

import fnmatch
import os
import site
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: They would lead out of a HOME of the child's own.
_XDG = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


def child_environment(
    *, without: Iterable[str] = (), home: str | os.PathLike[str] | None = None, **variables: str
) -> dict[str, str]:
    """The environment of a child process.

    Args:
        without: variables that it doesn't inherit; patterns such as ``SKY_RS_PATCH_*``.
        home: its home directory, if that is another one than this process's.
        variables: what it gets beside that.
    """
    patterns = [*without, *(_XDG if home is not None else ())]
    made = {
        name: value
        for name, value in os.environ.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    if home is not None:
        made["HOME"] = os.fspath(home)
        # Packages that were installed with `pip install --user` are found by HOME.
        made["PYTHONUSERBASE"] = site.getuserbase()
    return {**made, **variables}
