"""Every target of the installed SkyPilot is served; runs with several releases of it."""

import importlib.util
import os

import applicability
import pytest
import wrapt
from support import TARGETS, counting, full_name, function, outcome, plain_arguments, status_of

import sky_rs_patch
from sky_rs_patch._cli import fingerprints
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._routes.table import ROUTES

EXISTING = [name for name in TARGETS if applicability.reason(full_name(name)) is None]
HAS_PROCESS_ALIVE = "is_process_alive" in EXISTING


@pytest.mark.parametrize("name", EXISTING)
def test_an_existing_target_is_active(name, enabled):
    assert isinstance(function(name), wrapt.FunctionWrapper)
    assert status_of(name)["state"] == "active"
    assert status_of(name)["reason"] is None


@pytest.mark.skipif(HAS_PROCESS_ALIVE, reason="this SkyPilot has is_process_alive")
def test_a_missing_target_is_absent(enabled):
    function("get_parallel_threads")
    route = status_of("is_process_alive")
    assert route["state"] == "absent"
    assert route["reason"] == "sky.utils.subprocess_utils has no is_process_alive"


@pytest.mark.parametrize("name", EXISTING)
def test_plain_inputs_are_served_by_rust(name, enabled, log_file, directory):
    arguments = plain_arguments(name, log_file, directory)
    proxy = function(name)
    with counting(name) as counted:
        answer = outcome(proxy, *arguments)
    assert (counted.rust, counted.python, counted.declines) == (1, 0, {})
    assert answer == outcome(proxy.__wrapped__, *arguments)


@pytest.mark.parametrize("name", EXISTING)
def test_without_the_shim_the_original_stands(name):
    assert not isinstance(function(name), wrapt.FunctionWrapper)
    assert status_of(name)["state"] == "inactive"
    assert status_of(name)["reason"] == "not enabled"


def test_all_targets_have_a_status(enabled):
    assert {full_name(name) for name in TARGETS} <= set(sky_rs_patch.status()["routes"])


@pytest.mark.skipif(not HAS_PROCESS_ALIVE, reason="this SkyPilot has no is_process_alive")
@pytest.mark.parametrize("pid", [0, 1, os.getppid(), 2**22 + 1, 2**31 - 1])
def test_processes_are_alive_as_psutil_has_it(pid, enabled):
    proxy = function("is_process_alive")
    with counting("is_process_alive") as counted:
        answer = outcome(proxy, pid)
    assert answer == outcome(proxy.__wrapped__, pid)
    assert counted.rust == 1


@pytest.mark.parametrize("spec", ROUTES, ids=lambda spec: spec.target.rpartition("sky.utils.")[2])
def test_every_known_original_is_served(spec, enabled):
    module, _, name = spec.target.rpartition(".")
    unserved = applicability.reason(spec.target)
    if importlib.util.find_spec(module) is None:
        state, reason = "absent", f"there is no {module}"
    elif not hasattr(importlib.import_module(module), name):
        state, reason = "absent", f"{module} has no {name}"
    elif spec.opt_in is not None:
        state, reason = "inactive", "opt-in: set SKY_RS_ENABLE="
    elif unserved is not None:
        state, reason = "inactive", ("no native function", "unknown code: ")
    else:
        state, reason = "active", None
    route = sky_rs_patch.status()["routes"][spec.target]
    assert route["state"] == state
    assert (route["reason"] or "").startswith(reason or "")
    assert bool(route["reason"]) == bool(reason)


@pytest.mark.parametrize("name", KNOWN)
def test_the_release_has_what_is_known_of_it(name):
    """What other tests are skipped for: the table is right about this release."""
    if applicability.is_newer_than_known():
        pytest.skip("newer than all known releases")
    examined = fingerprints.examine(applicability.skypilot(), name)
    if examined.state == "absent":
        assert applicability.variants(name) == set()
    else:
        assert (examined.state, {examined.variant}) == ("known", applicability.variants(name))
