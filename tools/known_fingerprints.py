"""Writes ``_known.py`` and ``_known_code.py`` from the SkyPilots that the routes were made for.

    python tools/known_fingerprints.py --python python3.9 --python python3.10 ... WHEEL...

Each wheel is a SkyPilot release (``pip download --no-deps skypilot==X``) or one of PyYAML. The
first file lists, for every function that a route stands for or reads, the fingerprints that were
found and the releases that have them; which of them a native function equals is said in
``_routes.py``. The second one lists the code that each Python makes of these functions and of
those of PyYAML that routes know.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import subprocess
import sys
import zipfile
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from sky_rs_patch import _fingerprints, _routes, _yaml_dump, _yaml_load

PACKAGE = pathlib.Path(_routes.__file__).parent


def wanted() -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for route in _routes.ROUTES:
        module, _, function = route.target.rpartition(".")
        if module.startswith("sky."):
            names.setdefault(module, set()).update({function, *route.callees})
        for name in route.elsewhere:
            module, _, function = name.rpartition(".")
            names.setdefault(module, set()).add(function)
    return names


def wanted_of_pyyaml() -> dict[str, set[str]]:
    return {"yaml": {*_yaml_dump.KNOWN_FUNCTIONS, *_yaml_load.KNOWN_FUNCTIONS}}


def release(path: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", pathlib.Path(path).name.split("-")[1]))


def sources(wheels: list[str]) -> Iterator[tuple[str, str, set[str], bytes]]:
    """Release, module, names that are wanted, source; the oldest release first."""
    for wheel in sorted(wheels, key=release):
        with zipfile.ZipFile(wheel) as archive:
            content = frozenset(archive.namelist())
            for module, names in {**wanted(), **wanted_of_pyyaml()}.items():
                path = module.replace(".", "/")
                files = {f"{path}.py", f"{path}/__init__.py"} & content
                if not files:
                    # Not every SkyPilot has all of them.
                    continue
                source = archive.read(files.pop())
                yield pathlib.Path(wheel).name.split("-")[1], module, names, source


def definitions(source: bytes, names: set[str]) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(source)
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in names
    }


def codes(wheels: list[str]) -> dict[str, str]:
    """Digest of the code that this Python makes of a function -> fingerprint of its source."""
    found = {}
    for _, module, names, source in sources(wheels):
        compiled = compile(source, f"{module}.py", "exec", dont_inherit=True)
        made = [constant for constant in compiled.co_consts if isinstance(constant, CodeType)]
        for name, definition in definitions(source, names).items():
            code = [constant for constant in made if constant.co_name == name]
            try:
                defaults = tuple(map(ast.literal_eval, definition.args.defaults))
                keywords = zip(definition.args.kwonlyargs, definition.args.kw_defaults)
                kwdefaults = {a.arg: ast.literal_eval(v) for a, v in keywords if v is not None}
            except ValueError:
                # What such a default is can't be told from the source.
                continue
            if len(code) == 1:
                digest = _fingerprints.code_digest(code[0], defaults, kwdefaults)
                found[digest] = _fingerprints.of_definition(definition)
    return found


def write(name: str, docstring: str, comment: str, constant: str, lines: list[str]) -> None:
    target = PACKAGE / name
    head = [docstring, "", "from __future__ import annotations", "", comment, constant]
    target.write_text("\n".join([*head, *lines, "}"]) + "\n")
    print(target)


def write_fingerprints(wheels: list[str]) -> None:
    found: dict[str, dict[str, list[str]]] = {}
    for version, module, names, source in sources(wheels):
        if module not in wanted():
            continue
        for name, definition in definitions(source, names).items():
            prints = found.setdefault(f"{module}.{name}", {})
            prints.setdefault(_fingerprints.of_definition(definition), []).append(version)
    lines = []
    for name in sorted(found):
        lines.append(f'    "{name}": {{')
        for letter, (fingerprint, versions) in zip("ABCDEFGH", found[name].items()):
            known = f'("{letter}", "{versions[0]}", "{versions[-1]}")'
            lines.append(f'        "{fingerprint}": {known},')
        lines.append("    },")
    write(
        "_known.py",
        '"""Fingerprints of SkyPilot\'s functions by release (tools/known_fingerprints.py).\n\n'
        'The letters are those of docs/routes.md: A is the oldest variant that was looked at.\n"""',
        "#: Function -> fingerprint -> (variant, first release, last release that was looked at).",
        "KNOWN: dict[str, dict[str, tuple[str, str, str]]] = {",
        lines,
    )


def write_codes(wheels: list[str], pythons: list[str]) -> None:
    by_version = {}
    for python in pythons:
        command = [python, __file__, "--print-codes", *wheels]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        version, found = json.loads(done.stdout)
        by_version[version] = found
    lines = []
    for version in sorted(by_version, key=lambda version: tuple(map(int, version.split(".")))):
        lines.append(f'    "{version}": {{')
        lines += [
            f'        "{at}": "{by_version[version][at]}",' for at in sorted(by_version[version])
        ]
        lines.append("    },")
    write(
        "_known_code.py",
        '"""Which code stands for which fingerprint, by Python (tools/known_fingerprints.py)."""',
        "#: Python version -> digest of the code -> fingerprint of the source.",
        "KNOWN_CODE: dict[str, dict[str, str]] = {",
        lines,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="+", metavar="WHEEL")
    parser.add_argument("--python", action="append", metavar="PATH", help="default: this one")
    parser.add_argument("--print-codes", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.print_codes:
        print(json.dumps([f"{sys.version_info[0]}.{sys.version_info[1]}", codes(options.wheels)]))
        return
    write_fingerprints(options.wheels)
    write_codes(options.wheels, options.python or [sys.executable])


if __name__ == "__main__":
    main()
