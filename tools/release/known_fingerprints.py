"""Writes what is known of the SkyPilots that the routes were made for.

    python tools/release/known_fingerprints.py --python python3.9 --python python3.10 ... WHEEL...

Each wheel is a SkyPilot release (``pip download --no-deps skypilot==X``), those of before among
them, or one of PyYAML (6.0 to 6.0.4 have the same functions). ``known_variants.py`` lists, for
every function that a route stands for or reads, the fingerprints that were found and the releases
that have them; which of them a native function equals is said in ``_routes/``. ``known_code.py``
lists the code that each Python makes of these functions, and of those of PyYAML that routes know;
``known_statements.json`` has digests of the statements of SkyPilot's, by which
``python -m sky_rs_patch fingerprints`` names what changed. None of their text is kept.

A variant keeps its letter: ``_routes/`` means that one, whatever releases are added.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import string
import subprocess
import sys
import zipfile
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from sky_rs_patch._contracts import yaml_dump, yaml_load
from sky_rs_patch._fingerprints import compute, known_variants, statements
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._routes import table

PACKAGE = pathlib.Path(known_variants.__file__).parent


def wanted() -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for route in table.ROUTES:
        module, _, function = route.target.rpartition(".")
        if module.startswith("sky."):
            names.setdefault(module, set()).update({function, *route.callees})
        for name in route.elsewhere:
            module, _, function = name.rpartition(".")
            names.setdefault(module, set()).add(function)
    return names


def wanted_of_pyyaml() -> dict[str, set[str]]:
    return {"yaml": {*yaml_dump.KNOWN_FUNCTIONS, *yaml_load.KNOWN_FUNCTIONS}}


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
    found: dict[str, set[str]] = {}
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
                digest = compute.code_digest(code[0], defaults, kwdefaults)
                digest += compute.DECORATED * bool(definition.decorator_list)
                found.setdefault(digest, set()).add(compute.of_definition(definition))
    # What several sources make the same code of must be known by its source.
    return {digest: prints.pop() for digest, prints in found.items() if len(prints) == 1}


def write(name: str, docstring: str, body: list[str]) -> None:
    target = PACKAGE / name
    head = [docstring, "", "from __future__ import annotations", ""]
    target.write_text("\n".join([*head, *body]) + "\n")
    print(target)


def letters(prints: list[str], known: dict[str, tuple[str, str, str]]) -> dict[str, str]:
    """Fingerprint -> letter, for one function: the letter that it has, or the next one."""
    taken = {fingerprint: known[fingerprint][0] for fingerprint in prints if fingerprint in known}
    free = (letter for letter in string.ascii_uppercase if letter not in taken.values())
    return {fingerprint: taken.get(fingerprint) or next(free) for fingerprint in prints}


def write_fingerprints(wheels: list[str]) -> None:
    found: dict[str, dict[str, list[str]]] = {}
    digests: dict[str, dict[str, list[statements.Statement]]] = {}
    decorated = set()
    for version, module, names, source in sources(wheels):
        if module not in wanted():
            continue
        for name, definition in definitions(source, names).items():
            fingerprint = compute.of_definition(definition)
            prints = found.setdefault(f"{module}.{name}", {})
            prints.setdefault(fingerprint, []).append(version)
            # Lines as in the last release that has it.
            of_variants = digests.setdefault(f"{module}.{name}", {})
            of_variants[fingerprint] = statements.of_definition(definition)
            if definition.decorator_list:
                decorated.add(fingerprint)
    lines = []
    for name in sorted(found):
        gone = KNOWN.get(name, {}).keys() - found[name].keys()
        if gone:
            raise SystemExit(f"no wheel has {', '.join(sorted(gone))} of {name}: give the old ones")
        lines.append(f'    "{name}": {{')
        named = letters(list(found[name]), KNOWN.get(name, {}))
        for fingerprint in sorted(found[name], key=named.__getitem__):
            versions = found[name][fingerprint]
            known = f'("{named[fingerprint]}", "{versions[0]}", "{versions[-1]}")'
            lines.append(f'        "{fingerprint}": {known},')
        lines.append("    },")
    write(
        "known_variants.py",
        '"""Fingerprints of SkyPilot\'s functions by release.\n\n'
        "Written by tools/release/known_fingerprints.py. The letters are those of docs/routes.md: "
        "A is the\noldest variant that was looked at, as far as it was looked at first.\n"
        '"""',
        [
            "#: Function -> fingerprint -> (variant, first and last release that was looked at).",
            "KNOWN: dict[str, dict[str, tuple[str, str, str]]] = {",
            *lines,
            "}",
            "",
            "#: Those of functions whose definitions have decorators; the code doesn't tell.",
            "DECORATED = frozenset(",
            "    {",
            *(f'        "{fingerprint}",' for fingerprint in sorted(decorated)),
            "    }",
            ")",
        ],
    )
    statements.FILE.write_text(statements.written(digests))
    print(statements.FILE)


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
        "known_code.py",
        '"""Code digests by Python, each with its fingerprint (by known_fingerprints.py)."""',
        [
            "#: Python version -> digest of the code -> fingerprint of the source.",
            "KNOWN_CODE: dict[str, dict[str, str]] = {",
            *lines,
            "}",
        ],
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
