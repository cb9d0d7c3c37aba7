"""Starts pytest in an arm as the controller's was started, by script or by ``python -m``.

Run by path; its argument is a JSON file: what the controller's ``sys.path`` began with, its
``sys.argv``, and pytest's arguments. A file, for each word of a command line has its limit, and so
have all of them together. Programs under test look at ``sys.argv``, too (SkyPilot records the
command), so both arms show what the user typed.
"""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    with open(sys.argv[1], encoding="ascii") as file:  # noqa: PTH123 - nothing is imported yet
        sys.path[0], sys.argv[:], arguments = json.load(file)
    import pytest

    sys.exit(pytest.main(arguments))
