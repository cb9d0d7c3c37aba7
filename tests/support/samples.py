"""The sample call of each route, which Rust answers: faults, leaks, forks and panics use it."""

import importlib

import applicability
import psutil

from sky_rs_patch._routes.table import ROUTES

#: Those that SkyPilot's installed release is served for.
SERVED = [
    route for route in ROUTES if route.opt_in is None and applicability.reason(route.target) is None
]


def name_of(route):
    """The function's."""
    return route.target.rpartition(".")[2]


def arguments(name, directory):
    """The arguments of the sample of a function; `directory` is where files may be made."""
    if name == "_safe_children":
        # That of the sample is this one's parent, whose other children come and go.
        return (psutil.Process(),)
    return next(r for r in ROUTES if name_of(r) == name).sample.make(directory)


def calls(directory):
    """Arguments by target, of all that are served."""
    return {route.target: arguments(name_of(route), directory) for route in SERVED}


def target_of(name):
    """The target of that short name, of the installed SkyPilot; the test is skipped without."""
    applicability.require(name)
    return next(t for t in applicability.targets(name) if applicability.reason(t) is None)


def native_of(target):
    """The name of the native function that answers for a target's present original."""
    from sky_rs_patch._runtime import implementation

    route = next(route for route in ROUTES if route.target == target)
    original = function(target)
    original = getattr(original, "__wrapped__", original)
    return route.natives[implementation.known_variant(original, target)]


def function(target):
    """What stands in the module now."""
    module, _, name = target.rpartition(".")
    return vars(importlib.import_module(module))[name]


def plain(value):
    """A result in a form that can be compared."""
    if hasattr(value, "hexdigest"):
        return value.name, value.hexdigest()
    return type(value), value
