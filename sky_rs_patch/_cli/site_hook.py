"""Switching a whole Python environment on and off, with one file in its site-packages."""

from __future__ import annotations

import os
import site
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# No `pathlib` here: `activate PROGRAM` imports this on the way to the program.

#: Comes with the wheel: acts in children of a program that `activate` runs.
CHILD_HOOK = "zz_sky_rs_patch.pth"
#: Written by `activate` alone: acts in every interpreter of the environment.
SWITCH = "zz_sky_rs_patch_on.pth"

# Python executes lines of .pth files that start with "import ", one by one, in the function that
# reads the file, whose `sitedir` is the directory. The line must cost next to nothing where no
# SkyPilot is imported, so it imports nothing of ours: it waits for `sky`, and most of it isn't even
# compiled before. The package is then looked for where the file lies first; if it is gone but the
# file isn't, nothing happens.
_FIND = """
def find_spec(name, path, target):
    sys.path.insert(0, home)
    try: from sky_rs_patch._finder import installed_finder
    except ImportError: return
    finally: sys.path.remove(home)
    return installed_finder().find_spec(name, path, target)
"""
_FOUND = (
    f'(exec({_FIND!r}, here := {{"sys": sys, "home": home}}), '
    'here["find_spec"](name, path, target))[1]'
)
_WAIT = (
    'sys.meta_path.insert(0, type(sys.implementation)(waits_for="sky_rs_patch", find_spec='
    'lambda name, path=None, target=None, home=locals().get("sitedir", sys.prefix): '
    f'eval({_FOUND!r}) if name[:4] in ("sky", "sky.") else None))'
)
_EXPLANATION = """\
# Written by `python -m sky_rs_patch.activate`; `python -m sky_rs_patch.deactivate` removes it.
# Delete it by hand if sky-rs-patch is gone already: without the package it does nothing.
"""
#: What the two files say.
SWITCH_LINE = f"{_EXPLANATION}import sys; {_WAIT}\n"
CHILD_HOOK_LINE = f'import os, sys; "SKY_RS_PATCH_ACTIVE" in os.environ and {_WAIT}\n'


def site_directories() -> list[str]:
    """The directories in which this interpreter reads .pth files, in its order."""
    if sys.flags.no_site:
        return []
    directories = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    return [directory for directory in directories if os.path.isdir(directory)]


def child_hook() -> str | None:
    """The file by which children are switched on, if it is where it acts."""
    return _find(CHILD_HOOK)


def switch() -> str | None:
    """The file by which this environment is switched on, if it is."""
    return _find(SWITCH)


def is_activated() -> bool:
    """Whether Python processes that start now are served, this environment's at least."""
    from sky_rs_patch import _finder
    from sky_rs_patch._base.names import ACTIVE_VARIABLE

    if _finder.is_unwanted():
        return False
    return switch() is not None or ACTIVE_VARIABLE in os.environ


def _find(name: str) -> str | None:
    return next(_found(name), None)


def _found(name: str) -> Iterator[str]:
    for directory in site_directories():
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            yield path


def turn_on() -> tuple[str, bool]:
    """Writes the switch.

    Returns:
        The file, and whether it is new.

    Raises:
        OSError: if it can't be written.
        LookupError: if there is no directory for it.
    """
    present = switch()
    if present is not None:
        with open(present, encoding="utf-8") as file:
            if file.read() == SWITCH_LINE:
                return present, False
    hook = child_hook()
    directories = site_directories()
    # Beside the package, so that a user's installation switches only that user on.
    file_there = present or hook
    home = os.path.dirname(file_there) if file_there else next(iter(directories), None)
    if home is None:
        raise LookupError("this interpreter reads no site-packages (it was started with -S?)")
    target = os.path.join(home, SWITCH)
    # Interpreters that start meanwhile see the old file or the new one, never half of it.
    temporary = os.path.join(home, f".{SWITCH}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(SWITCH_LINE)
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    return target, True


def turn_off() -> list[str]:
    """Removes the switch, wherever it is.

    Returns:
        The files that were removed.

    Raises:
        OSError: if one can't be removed.
    """
    removed = []
    for path in _found(SWITCH):
        os.unlink(path)
        removed.append(path)
    return removed
