"""Which code is recognised, by itself and by its source."""

import importlib
import subprocess
import sys
from types import FunctionType

import pytest
from support import COMMON, PRESENT, full_name

from sky_rs_patch._fingerprints import compute
from sky_rs_patch._fingerprints.known_code import KNOWN_CODE
from sky_rs_patch._fingerprints.known_variants import KNOWN

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def originals():
    for name in KNOWN:
        module, _, attribute = name.rpartition(".")
        try:
            found = vars(importlib.import_module(module)).get(attribute)
        except ImportError:
            continue
        if isinstance(found, FunctionType):
            yield name, found


@pytest.fixture
def by_source(monkeypatch):
    """Nothing is known but the sources."""
    monkeypatch.setattr("sky_rs_patch._fingerprints.known_code.KNOWN_CODE", {})
    monkeypatch.setattr(compute, "_known", {})


def test_what_is_known_by_its_code_is_known_by_its_source(monkeypatch):
    by_code = {}
    for name, function in originals():
        code = compute.code_digest(
            function.__code__, function.__defaults__, function.__kwdefaults__
        )
        assert code in KNOWN_CODE[HERE], f"{name} isn't known by its code"
        by_code[name] = compute.fingerprint(function)
    monkeypatch.setattr("sky_rs_patch._fingerprints.known_code.KNOWN_CODE", {})
    monkeypatch.setattr(compute, "_known", {})
    assert by_code == {name: compute.fingerprint(found) for name, found in originals()}
    assert {full_name(name) for name in PRESENT} <= set(by_code)
    assert all(print_ in KNOWN[name] for name, print_ in by_code.items())


def example(number=1):
    return number + 1


SOURCE = """
def example(number=1, *, places=2):
    for place in range(places):
        if number in {"one", "two", "three"}:
            number = [digit + 1 for digit in str(number)]
    return number, place
"""

DIGEST = f"""
from sky_rs_patch._fingerprints import compute as _fingerprints
{SOURCE}
print(_fingerprints.code_digest(example.__code__, example.__defaults__, example.__kwdefaults__))
"""


def digest(function):
    return compute.code_digest(function.__code__, function.__defaults__, function.__kwdefaults__)


def made(source):
    namespace = {}
    exec(compile(source, "elsewhere.py", "exec", dont_inherit=True), namespace)
    return namespace["example"]


def test_where_code_lies_makes_no_difference():
    assert digest(made(SOURCE)) == digest(made("\n" * 40 + "# moved\n" + SOURCE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("number=1", "number=2"),
        ("number=1", "number=True"),
        ("number=1", "number=1.0"),
        ("number=1", "number='1'"),
        ("number=1", "number=(1,)"),
        ("number=1", "number=object()"),
        ("places=2", "places=3"),
        ("places=2", "positions=2"),
        ("*, places", "places"),
        ("digit + 1", "digit + 2"),
        ("digit + 1", "digit + True"),
        ("digit + 1", "digit + 1.0"),
        ("digit + 1", "digit - 1"),
        ('"three"', '"four"'),
        ("str(number)", "repr(number)"),
        ("[digit", "[place"),
        ("def", "async def"),
    ],
)
def test_every_change_makes_a_difference(old, new):
    # What isn't there before can't be missed.
    assert old in SOURCE
    assert digest(made(SOURCE)) != digest(made(SOURCE.replace(old, new)))


def test_the_digest_is_the_same_in_every_process():
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in "0123456789"
    }
    assert digests == {digest(made(SOURCE))}


def test_objects_of_other_types_have_no_say_in_it():
    class Sly:
        def __repr__(self):
            return "1"

    plain, sly = made(SOURCE), made(SOURCE)
    sly.__defaults__ = (Sly(),)
    assert digest(plain) != digest(sly)
    sly.__defaults__ = (type("int", (int,), {"__repr__": Sly.__repr__})(1),)
    assert digest(plain) != digest(sly)


def test_a_changed_default_is_no_known_code():
    common_utils = importlib.import_module(COMMON)
    function = common_utils.format_float
    changed = FunctionType(
        function.__code__, function.__globals__, function.__name__, (3,), function.__closure__
    )
    assert digest(changed) not in KNOWN_CODE[HERE]


@pytest.mark.usefixtures("by_source")
def test_sources_of_functions_that_were_never_seen():
    assert compute.fingerprint(example) == compute.fingerprint(example)
    with pytest.raises(compute.Unknown, match="no source of example"):
        compute.fingerprint(made(SOURCE))
