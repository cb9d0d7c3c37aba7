"""Compares the routes with their originals on random calls, for a time or a number of them.

    cd tests && ../.venv/bin/python -m fuzz --minutes 5 [--seed 1] [--route NAME ...]
    cd tests && ../.venv/bin/python -m fuzz --calls 10000000 --record FILE
    cd tests && ../.venv/bin/python -m fuzz --seed 1 --route NAME --case NUMBER

A call depends on seed, route and number alone. The exit status is 1 if anything differs, and 2
if a call doesn't come back. `--record` adds the run to a JSON file, which `python -m fuzz.record`
shows as a table.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets is part of some calls.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "fuzz", *sys.argv[1:]], environment)
    from fuzz.command import main

    sys.exit(main())
