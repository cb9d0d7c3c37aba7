"""What earlier tests left: told to the next one, and to nobody if it is as it was."""

import pytest

from pytest_skyrs._arm.surroundings import Surroundings
from pytest_skyrs._model.canonical import Canonical


@pytest.fixture
def surroundings(monkeypatch):
    monkeypatch.setenv("SKYRS_A_TEST", "before")
    made = Surroundings(Canonical([("/the/arm", "<ARM>")]))
    made.start()
    return made


def test_nothing_changed(surroundings, monkeypatch):
    assert surroundings.changed() == {}
    # Another one for each test.
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "x")
    assert surroundings.changed() == {}


def test_what_changed(surroundings, monkeypatch, tmp_path):
    monkeypatch.setenv("SKYPILOT_CONFIG", "a")
    assert set(surroundings.changed()) == {"SKYPILOT_CONFIG"}
    one = surroundings.changed()["SKYPILOT_CONFIG"]
    monkeypatch.setenv("SKYPILOT_CONFIG", "b")
    assert surroundings.changed()["SKYPILOT_CONFIG"] != one
    monkeypatch.delenv("SKYRS_A_TEST")
    monkeypatch.chdir(tmp_path)
    found = surroundings.changed()
    assert set(found) == {"SKYPILOT_CONFIG", "SKYRS_A_TEST", "the working folder"}
    assert found["SKYRS_A_TEST"] == ""
    monkeypatch.undo()
    assert set(surroundings.changed()) == {"SKYRS_A_TEST"}


def test_values_are_not_kept(surroundings, monkeypatch):
    monkeypatch.setenv("A_SECRET", "hunter2 of somebody")
    (text,) = surroundings.changed().values()
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("one", "other"),
    [("/tmp/tmpab12_x9z/c", "/tmp/tmpab12_x9y/c"), ("/the/arm/c", "<ARM>/c")],
)
def test_what_depends_on_the_run_is_the_same(surroundings, monkeypatch, one, other):
    found = []
    for value in (one, other):
        monkeypatch.setenv("SKYPILOT_CONFIG", value)
        found.append(surroundings.changed())
    assert found[0] == found[1]


def test_a_folder_that_is_gone(surroundings, monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert set(surroundings.changed()) == {"the working folder"}
