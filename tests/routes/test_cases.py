"""Every route has its cases, and the same native functions are declared, built and described."""

import ast
from pathlib import Path

import pytest
from cases import CASES, MODULES

import sky_rs_patch
from sky_rs_patch import _native
from sky_rs_patch._routes import common_utils, subprocess_utils, yaml_utils
from sky_rs_patch._routes.table import ROUTES
from sky_rs_patch._runtime.virtual_module import _OWN as OWN

NAMES = {route.target.rpartition(".")[2]: route for route in ROUTES}


def test_every_route_has_its_cases():
    assert set(CASES) == {*NAMES, *OWN}
    assert len(CASES) == sum(len(module.CASES) for module in MODULES), "a name is there twice"


@pytest.mark.parametrize("module", [common_utils, subprocess_utils, yaml_utils])
def test_routes_stand_in_the_file_of_their_module(module):
    assert {route.target.rpartition(".")[0] for route in module.ROUTES} == {module.MODULE}
    # One that has moved has its cases where it is now.
    (cases,) = (each for each in MODULES if each.__name__.endswith(module.__name__[-12:]))
    assert {each.name for each in cases.CASES} <= {
        route.target.rpartition(".")[2] for route in module.ROUTES
    }


@pytest.mark.parametrize("name", CASES)
def test_no_suite_is_left_out(name):
    """Only what isn't exact in effect has fewer: it can't be compared in all ways."""
    cases = CASES[name]
    exact = name not in NAMES or NAMES[name].opt_in is None
    assert cases.guards()
    # Its objects can't be made without SkyPilot's own psutil.
    assert (cases.memory is not None) is (exact and name != "_safe_children")
    assert (cases.fuzz is not None) is exact


def test_native_functions_are_those_of_routes():
    declared = {native for route in ROUTES if not route.opt_in for native in route.natives.values()}
    stub = ast.parse((Path(sky_rs_patch.__file__).parent / "_native.pyi").read_text())
    described = {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    built = {name for name in vars(_native) if callable(getattr(_native, name))}
    own = {*OWN} - declared
    helpers = {"build_info", "make_proxy_type", "panics", "scan_code", "watch_environment"}
    helpers |= {name for name in built if name.startswith("limit_")}
    functions = {name for name in built if not isinstance(getattr(_native, name), type)}
    assert functions - helpers - {"inject_fault"} == declared | own
    assert described - helpers == declared | own
