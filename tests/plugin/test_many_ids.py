"""Node ids that are many and long: they travel in files, whatever a command line may hold."""

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
