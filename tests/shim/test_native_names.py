"""Native functions: the extension, the routes that use them and the stub name the same ones."""

from __future__ import annotations

import ast
from pathlib import Path

import sky_rs_patch
from sky_rs_patch import _native
from sky_rs_patch._routes.table import ROUTES
from sky_rs_patch._runtime import virtual_module

STUB = Path(sky_rs_patch.__file__).with_name("_native.pyi")
#: What the stub describes that is no native function of a route.
OTHERS = frozenset(
    {
        *("build_info", "panics", "watch_environment", "scan_code", "make_proxy_type"),
        *("code_text", "may_declare_entry_points", "place_proxies", "pristine", "rebind"),
        *("take_left_counts", "inject_fault"),
    }
)


def natives_of_routes() -> set[str]:
    specs = {native for spec in ROUTES if spec.opt_in is None for native in spec.natives.values()}
    return specs | virtual_module._OWN.keys()


def natives_in_stub() -> list[str]:
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name not in OTHERS and not name.startswith("floor_")]


def test_every_native_function_serves_a_route():
    assert set(_native.NATIVE_NAMES) == natives_of_routes()


def test_every_native_function_is_in_the_stub():
    assert sorted(natives_in_stub()) == sorted(_native.NATIVE_NAMES)


def test_every_native_function_can_be_called():
    assert all(callable(getattr(_native, name)) for name in _native.NATIVE_NAMES)
    assert len(set(_native.NATIVE_NAMES)) == len(_native.NATIVE_NAMES)
