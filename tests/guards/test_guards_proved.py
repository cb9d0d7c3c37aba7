"""Each dependency of each original is replaced, and the routed call sees it as the original does.

What is replaced here, in some of the ways, `make guards` replaces in all of them.
"""

import contextlib

import applicability
import pytest
from cases import CASES
from cases.material import ready
from guard_cases import Subject, dependencies, is_limit, prove, row

import sky_rs_patch
from sky_rs_patch import _testing
from sky_rs_patch._guards import walk
from sky_rs_patch._routes import table

#: So many dependencies of each route are replaced here.
MOST = 30
#: Every one that any SkyPilot has.
NAMES = sorted({route.target.rpartition(".")[2] for route in table.ROUTES})


@pytest.fixture(scope="module")
def targets():
    with contextlib.ExitStack() as stack:
        yield {target.rpartition(".")[2]: target for target in stack.enter_context(ready())}


@pytest.fixture
def enabled_again(targets, disabled_before_and_after):
    """Switched on again, with proxies that the tests before this one haven't called."""
    _testing.reset()
    sky_rs_patch.enable(opt_in=["release_memory"])


def subject_of(name, targets):
    if name not in targets:
        applicability.require(name)
    return Subject(targets[name], CASES[name].guards())


@pytest.mark.parametrize("name", NAMES)
def test_what_an_original_reads(name, targets, enabled_again):
    # Each call of that one collects the garbage of the whole process.
    most = 3 if name == "release_memory" else MOST
    findings = prove(subject_of(name, targets), every=False, most=most)
    different = [each for each in findings if each.difference and not is_limit(each)]
    assert not different, "\n".join(f"{f.dependency} [{f.way}]: {f.difference}" for f in different)
    counted = row(targets[name], findings)
    assert counted.observable, "nothing that was replaced made a difference"
    assert not counted.stayed, [f for f in findings if f.observable and not f.recovered]


@pytest.mark.parametrize("name", ["dump_yaml_str", "get_parallel_threads", "read_last_n_lines"])
def test_a_missing_guard_is_noticed(name, targets, enabled_again, monkeypatch):
    """Planted: nothing that the original finds by its globals is watched."""
    monkeypatch.setattr(walk.Walk, "_chain", lambda *_: None)
    subject = subject_of(name, targets)
    differing = (
        finding
        for dependency in dependencies(subject.original, subject.scenarios)
        for way in dependency.ways[:3]
        for finding in subject.attempt(dependency, way, cold=False)
        if finding.difference and not is_limit(finding)
    )
    assert next(differing, None)
