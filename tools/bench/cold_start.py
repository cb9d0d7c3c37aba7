"""Stand-in for SkyPilot whose routed modules are imported in a moment: what does a start cost?

The functions are those of the installed SkyPilot, word for word, so that their code is known;
around them there is nothing. What SkyPilot has imported by then is imported first, for the shim
need not pay for it.
"""

from __future__ import annotations

import ast
import importlib.util
import pathlib

#: The program whose instructions are counted.
PROGRAM = "import sky.utils.common_utils, sky.utils.subprocess_utils, sky.utils.yaml_utils"

#: What SkyPilot has imported by then, as far as the shim looks at it.
_PACKAGE = """\
import ctypes, gc, hashlib, importlib.metadata, inspect, json, linecache, logging
import multiprocessing.process, re, socket, tempfile, threading

import jsonschema
"""
_MODULES = ("common_utils", "subprocess_utils", "yaml_utils")


def stand_in(directory: pathlib.Path) -> None:
    """Makes the package ``sky`` in a directory.

    Args:
        directory: the directory, which must be there.
    """
    from sky_rs_patch._routes.table import ROUTES

    wanted = {route.target for route in ROUTES}
    for route in ROUTES:
        home = route.target.rpartition(".")[0]
        wanted |= {f"{home}.{callee}" for callee in route.callees} | {*route.elsewhere}
    spec = importlib.util.find_spec("sky")
    assert spec is not None and spec.origin is not None, "SkyPilot isn't installed"
    installed = pathlib.Path(spec.origin).parent / "utils"
    utils = directory / "sky" / "utils"
    utils.mkdir(parents=True)
    (utils.parent / "__init__.py").write_text(_PACKAGE)
    (utils / "__init__.py").touch()
    # A name that is imported makes other code than one that is assigned.
    (utils / "anything.py").write_text("def __getattr__(name): return None\n")
    for module in _MODULES:
        source = (installed / f"{module}.py").read_text()
        imported, parts = set(), []
        top = ast.parse(source).body
        # What is imported for type checkers alone counts as well.
        top += [inner for node in top if isinstance(node, ast.If) for inner in node.body]
        for node in top:
            if isinstance(node, ast.FunctionDef) and f"sky.utils.{module}.{node.name}" in wanted:
                parts.append(_definition(source, node))
            elif isinstance(node, ast.ImportFrom) and node.module == "typing":
                parts.insert(0, ast.unparse(node))
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                imported |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        names = ", ".join(sorted(imported))
        parts.insert(0, f"import sky.utils.validator\nfrom sky.utils.anything import {names}")
        (utils / f"{module}.py").write_text("\n\n\n".join([*parts, ""]))
    # It needs nothing but jsonschema.
    (utils / "validator.py").write_text((installed / "validator.py").read_text())


def _definition(source: str, node: ast.FunctionDef) -> str:
    """A function's definition with its decorators, as it is written."""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
