"""The extension, if there is one that fits this interpreter."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType


class Extension(NamedTuple):
    """The extension's module, or why there is none."""

    module: ModuleType | None
    problem: str | None


@functools.cache
def load() -> Extension:
    """Imports the extension once; a failure is described, not raised."""
    try:
        from sky_rs_patch import _native
    except ImportError as error:
        return Extension(None, f"the extension can't be loaded: {error}{_hint()}")
    except Exception as error:
        return Extension(None, f"the extension failed to start: {type(error).__name__}: {error}")
    # os.environ may have been replaced, by a test or by SkyPilot's contextual one; the switch
    # is the process's own, and this is the same dictionary.
    data = getattr(os.environb, "_data", None)
    if isinstance(data, dict):
        _native.watch_environment(data)
    return Extension(_native, None)


def _hint() -> str:
    """Names extensions that were built for other interpreters, if that is the trouble."""
    from pathlib import Path

    wanted = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    found = sorted(path.name for path in Path(__file__).parent.glob("_native*.so"))
    if not found:
        return "; sky_rs_patch was installed without it: reinstall the wheel for this Python"
    if not any(wanted in name for name in found):
        return f"; found {', '.join(found)}, but this interpreter needs a build for {wanted}"
    return ""


def build_info() -> dict[str, str]:
    """How the extension was built; empty without one."""
    module = load().module
    return dict(module.build_info()) if module is not None else {}
