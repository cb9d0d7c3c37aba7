"""Node ids that are many and long: they travel in files, whatever a command line may hold."""

import pytest
from suites import run, write

#: Longer than what Linux takes as one word of a command line.
WORD = 131_072

LONG = """
import pytest
import small


IDS = [f"{number:04}{'n' * 200}" for number in range(700)]


@pytest.mark.parametrize("name", IDS, ids=IDS)
def test_name(name):
    assert small.same(name)
"""

WRONG = """
sky_rs_patch.register("small.same", lambda thing: thing + "!", raises=True, replace=True)
"""


def test_differences_of_many_tests_are_confirmed(tmp_path):
    suite = write(tmp_path / "suite", {"test_long.py": LONG}, WRONG)
    done = run(suite, "-q", seconds=300)
    assert done.code == 1, done.output
    assert sum(map(len, done.verdicts)) > WORD
    assert set(done.verdicts.values()) == {"diverged"}
    assert len(done.verdicts) == 700


def test_a_command_line_as_long_as_may_be(tmp_path):
    """The user's words are many: together they are longer than one word may be."""
    suite = write(tmp_path / "suite", {"test_long.py": LONG})
    words = [f"test_long.py::test_name[{number:04}{'n' * 200}]" for number in range(650)]
    assert sum(map(len, words)) > WORD
    done = run(suite, "-q", *words, seconds=300)
    assert done.code == 0, done.output
    assert list(done.verdicts) == words
    assert set(done.verdicts.values()) == {"same"}


@pytest.mark.slow
def test_fifty_thousand(tmp_path):
    """Ten megabytes of ids, each of which is confirmed."""
    text = LONG.replace("range(700)", "range(50_000)").replace(":04", ":05")
    suite = write(tmp_path / "suite", {"test_long.py": text}, WRONG)
    done = run(suite, "-q", seconds=3_000)
    assert done.code == 1
    assert set(done.verdicts.values()) == {"diverged"}
    assert len(done.verdicts) == 50_000
    assert done.report["problems"] == []
