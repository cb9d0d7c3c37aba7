import logging
import os
import signal
import sys

import pytest

import sky_rs_patch
from sky_rs_patch import _finder, _opt_in, _stats, _switch

# Children import SkyPilot, too, and its usage messages would go out to the network.
os.environ.setdefault("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")

# On a CI service pytest shortens no line and Hypothesis takes no seed. The runs that tests start
# are the same everywhere.
for _variable in ("BUILD_NUMBER", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD"):
    os.environ.pop(_variable, None)

# A shell starts its background jobs deaf to Ctrl-C, and so would their children be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(autouse=True)
def disabled_before_and_after(monkeypatch):
    """Each test starts with SkyPilot's own functions in place, and leaves them there."""
    for variable in (
        _switch.VARIABLE,
        _finder.ACTIVE_VARIABLE,
        _opt_in.VARIABLE,
        _stats.VARIABLE,
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
