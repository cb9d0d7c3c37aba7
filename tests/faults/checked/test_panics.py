"""A panic within native code: the original answers, the status counts it, the process lives on.

For an extension that was built with the feature `fault-injection`, which no wheel has that is
handed out: `make faults` builds one in an environment of its own.
"""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
import samples
from support import run_python

import sky_rs_patch
from sky_rs_patch import _native
from sky_rs_patch._routes.table import ROUTES

TARGETS = [route.target for route in ROUTES if route.opt_in is None]
KINDS = ["before", "after", "error", "detached"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user whose hash is known."""
    monkeypatch.setenv("SKYPILOT_USER_ID", "0123abcd")
    return tmp_path


@pytest.fixture(autouse=True)
def no_fault_is_left():
    sky_rs_patch.disable()
    yield
    _native.inject_fault(None)
    sky_rs_patch.disable()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_within_a_native_function(target, kind, home, capfd):
    arguments = samples.calls(home).get(target)
    if arguments is None:
        assert target.endswith((".is_process_alive", "common_utils.dump_yaml_str"))
        return
    with sky_rs_patch.enabled():
        proxy = samples.function(target)
        proxy(*arguments)
        expected = samples.plain(proxy.__wrapped__(*arguments))
        before = sky_rs_patch.status()["routes"][target]
        served = before["calls"]["rust"]
        kept = [argument for argument in arguments if isinstance(argument, (str, list, dict))]
        references = [sys.getrefcount(argument) for argument in kept]
        _native.inject_fault(f"{kind}:{samples.native_of(target)}")
        for _ in range(3):
            assert samples.plain(proxy(*arguments)) == expected
        _native.inject_fault(None)
        assert [sys.getrefcount(argument) for argument in kept] == references
        after = sky_rs_patch.status()["routes"][target]
        assert after["declines"].get("panic", 0) - before["declines"].get("panic", 0) == 3
        assert after["calls"]["python"] - before["calls"]["python"] == 3
        assert after["calls"]["rust"] == served
        # And it goes on as if nothing had happened.
        assert samples.plain(proxy(*arguments)) == expected
        assert sky_rs_patch.status()["routes"][target]["calls"]["rust"] == served + 1
    assert capfd.readouterr().err == ""


def test_what_panicked_is_in_the_status(home):
    with sky_rs_patch.enabled():
        _native.inject_fault("before:base36_encode")
        assert samples.function("sky.utils.common_utils.base36_encode")("ff") == "73"
        panics = sky_rs_patch.status()["extension"]["panics"]
    assert any("rust/" in panic or "faults.rs" in panic for panic in panics)
    assert len(panics) <= 8


def test_while_the_guards_are_settled(capfd):
    """Not within a native function: the call goes to the original all the same."""
    target = "sky.utils.common_utils.base36_encode"
    samples.function(target)
    sky_rs_patch.register(target, lambda text: "candidate", replace=True)
    try:
        _native.inject_fault("guards:derived")
        with sky_rs_patch.enabled():
            before = sky_rs_patch.status()["routes"][target]["calls"]
            for _ in range(3):
                assert samples.function(target)("ff") == "73"
            after = sky_rs_patch.status()["routes"][target]
            assert after["calls"]["python"] == before["python"] + 3
            assert after["calls"]["rust"] == before["rust"]
    finally:
        sky_rs_patch.unregister(target)
    assert capfd.readouterr().err == ""


def test_at_the_import_of_the_extension():
    """SkyPilot is imported as if we weren't there, and we say so once."""
    done = run_python(
        "-c",
        "import json, sky_rs_patch\n"
        "sky_rs_patch.enable()\n"
        "from sky.utils import common_utils\n"
        "print(json.dumps([type(common_utils.base36_encode).__name__,\n"
        "    common_utils.base36_encode('ff'), sky_rs_patch.status()['extension']['problem']]))\n",
        environment={"SKY_RS_FAULT": "module:init"},
    )
    assert done.returncode == 0, done.stderr
    kind, value, problem = json.loads(done.stdout.splitlines()[-1])
    assert (kind, value) == ("function", "73")
    assert problem == "the extension failed to start: PanicException: injected: module:init"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "panicked at" not in done.stderr
