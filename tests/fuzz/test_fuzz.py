"""The runner of `make fuzz`: a short run of all routes, and that it finds what is wrong."""

import json
import os
import re
import subprocess
import sys

import applicability
import pytest
from differential import difference, message, planted

from fuzz.command import one_case
from fuzz.descriptions import DESCRIPTIONS
from fuzz.engine import FAMILY, Subject

BY_NAME = {description.name: description for description in DESCRIPTIONS}
PRESENT = [each for each in DESCRIPTIONS if applicability.applies(each.name)]


def test_a_short_run_of_all_routes(tmp_path):
    path = tmp_path / "record.json"
    command = ["-m", "fuzz", "--calls", "6000", "--seed", "2", "--examples", "0"]
    done = subprocess.run(
        [sys.executable, *command, "--record", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(path.read_text())
    assert set(run["routes"]) == {description.name for description in PRESENT}
    for name, counts in run["routes"].items():
        assert counts["rust"] > 0, f"Rust answered none of {name}'s calls: {counts}"
        assert counts["compared"] == counts["rust"] + sum(
            number for reason, number in counts.items() if reason.startswith("declined")
        )
    assert sum(counts["compared"] for counts in run["routes"].values()) >= 5900
    assert "different; seed 2" in done.stdout


def test_cases_are_those_of_the_seed():
    for description in PRESENT:
        subjects = [Subject(description, seed, 0) for seed in (5, 5, 6)]
        first, same, other = (
            # A memoryview shows where it lies.
            [
                re.sub("<memory at 0x[0-9a-f]+>", "", repr(subject.family(number * FAMILY)))
                for number in range(12)
            ]
            for subject in subjects
        )
        assert first == same, description.name
        assert description.name == "_safe_children" or first != other


def cut_short(s, max_length=35, truncate_middle=False):
    return s[:max_length] + "..." if type(s) is str and len(s) > 60 else NotImplemented


WRONG = {
    "truncate_long_string": cut_short,
    "is_valid_env_var": lambda name: name.isidentifier() if type(name) is str else NotImplemented,
    "_redact_secrets_values": lambda argv: list(argv) if type(argv) is list else NotImplemented,
    "format_float": lambda num, *_: "0.5" if num == 0.5 else NotImplemented,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_candidates_are_found_and_found_again(name, capsys):
    applicability.require(name)
    subject = Subject(BY_NAME[name], 4, 0)
    with planted(name, WRONG[name]):
        found = next(found for _, found in subject.run(0, 40_000) if found is not None)
    assert found.route == name
    command = "cd tests && ../.venv/bin/python -m fuzz"
    assert found.command == f"{command} --seed 4 --route {name} --case {found.number} --examples 0"
    assert found.command in str(found)
    again = Subject(BY_NAME[name], 4, 0)
    with planted(name, WRONG[name]):
        assert one_case(again, found.number) == 1
    shown = capsys.readouterr().out
    assert found.call in shown
    assert found.command in shown
    # It is the candidate that is wrong.
    assert one_case(again, found.number) == 0
    assert "the same" in capsys.readouterr().out


def test_an_error_without_a_text_is_compared():
    huge = ValueError(10**5000)
    assert message(huge).startswith("<Exceeds the limit")
    assert difference(huge, ValueError(10**5000)) is None
    assert difference(huge, ValueError(10**5000 + 1)) is not None
