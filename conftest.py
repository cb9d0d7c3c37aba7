"""Settings and fixtures of all tests, and which installation is tested."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import pytest

import sky_rs_patch
from sky_rs_patch._base import switch
from sky_rs_patch._base.names import ACTIVE_VARIABLE
from sky_rs_patch._binding import counters
from sky_rs_patch._routes import opt_in

# Children import SkyPilot, too, and its usage messages would go out to the network.
os.environ.setdefault("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")

# On a CI service pytest shortens no line and Hypothesis takes no seed. The runs that tests start
# are the same everywhere.
for _variable in ("BUILD_NUMBER", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD"):
    os.environ.pop(_variable, None)

# A shell starts its background jobs deaf to Ctrl-C, and so would their children be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


TESTS = Path(__file__).parent / "tests"


def pytest_configure() -> None:
    """Stops unless the installed wheel is what is imported: the sources have no extension."""
    if Path(sky_rs_patch.__file__).parents[1] == Path(__file__).parent:
        raise pytest.UsageError(
            "the sources in this folder would be tested, and they have no extension: run the "
            "script `pytest`, not `python -m pytest`, in an environment in which the wheel is "
            "installed (`make build`, then `.venv/bin/pytest`)"
        )


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leaves out what is for a build that panics on purpose (`make faults`), in all others."""
    if collection_path.name != "checked":
        return None
    from sky_rs_patch import _native

    return None if hasattr(_native, "inject_fault") else True


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """Keeps pytest's ears off SkyPilot's logger during a test.

    From 9.2 on pytest listens to loggers that don't propagate, too; and what somebody would hear
    is left to the originals.
    """
    logger = logging.getLogger("sky")
    ears = [handler for handler in logger.handlers if type(handler).__module__ == "_pytest.logging"]
    for handler in ears:
        logger.removeHandler(handler)
    try:
        return (yield)
    finally:
        for handler in ears:
            logger.addHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def away_from_the_sources():
    """Child processes look for modules in the working directory, and find sources at the root."""
    before = Path.cwd()
    os.chdir(TESTS)
    yield
    os.chdir(before)


@pytest.fixture(autouse=True)
def disabled_before_and_after(monkeypatch):
    """Each test starts with SkyPilot's own functions in place, and leaves them there."""
    for variable in (
        switch.VARIABLE,
        ACTIVE_VARIABLE,
        opt_in.VARIABLE,
        counters.VARIABLE,
    ):
        monkeypatch.delenv(variable, raising=False)
    sky_rs_patch.disable()
    yield
    sky_rs_patch.disable()
    # SkyPilot leaves it at 0 where an error has passed `print_exception_no_traceback`, and then
    # there are no tracebacks for Hypothesis to look at.
    vars(sys).pop("tracebacklimit", None)


@pytest.fixture
def enabled(disabled_before_and_after):
    """The shim is enabled for this test."""
    with sky_rs_patch.enabled():
        yield


@pytest.fixture
def log_file(tmp_path):
    """A small text file."""
    path = tmp_path / "job.log"
    path.write_text("".join(f"line {number}\n" for number in range(1000)))
    return path


@pytest.fixture
def directory(tmp_path):
    """A directory with 300 files."""
    path = tmp_path / "mount"
    path.mkdir()
    for number in range(300):
        (path / f"file-{number}").touch()
    return path
