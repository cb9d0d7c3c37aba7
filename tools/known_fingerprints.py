"""Writes ``sky_rs_patch/_known.py`` from the SkyPilot releases that the routes were made for.

    python tools/known_fingerprints.py WHEEL...

Each wheel is a SkyPilot release (``pip download --no-deps skypilot==X``). The output lists, for
every function that a route stands for or reads, the fingerprints that were found and the
releases that have them. Which of them a native function equals is said in ``_routes.py``.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from sky_rs_patch import _fingerprints, _routes


def wanted() -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for route in _routes.ROUTES:
        module, _, function = route.target.rpartition(".")
        if module.startswith("sky."):
            names.setdefault(module, set()).update({function, *route.callees})
    return names


def main(wheels: list[str]) -> None:
    found: dict[str, dict[str, list[str]]] = {}

    def release(path: str) -> tuple[int, ...]:
        return tuple(
            int(part) for part in re.findall(r"\d+", pathlib.Path(path).name.split("-")[1])
        )

    for wheel in sorted(wheels, key=release):
        version = pathlib.Path(wheel).name.split("-")[1]
        with zipfile.ZipFile(wheel) as archive:
            for module, names in wanted().items():
                try:
                    source = archive.read(module.replace(".", "/") + ".py")
                except KeyError:
                    # Not every SkyPilot has all of them.
                    continue
                tree = ast.parse(source)
                for node in tree.body:
                    if isinstance(node, ast.FunctionDef) and node.name in names:
                        prints = found.setdefault(f"{module}.{node.name}", {})
                        prints.setdefault(_fingerprints.of_definition(node), []).append(version)
    lines = [
        '"""Fingerprints of SkyPilot\'s functions by release (tools/known_fingerprints.py).',
        "",
        "The letters are those of docs/routes.md: A is the oldest variant that was looked at.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "#: Function -> fingerprint -> (variant, first release, last release that was looked at).",
        "KNOWN: dict[str, dict[str, tuple[str, str, str]]] = {",
    ]
    for name in sorted(found):
        lines.append(f'    "{name}": {{')
        for letter, (fingerprint, versions) in zip("ABCDEFGH", found[name].items()):
            known = f'("{letter}", "{versions[0]}", "{versions[-1]}")'
            lines.append(f'        "{fingerprint}": {known},')
        lines.append("    },")
    lines.append("}")
    target = pathlib.Path(__file__).parent.parent / "sky_rs_patch" / "_known.py"
    target.write_text("\n".join(lines) + "\n")
    print(f"{target}: {sum(map(len, found.values()))} fingerprints of {len(found)} functions")


if __name__ == "__main__":
    main(sys.argv[1:])
