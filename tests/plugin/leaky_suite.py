"""A suite made anew whose tests leave state to those that come after them, dealt by chance.

What a test sees depends on what ran before it in its worker: an environment variable, a module's
global, a file in HOME. Some tests take their time, and how long is chance, so that a scheduler of
xdist deals them differently each time. Candidates that are wrong are planted among them.
"""

from pathlib import Path

from suites import write

#: Tests of each file.
EACH = 50

FUNCTIONS = """
import logging

logger = logging.getLogger("more")


def seen(thing):
    return thing


def half(number):
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return number // 2


def told(thing):
    logger.warning("told %s", thing)
    return thing


def early(thing):
    return thing
"""

#: Wrong for 36 // 2, in an exception's type, in a log record, and after what an early file left.
CANDIDATES = """
import logging
import time

import pytest


def half(number):
    if number < 0:
        raise TypeError(f"{number} is below zero")
    return 17 if number == 36 else number // 2


def told(thing):
    if thing != 38:
        logging.getLogger("more").warning("told %s", thing)
    return thing


for name, candidate in {
    "seen": lambda thing: thing,
    "half": half,
    "told": told,
    "early": lambda thing: thing and thing.upper(),
}.items():
    sky_rs_patch.register(f"more.{name}", candidate, raises=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with open(f"{item.config.rootpath}/ran/{BACKEND}-{worker}-{os.getpid()}", "a") as file:
        file.write(item.nodeid + "\\n")
"""

WORLD = "LEFT = []\n"

FILE = """
import os
import pathlib
import random
import time

import more
import pytest
import world

NUMBER = @NUMBER@
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
KEPT = pathlib.Path.home() / f".kept-{WORKER}"


@pytest.mark.xdist_group(f"group-{NUMBER // 4}")
@pytest.mark.parametrize("number", range(@EACH@))
def test_it(number):
    mine = f"{NUMBER}-{number}"
    if number == 3 and NUMBER < 4:
        os.environ["LEFT_EARLY"] = "early"
    if number % 10 == 4:
        os.environ["LEFT"] = mine
    if number % 10 == 5:
        world.LEFT.append(mine)
    if number % 10 == 6:
        KEPT.write_text(mine)
    kept = KEPT.read_text() if KEPT.exists() else "nothing"
    # Each of them depends on what came before.
    print("left:", more.seen(os.environ.get("LEFT")), kept)
    assert more.seen(world.LEFT[-2:]) is not None
    assert more.seen(kept)
    if number % 7 == 0:
        time.sleep(random.SystemRandom().random() / 200)


def test_exact():
    assert more.half(10) == 5
@MORE@
"""

#: In every eighth file: confirming it takes this file again.
FLAKY = """

def test_flaky():
    assert more.seen(random.SystemRandom().random()) < 1
"""

#: In the last file.
PLANTED = """

def test_wrong_value():
    assert more.half(36) > 1


def test_wrong_exception():
    with pytest.raises(Exception):
        more.half(-1)


def test_lost_log():
    assert more.told(38) == 38


def test_wrong_after_others():
    assert len(more.early(os.environ.get("LEFT_EARLY", ""))) in (0, 5)
"""
#: The names of the tests that are to diverge, in the last file.
NAMES = ("test_wrong_value", "test_wrong_exception", "test_lost_log", "test_wrong_after_others")


def make(folder: Path, count: int) -> Path:
    """Writes the suite.

    Args:
        folder: where to.
        count: how many tests it is to have, about.
    """
    files = {"more.py": FUNCTIONS, "world.py": WORLD}
    number_of_files = count // (EACH + 1)
    for number in range(number_of_files):
        last = number == number_of_files - 1
        text = FILE.replace("@NUMBER@", str(number)).replace("@EACH@", str(EACH))
        more = FLAKY * (number % 8 == 0) + PLANTED * last
        text = text.replace("@MORE@", more)
        files[f"test_{number:03}.py"] = text
    suite = write(folder, files, CANDIDATES)
    (suite / "pytest.ini").write_text("[pytest]\nmarkers = xdist_group\n")
    (suite / "ran").mkdir()
    return suite


def schedules(suite: Path) -> dict[str, dict[str, list[str]]]:
    """Which worker ran which tests in the first session of each backend."""
    found: dict[str, dict[str, list[str]]] = {"python": {}, "rust": {}}
    for path in sorted((suite / "ran").iterdir(), key=lambda path: path.stat().st_ctime_ns):
        backend, worker, _ = path.name.split("-")
        found[backend].setdefault(worker, path.read_text().splitlines())
    return found
