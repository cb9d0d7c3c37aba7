"""Starts pytest in an arm as the parent's was started, by script or by ``python -m``.

Run by path; the first argument is what the parent's ``sys.path`` begins with.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    first, *arguments = sys.argv[1:]
    sys.path[0] = first
    sys.argv[:] = [sys.argv[0], *arguments]
    import pytest

    sys.exit(pytest.console_main())
