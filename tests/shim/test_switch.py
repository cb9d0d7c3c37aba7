"""``SKYPILOT_USE_RUST``, at the start and while a program runs."""

import os
from unittest import mock

import pytest
from support import counting, function, status_of

import sky_rs_patch

VARIABLE = "SKYPILOT_USE_RUST"
TURNED_OFF = (0, 1, {"switch": 1})
TURNED_ON = (1, 0, {})


def one_call():
    """What one call counts."""
    with counting("base36_encode") as counted:
        assert function("base36_encode")("ff") == "73"
    return counted.rust, counted.python, counted.declines


@pytest.mark.parametrize("value", ["", "0", "false", "no", "off", "FALSE", "No", "oFf"])
def test_values_that_mean_python(value, enabled, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    assert one_call() == TURNED_OFF
    monkeypatch.delenv(VARIABLE)
    assert one_call() == TURNED_ON


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "TRUE", "Yes", "oN"])
def test_values_that_mean_rust(value, enabled, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    assert one_call() == TURNED_OFF
    monkeypatch.setenv(VARIABLE, value)
    assert one_call() == TURNED_ON


@pytest.mark.parametrize("value", ["maybe", " ", "2", " 1", "1 ", "01", "y", "n", "tru", "\xb9"])
def test_other_values_are_an_error_when_enabling(value, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ValueError) as caught:
        sky_rs_patch.enable()
    assert f"SKYPILOT_USE_RUST={value!r}" in str(caught.value)
    assert not sky_rs_patch.status()["enabled"]
    assert status_of("base36_encode")["state"] == "inactive"


@pytest.mark.parametrize("value", ["maybe", " ", "2", " 1"])
def test_other_values_mean_python_while_a_program_runs(value, enabled, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    assert one_call() == TURNED_OFF
    switch = sky_rs_patch.status()["switch"]
    assert (switch["value"], switch["on"]) == (value, False)
    assert repr(value) in switch["problem"]


def test_setting_and_unsetting_counts_at_the_next_call(enabled):
    for _ in range(3):
        os.environ[VARIABLE] = "0"
        assert one_call() == TURNED_OFF
        del os.environ[VARIABLE]
        assert one_call() == TURNED_ON


def test_putenv_alone_is_not_seen_as_python_code_does_not_see_it(enabled):
    os.putenv(VARIABLE, "0")
    try:
        assert os.environ.get(VARIABLE) is None
        assert one_call() == TURNED_ON
    finally:
        os.unsetenv(VARIABLE)


def test_a_patched_environment(enabled):
    with mock.patch.dict(os.environ, {VARIABLE: "0"}):
        assert one_call() == TURNED_OFF
    assert one_call() == TURNED_ON
    os.environ[VARIABLE] = "no"
    with mock.patch.dict(os.environ, {}, clear=True):
        assert one_call() == TURNED_ON
    assert one_call() == TURNED_OFF
    del os.environ[VARIABLE]


def test_other_variables_do_not_matter(enabled, monkeypatch):
    monkeypatch.setenv("SKYPILOT_USE_RUSTY", "0")
    monkeypatch.setenv("OTHER", "0")
    assert one_call() == TURNED_ON


def test_enabling_while_it_is_off_serves_when_it_is_on(monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    with sky_rs_patch.enabled():
        assert status_of("base36_encode")["state"] == "active"
        assert one_call() == TURNED_OFF
        monkeypatch.setenv(VARIABLE, "on")
        assert one_call() == TURNED_ON
