"""Joining an arm: the process goes on the arm's backend, and its options are settled."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._model import other_plugins
from pytest_skyrs._model.settings import FOLDER_VARIABLE

if TYPE_CHECKING:
    from pytest_skyrs._model.settings import ArmSettings

#: The arm that this process belongs to: never two.
_joined: ArmSettings | None = None

#: This process's own folder, if the arm's is on another machine.
_away: str | None = None


class StaleProcess(Exception):
    """This process's modules were loaded for another arm."""


class Refusal:
    """Ends the session of a stale process.

    Raising it earlier would look like a crash to xdist, which then tries the same process again.
    """

    def __init__(self, problem: StaleProcess) -> None:
        self._problem = problem

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Tells xdist's main process."""
        raise self._problem


def join(backend: str, settings: ArmSettings | None = None) -> None:
    """Puts this process on a backend, before SkyPilot is imported.

    Raises:
        pytest.UsageError: if the process can't serve the backend.
        StaleProcess: if it served another arm.
    """
    import sky_rs_patch
    from sky_rs_patch import _testing

    if settings is not None:
        _be_of_one_arm(settings)
        if os.environ.get(FOLDER_VARIABLE) != settings.folder:
            _settle_on_another_machine(settings)
        os.environ.setdefault(_testing.COUNTERS_VARIABLE, str(settings.stats))
    os.environ[_testing.SWITCH_VARIABLE] = "1" if backend == "rust" else "0"
    # What the tests start is on the same backend.
    os.environ[_testing.ACTIVE_VARIABLE] = "1"
    problem = _testing.load_extension().problem
    if problem is not None and (backend == "rust" or settings is not None):
        raise pytest.UsageError(f"the {backend} backend can't be had: {problem}")
    try:
        sky_rs_patch.enable()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _be_of_one_arm(settings: ArmSettings) -> None:
    global _joined
    # Their folders may have the same name.
    if _joined is not None and _joined != settings:
        raise StaleProcess(
            f"process {os.getpid()} served the arm {_joined.name} before, and its modules are "
            f"still loaded; {settings.name} needs a fresh one (a socket server that ends after "
            "one session, started again in a loop)"
        )
    _joined = settings


def _settle_on_another_machine(settings: ArmSettings) -> None:
    """A worker that no controller has prepared makes its own HOME."""
    global _away
    _away = folder = tempfile.mkdtemp(prefix=f"skyrs-{settings.name}-")
    atexit.register(_remove, folder, os.getpid())
    for variable, name in (("HOME", "home"), ("TMPDIR", "tmp")):
        path = Path(folder, name)
        path.mkdir()
        os.environ[variable] = str(path)
    tempfile.tempdir = None
    os.environ[FOLDER_VARIABLE] = settings.folder
    os.environ["SKY_RS_PATCH_STATS_DIR"] = str(Path(folder, "stats"))


def _remove(folder: str, pid: int) -> None:
    # Not by a child that tests have forked.
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def adapt_options(config: pytest.Config, settings: ArmSettings) -> None:
    """Turns off what only the controller may do, and makes random choices repeatable."""
    options = vars(config.option)
    other_plugins.settle_in_arm(config.option, settings)
    if _away is not None:
        options["basetemp"] = str(Path(_away, "tmp", "pytest"))
    fix_seeds(config.option, settings.seed)


def fix_seeds(option: Any, seed: int) -> None:
    """Gives plugins that choose by chance a seed, unless the user did."""
    options = vars(option)
    for name in ("hypothesis_seed", "--hypothesis-seed"):
        if name in options and options[name] is None:
            options[name] = str(seed)
    if options.get("randomly_seed") == "default":
        options["randomly_seed"] = seed
