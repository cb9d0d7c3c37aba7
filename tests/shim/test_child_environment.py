"""What a child process inherits, and what every place that starts one takes from it."""

import os
import site
import subprocess
import sys

import pytest
from support import run_python

from pytest_skyrs._controller import sandbox
from pytest_skyrs._model.settings import ArmSettings
from sky_rs_patch._base.child_environment import child_environment
from sky_rs_patch._bench import children

NAMES = ("SKY_RS_PATCH_ACTIVE", "SKY_RS_PATCH_ROUTES", "SKY_OTHER", "XDG_CACHE_HOME", "HOME")


@pytest.fixture(autouse=True)
def _inherited(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, f"/of/{name}")
    monkeypatch.setenv("SKYPILOT_USE_RUST", "0")


@pytest.mark.parametrize(
    ("without", "gone"),
    [
        ((), set()),
        (("SKY_OTHER", "SKY_ABSENT"), {"SKY_OTHER"}),
        (("SKY_RS_PATCH_*",), {"SKY_RS_PATCH_ACTIVE", "SKY_RS_PATCH_ROUTES"}),
        (("SKY_*", "HOME"), {"SKY_RS_PATCH_ACTIVE", "SKY_RS_PATCH_ROUTES", "SKY_OTHER", "HOME"}),
        (("sky_*", "KY_OTHER", "SKY_OTHE"), set()),
    ],
)
def test_what_a_child_doesnt_inherit(without, gone):
    made = child_environment(without=without)
    assert set(os.environ) - set(made) == gone
    assert made == {name: value for name, value in os.environ.items() if name not in gone}


def test_a_home_of_its_own(tmp_path):
    made = child_environment(home=tmp_path, MORE="1", SKY_OTHER="")
    assert (made["HOME"], made["MORE"], made["SKY_OTHER"]) == (str(tmp_path), "1", "")
    assert "XDG_CACHE_HOME" not in made
    code = "import site; print(site.getuserbase())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=made, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == site.getuserbase()


def test_an_arm_keeps_settings_and_no_folders(tmp_path):
    made = sandbox.environment(ArmSettings("python", 1, str(tmp_path), 0), "7")
    assert made["SKY_RS_PATCH_ROUTES"] == "/of/SKY_RS_PATCH_ROUTES"
    assert (made["PYTHONHASHSEED"], made["HOME"]) == ("7", str(tmp_path / "home"))
    assert made["PYTHONUSERBASE"] == site.getuserbase()
    assert "XDG_CACHE_HOME" not in made


def test_a_benchmark_is_neither_switched_nor_led_to_the_users_folders(tmp_path):
    made = children.environment(tmp_path, SKYPILOT_USE_RUST="1")
    assert (made["SKYPILOT_USE_RUST"], made["HOME"]) == ("1", str(tmp_path))
    assert not {"SKY_RS_PATCH_ACTIVE", "XDG_CACHE_HOME"} & set(made)


def test_a_tests_child_has_none_of_ours():
    code = "import os; print(*sorted(os.environ))"
    names = run_python("-c", code).stdout.split()
    assert not [name for name in names if name.startswith(("SKY_RS", "SKYPILOT_USE", "PYTEST"))]
    assert "SKY_OTHER" in names
