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
    found = {divergence["id"]: divergence for divergence in content["divergences"]}
    divergence = found.get(options.id)
    if divergence is None:
        names = ", ".join(found) or "none with a routed call"
        return _refuse(f"there is no {options.id} in {options.source}; there are {names}")
    if divergence["pickle"] is None:
        return _refuse(
            f"the arguments of {options.id} could not be pickled: {divergence['arguments']}"
        )
    print(f"{divergence['id']} of {divergence['test']}")
    print(f"{divergence['function']}{divergence['arguments']}\n")
    modules = options.modules or _conftests(content, divergence["test"])
    answers = {}
    for backend in ("python", "rust"):
        done = _run(backend, divergence, content, modules)
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            return _refuse(f"the call could not be run on {backend} (exit code {done.returncode})")
        answers[backend] = json.loads(done.stdout.splitlines()[-1])
        print(f"{backend + ':':7} {answers[backend]['text']}   ({answers[backend]['path']})")
    print(f"\n{snippet(divergence, answers)}")
    same = answers["python"]["digest"] == answers["rust"]["digest"]
    print("\nthe backends agree now" if same else "\nthe backends differ")
    return 0 if same else 1


def _refuse(message: str) -> int:
    print(f"pytest_skyrs replay: {message}", file=sys.stderr)
    return 2


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
        [sys.executable, "-c", "from pytest_skyrs import _replay; _replay.answer()"],
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
    path = paths[-1] if paths else "not routed"
    told = {
        "text": f"{outcome_text(canonical, parts)}",
        "digest": canonical.digest((parts, args, kwargs)),
        "path": path if path in ("rust", "not routed") else f"python: {path}",
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


def snippet(divergence: dict[str, Any], answers: dict[str, Any]) -> str:
    """A few lines that make the call."""
    module_name, _, name = divergence["function"].rpartition(".")
    package, _, module = module_name.rpartition(".")
    imports = f"from {package} import {module}" if package else f"import {module}"
    literal = answers["python"]["literal"]
    lines = ["import sky_rs_patch", "sky_rs_patch.enable()", imports]
    if literal is not None:
        lines.append(f"print({module}.{name}({literal}))")
    else:
        lines.insert(0, "import base64, pickle")
        lines.append(f"args, kwargs = pickle.loads(base64.b64decode({divergence['pickle']!r}))")
        lines.append(f"print({module}.{name}(*args, **kwargs))")
    for backend in ("python", "rust"):
        lines.append(f"# {backend}: {answers[backend]['text'].splitlines()[0]}")
    return "\n".join(lines)
