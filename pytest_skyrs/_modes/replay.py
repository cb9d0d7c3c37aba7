"""``python -m pytest_skyrs replay ID``: one recorded call on both backends, in a fresh process."""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_skyrs._arm.calls import outcome_parts, outcome_text
from pytest_skyrs._model.canonical import Canonical
from pytest_skyrs._report.machine import LAST_RUN

_MODE_VARIABLE = "SKYRS_REPLAY"
_NOT_ROUTED = "not routed"


class _NoCall(Exception):
    """There is no call to make; the message says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("id", help="the divergence's name in the last run, like d1")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        default=Path(".pytest_cache", "d", "skyrs", LAST_RUN),
        help="what the last run has left (default: %(default)s)",
    )
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this first: the module that registers the candidate, a conftest for example",
    )


def replay(options: argparse.Namespace) -> int:
    """Runs the call; gives 0 if the backends agree, 1 if they differ, 2 if it can't be run."""
    try:
        content = json.loads(options.source.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        return _refuse(f"{options.source}: {error}; run pytest --skyrs-both here first")
    try:
        divergence, modules, needed = _choose(content, options)
    except _NoCall as problem:
        return _refuse(str(problem))
    print(f"{divergence['id']} of {divergence['test']}")
    print(f"{divergence['function']}{divergence['arguments']}\n")
    answers = {}
    for backend in ("python", "rust"):
        done = _run(backend, divergence, content, modules)
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            return _refuse(f"the call could not be run on {backend} (exit code {done.returncode})")
        answers[backend] = json.loads(done.stdout.splitlines()[-1])
        print(f"{backend + ':':7} {answers[backend]['text']}   ({answers[backend]['path']})")
    if answers["rust"]["path"] == _NOT_ROUTED:
        return _refuse(
            f"{divergence['function']} has no route here: say with --import which module "
            "registers it"
        )
    print(f"\n{snippet(divergence, answers, needed)}")
    same = answers["python"]["digest"] == answers["rust"]["digest"]
    print("\nthe backends agree now" if same else "\nthe backends differ")
    return 0 if same else 1


def _refuse(message: str) -> int:
    print(f"pytest_skyrs replay: {message}", file=sys.stderr)
    return 2


def _choose(
    content: Any, options: argparse.Namespace
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The divergence, what to import before its call, and what of that registers its route."""
    try:
        found = {
            each["id"]: each
            for first in content["divergences"]
            for each in (first, *first.get("examples", ()))
        }
        calls = [name for name, each in found.items() if each["pickle"] is not None]
        divergence = found.get(options.id)
        routes, _ = content["routes"], content["directory"]
    except (KeyError, TypeError, AttributeError):
        raise _NoCall(
            f"{options.source}: it is neither a report of --skyrs-json nor what a run left in "
            "pytest's cache"
        ) from None
    known = f"there are {', '.join(calls)}" if calls else "there is none with a routed call"
    if divergence is None:
        raise _NoCall(f"there is no {options.id} in {options.source}; {known}")
    if divergence["function"] is None:
        raise _NoCall(
            f"{options.id} is no call but a difference of {divergence['observable']} in "
            f"{divergence['test']}; {known}"
        )
    if divergence["pickle"] is None:
        raise _NoCall(
            f"the arguments of {options.id} could not be pickled: {divergence['arguments']}"
        )
    modules = options.modules or _conftests(content, divergence["test"])
    registrar = (routes.get(divergence["function"]) or {}).get("registered_by") or {}
    file = registrar.get("file")
    if options.modules or not file or not Path(file).is_file():
        return divergence, modules, options.modules
    # A module of a package can't be imported by its file.
    needed = registrar["module"] if "." in str(registrar["module"]) else file
    return divergence, list(dict.fromkeys([*modules, needed])), [needed]


def _conftests(content: dict[str, Any], test: str) -> list[str]:
    """The conftest files that the test had: they may register the candidate."""
    root = Path(content["rootdir"])
    folders = [root, *(root / parent for parent in reversed(Path(test.partition("::")[0]).parents))]
    files = (folder / "conftest.py" for folder in dict.fromkeys(folders))
    return [str(file) for file in files if file.is_file()]


def _run(
    backend: str, divergence: dict[str, Any], content: dict[str, Any], modules: list[str]
) -> subprocess.CompletedProcess[str]:
    task = {
        "function": divergence["function"],
        "pickle": divergence["pickle"],
        "modules": modules,
        "backend": backend,
        "path": sys.path,
    }
    return subprocess.run(
        [sys.executable, "-c", "from pytest_skyrs._modes import replay; replay.answer()"],
        cwd=content["directory"],
        env={
            **os.environ,
            _MODE_VARIABLE: json.dumps(task),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def answer() -> None:
    """In the fresh process: makes the call and prints what came of it."""
    task = json.loads(os.environ.pop(_MODE_VARIABLE))
    import sky_rs_patch
    from sky_rs_patch import _testing

    os.environ[_testing.SWITCH_VARIABLE] = "1" if task["backend"] == "rust" else "0"
    sky_rs_patch.enable()
    for module in task["modules"]:
        _load(module)
    module_name, _, name = task["function"].rpartition(".")
    function = getattr(importlib.import_module(module_name), name)
    args, kwargs = pickle.loads(base64.b64decode(task["pickle"]))
    paths = []
    _testing.observe(lambda *_: lambda path, *_: paths.append(path))
    result = error = None
    try:
        result = function(*args, **kwargs)
    except Exception as raised:
        error = raised
    canonical = Canonical()
    parts = outcome_parts(result, error)
    path = paths[-1] if paths else _NOT_ROUTED
    told = {
        "text": f"{outcome_text(canonical, parts)}",
        "digest": canonical.digest((parts, args, kwargs)),
        "path": path if path in ("rust", _NOT_ROUTED) else f"python: {path}",
        "literal": _literal(args, kwargs),
    }
    print(json.dumps(told))


def _load(module: str) -> None:
    """Imports a module by name, or a file by path."""
    if not module.endswith(".py"):
        importlib.import_module(module)
        return
    from importlib import util

    sys.path.insert(0, str(Path(module).parent))
    spec = util.spec_from_file_location(Path(module).stem, module)
    assert spec is not None
    assert spec.loader is not None
    loaded = util.module_from_spec(spec)
    sys.modules[Path(module).stem] = loaded
    spec.loader.exec_module(loaded)


def _literal(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """The arguments as source code, if they can be written as such."""
    import ast

    parts = []
    for name, value in [*((None, value) for value in args), *kwargs.items()]:
        text = repr(value)
        try:
            if Canonical().digest(ast.literal_eval(text)) != Canonical().digest(value):
                return None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        parts.append(text if name is None else f"{name}={text}")
    return ", ".join(parts)


def snippet(divergence: dict[str, Any], answers: dict[str, Any], modules: list[str]) -> str:
    """A few lines that make the call, after the imports of modules that may register its route."""
    module_name, _, name = divergence["function"].rpartition(".")
    package, _, module = module_name.rpartition(".")
    imports = f"from {package} import {module}" if package else f"import {module}"
    literal = answers["python"]["literal"]
    lines = ["import sky_rs_patch", "sky_rs_patch.enable()", *_imports(modules), imports]
    if literal is not None:
        lines.append(f"print({module}.{name}({literal}))")
    else:
        lines.insert(0, "import base64, pickle")
        lines.append(f"args, kwargs = pickle.loads(base64.b64decode({divergence['pickle']!r}))")
        lines.append(f"print({module}.{name}(*args, **kwargs))")
    for backend in ("python", "rust"):
        lines.append(f"# {backend}: {answers[backend]['text'].splitlines()[0]}")
    return "\n".join(lines)


def _imports(modules: list[str]) -> list[str]:
    """Lines that import modules as `_load` does."""
    lines = ["import sys"] if any(module.endswith(".py") for module in modules) else []
    for module in modules:
        if module.endswith(".py"):
            file = Path(module)
            lines += [f"sys.path.insert(0, {str(file.parent)!r})", f"import {file.stem}"]
        else:
            lines.append(f"import {module}")
    return lines
