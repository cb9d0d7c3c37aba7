"""Starts pytest in an arm as the controller's was started, by script or by ``python -m``.

Run by path; the first argument is JSON: what the controller's ``sys.path`` began with, and its
``sys.argv``. The others are for pytest. Programs under test look at ``sys.argv``, too (SkyPilot
records the command), so both arms show what the user typed.
"""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    started, *arguments = sys.argv[1:]
    sys.path[0], sys.argv[:] = json.loads(started)
    import pytest

    sys.exit(pytest.main(arguments))
