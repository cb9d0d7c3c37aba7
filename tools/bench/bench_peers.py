"""The benchmark with peers: what a user would try before Rust.

python tools/bench/bench_peers.py [options of `python -m sky_rs_patch bench`]

From another folder than the root, on an interpreter that has the wheel (`make bench-peers`).
The originals' own source, taken from the installed SkyPilot, is compiled by Cython and by mypyc;
for YAML and schemas there is what others wrote in C and Rust. Needs requirements/bench.txt and a C
compiler. What doesn't compile is named and left out.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import fnmatch
import importlib
import inspect
import json
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import types

from sky_rs_patch._bench import timing, workloads

_SETUP = {
    "Cython": """
from Cython.Build import cythonize
from setuptools import setup
setup(name={name!r}, script_args=["-q", "build_ext", "--inplace"],
      ext_modules=cythonize({file!r}, language_level=3, quiet=True))
""",
    "mypyc": """
from mypyc.build import mypycify
from setuptools import setup
setup(name={name!r}, script_args=["-q", "build_ext", "--inplace"],
      ext_modules=mypycify(["--config-file", "mypy.ini", {file!r}]))
""",
}

_MYPY = """
[mypy]
follow_imports = skip
ignore_missing_imports = True
ignore_errors = True
"""

# Not the same functions: they stand for what one would write instead.
_BY_HAND = {
    "libyaml, other layout": """
import yaml
def dump_yaml_str(config):
    dump = yaml.dump_all if isinstance(config, list) else yaml.dump
    return dump(config, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=False)
""",
    "libyaml, compose only": """
import yaml
def check_no_duplicate_keys(yaml_str):
    list(yaml.compose_all(yaml_str, Loader=yaml.CSafeLoader))
""",
    "jsonschema-rs, other verdicts": """
import jsonschema_rs
def validate_schema(obj, schema, err_msg_prefix='', skip_none=True):
    obj = {key: obj[key] for key in obj if obj[key] is not None}
    jsonschema_rs.validator_for(schema).validate(obj)
""",
}


def definitions(function: types.FunctionType) -> tuple[dict[str, str], list[str]]:
    """The source of a function and of those of its module that it calls, and their imports."""
    module = sys.modules[function.__module__]
    sources: dict[str, str] = {}
    imports: dict[str, str] = {}
    waiting = [function]
    while waiting:
        each = waiting.pop()
        if each.__name__ in sources:
            continue
        source = textwrap.dedent(inspect.getsource(each))
        sources[each.__name__] = source
        for node in ast.walk(ast.parse(source)):
            # Annotations may be texts.
            name = node.id if isinstance(node, ast.Name) else ""
            if not name or name in sources or name not in vars(module):
                continue
            value = vars(module)[name]
            its_own = getattr(value, "__module__", None) == module.__name__
            if isinstance(value, types.FunctionType) and its_own and value.__qualname__ == name:
                waiting.append(value)
                continue
            if type(value) is types.ModuleType:
                imports[name] = f"import {value.__name__} as {name}"
            elif getattr(value, "__module__", "") == "typing" and not hasattr(builtins, name):
                imports[name] = f"from typing import {name}"
            else:
                imports[name] = f"from {module.__name__} import {name}"
    kept = [line for name, line in sorted(imports.items()) if name not in sources]
    return sources, kept


def build(folder: pathlib.Path, only: list[str] | None) -> list[dict[str, str]]:
    """Compiles the originals of workloads; lists what came of it."""
    (folder / "mypy.ini").write_text(_MYPY)
    entries = []
    for function in dict.fromkeys(workload.function for workload in workloads.WORKLOADS):
        if only and not any(fnmatch.fnmatchcase(function, glob) for glob in only):
            continue
        found = timing.find(function)
        if found is None or type(found.original) is not types.FunctionType:
            continue
        sources, imports = definitions(found.original)
        text = "\n".join(["from __future__ import annotations", *imports, *sources.values()])
        for compiler, setup in _SETUP.items():
            name = f"peer_{compiler.lower()}_{function.strip('_')}"
            (folder / f"{name}.py").write_text(text + "\n")
            code = setup.format(name=name, file=f"{name}.py")
            print(f"{compiler}: {function}", end="", flush=True, file=sys.stderr)
            done = subprocess.run(
                [sys.executable, "-c", code],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            built = list(folder.glob(f"{name}.*.so"))
            if done.returncode != 0 or not built:
                last = (done.stderr or done.stdout).strip().splitlines()
                print(f": left out: {last[-1] if last else 'no extension'}", file=sys.stderr)
                continue
            print(file=sys.stderr)
            # Or else the source would do for a compiled module that can't be loaded.
            (folder / f"{name}.py").unlink()
            entries.append({"peer": compiler, "module": name, "function": function})
    for number, (peer, text) in enumerate(_BY_HAND.items()):
        name = f"peer_by_hand_{number}"
        (folder / f"{name}.py").write_text(text)
        function = next(n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef))
        entries.append({"peer": peer, "module": name, "function": function})
    return entries


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", action="append")
    only = parser.parse_known_args()[0].only
    importlib.import_module("sky")
    with tempfile.TemporaryDirectory(prefix="sky-rs-peers-") as name:
        folder = pathlib.Path(name)
        entries = build(folder, only)
        (folder / "peers.json").write_text(json.dumps(entries, indent=1))
        command = [sys.executable, "-m", "sky_rs_patch", "bench", "--peers", name, *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
