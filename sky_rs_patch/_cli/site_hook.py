"""Switching a whole Python environment on and off, with one file in its site-packages."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

#: Comes with the wheel: acts in children of a program that `activate` runs.
CHILD_HOOK = "zz_sky_rs_patch.pth"
#: Written by `activate` alone: acts in every interpreter of the environment.
SWITCH = "zz_sky_rs_patch_on.pth"

# Python executes lines of .pth files that start with "import ", one by one, in the function that
# reads the file, whose `sitedir` is the directory. The line must cost next to nothing where no
# SkyPilot is imported, so it imports nothing of ours: it waits for `sky`. The package is then
# looked for where the file lies first; if it is gone but the file isn't, nothing happens.
_WAIT = """
def find_spec(name, path=None, target=None):
    if name[:4] not in ("sky", "sky."): return
    sys.path.insert(0, home)
    try: from sky_rs_patch._finder import installed_finder
    except ImportError: return
    finally: sys.path.remove(home)
    return installed_finder().find_spec(name, path, target)
sys.meta_path.insert(0, type(sys.implementation)(find_spec=find_spec, waits_for="sky_rs_patch"))
"""
_EXEC = f'exec({_WAIT!r}, {{"sys": sys, "home": locals().get("sitedir", sys.prefix)}})'
_EXPLANATION = """\
# Written by `python -m sky_rs_patch.activate`; `python -m sky_rs_patch.deactivate` removes it.
# Delete it by hand if sky-rs-patch is gone already: without the package it does nothing.
"""
#: What the two files say.
SWITCH_LINE = f"{_EXPLANATION}import sys; {_EXEC}\n"
CHILD_HOOK_LINE = f'import os, sys; "SKY_RS_PATCH_ACTIVE" in os.environ and {_EXEC}\n'


def site_directories() -> list[Path]:
    """The directories in which this interpreter reads .pth files, in its order."""
    if sys.flags.no_site:
        return []
    directories = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    return [Path(directory) for directory in directories if Path(directory).is_dir()]


def child_hook() -> Path | None:
    """The file by which children are switched on, if it is where it acts."""
    return _find(CHILD_HOOK)


def switch() -> Path | None:
    """The file by which this environment is switched on, if it is."""
    return _find(SWITCH)


def is_activated() -> bool:
    """Whether Python processes that start now are served, this environment's at least."""
    from sky_rs_patch import _finder
    from sky_rs_patch._base.names import ACTIVE_VARIABLE

    if _finder.is_unwanted():
        return False
    return switch() is not None or ACTIVE_VARIABLE in os.environ


def _find(name: str) -> Path | None:
    for directory in site_directories():
        if (directory / name).is_file():
            return directory / name
    return None


def turn_on() -> tuple[Path, bool]:
    """Writes the switch.

    Returns:
        The file, and whether it is new.

    Raises:
        OSError: if it can't be written.
        LookupError: if there is no directory for it.
    """
    present = switch()
    if present is not None and present.read_text() == SWITCH_LINE:
        return present, False
    hook = child_hook()
    directories = site_directories()
    # Beside the package, so that a user's installation switches only that user on.
    home = present.parent if present else hook.parent if hook else next(iter(directories), None)
    if home is None:
        raise LookupError("this interpreter reads no site-packages (it was started with -S?)")
    target = home / SWITCH
    # Interpreters that start meanwhile see the old file or the new one, never half of it.
    temporary = home / f".{SWITCH}.{os.getpid()}"
    try:
        temporary.write_text(SWITCH_LINE)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target, True


def turn_off() -> list[Path]:
    """Removes the switch, wherever it is.

    Returns:
        The files that were removed.

    Raises:
        OSError: if one can't be removed.
    """
    removed = []
    for directory in site_directories():
        if (directory / SWITCH).is_file():
            (directory / SWITCH).unlink()
            removed.append(directory / SWITCH)
    return removed
