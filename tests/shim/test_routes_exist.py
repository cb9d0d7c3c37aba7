"""Every target of the installed SkyPilot is served; runs with several releases of it."""

import importlib.util
import os

import applicability
import pytest
import samples
import wrapt
from support import counting, function, outcome, status_of

import sky_rs_patch
from sky_rs_patch._cli import fingerprints
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._routes.table import ROUTES

HAS_PROCESS_ALIVE = "is_process_alive" in map(samples.name_of, samples.SERVED)
SERVED = pytest.mark.parametrize("spec", samples.SERVED, ids=samples.name_of)


@pytest.mark.skipif(HAS_PROCESS_ALIVE, reason="this SkyPilot has is_process_alive")
def test_a_missing_target_is_absent(enabled):
    function("get_parallel_threads")
    route = status_of("is_process_alive")
    assert route["state"] == "absent"
    assert route["reason"] == "sky.utils.subprocess_utils has no is_process_alive"


@SERVED
def test_the_sample_is_answered_by_rust(spec, enabled, tmp_path, monkeypatch):
    for variable, value in spec.sample.environment.items():
        monkeypatch.setenv(variable, value)
    arguments = samples.arguments(samples.name_of(spec), tmp_path)
    proxy = samples.function(spec.target)
    assert isinstance(proxy, wrapt.FunctionWrapper)
    with counting(spec.target) as counted:
        answer = outcome(proxy, *arguments)
    assert (counted.rust, counted.python, counted.declines) == (1, 0, {})
    assert answer == outcome(proxy.__wrapped__, *arguments)


@SERVED
def test_without_the_shim_the_original_stands(spec):
    assert not isinstance(samples.function(spec.target), wrapt.FunctionWrapper)
    assert status_of(spec.target)["state"] == "inactive"
    assert status_of(spec.target)["reason"] == "not enabled"


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
