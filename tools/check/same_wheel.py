"""Fails unless two wheels hold the same files, and the Python sources among them are equal.

python tools/check/same_wheel.py FIRST.whl SECOND.whl
"""

from __future__ import annotations

import sys
import zipfile


def main(first: str, second: str) -> int:
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        names, others = set(one.namelist()), set(other.namelist())
        differences = sorted(names ^ others)
        sources = (name for name in names & others if name.endswith((".py", ".pyi", ".pth")))
        differences += [name for name in sources if one.read(name) != other.read(name)]
    for name in differences:
        print(f"differs: {name}")
    print(f"{len(names)} files, {len(differences)} of them different")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
