"""Every route has its cases, where its module's are; `test_native_names.py` has the rest."""

import pytest
from cases import CASES, MODULES

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
