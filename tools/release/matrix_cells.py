"""The cells of `make matrix`: which SkyPilot is tested on which Python, wrapt and pytest.

Not the full product. Each SkyPilot meets a CPython that it says it supports, 0.10.5 and the nightly
the newest; the newest SkyPilot meets each CPython, and the oldest
wrapt and pytest the two ends of the CPythons.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
from typing import NamedTuple

#: Parts of the tests; docs/exactness-matrix.md says what is in each.
SHIM, PROXIES, PROPERTIES, PLUGIN = "shim", "proxies", "properties", "plugin"
SUITES = (SHIM, PROXIES, PROPERTIES, PLUGIN)
#: The older ends of what pyproject.toml allows.
OLDEST_WRAPT = "1.17.0"
OLDEST_PYTEST = "8.4.0"


class Cell(NamedTuple):
    """One combination.

    Attributes:
        python: version of CPython, major and minor.
        skypilot: release; its packages are in requirements/matrix/skypilot-RELEASE.txt, or, where
            nothing is locked, what the registry gives for skypilot-RELEASE.in.
        wrapt, pytest: versions in the place of those of that file.
        suites: parts of the tests that are run.
        optional: nothing is wrong if there is no such CPython here.
        newest: nothing is locked, and each route must be served.
    """

    python: str
    skypilot: str
    wrapt: str = ""
    pytest: str = ""
    suites: tuple[str, ...] = (SHIM, PROPERTIES, PLUGIN)
    optional: bool = False
    newest: bool = False

    @property
    def name(self) -> str:
        """What it is selected by."""
        parts = [f"py{self.python}", f"sky{self.skypilot}"]
        parts += [f"wrapt{self.wrapt}"] * bool(self.wrapt)
        parts += [f"pytest{self.pytest}"] * bool(self.pytest)
        return "-".join(parts)


#: The plugin knows nothing of SkyPilot.
_WITHOUT_PLUGIN = (SHIM, PROPERTIES)

CELLS = (
    # 0.9.3 names CPython 3.7 to 3.11, the others up to 3.13.
    Cell("3.11", "0.9.3", suites=_WITHOUT_PLUGIN),
    Cell("3.13", "0.10.5", suites=_WITHOUT_PLUGIN),
    Cell("3.11", "0.11.2", suites=_WITHOUT_PLUGIN),
    Cell("3.11", "0.12.3", suites=_WITHOUT_PLUGIN),
    Cell("3.11", "0.13.0", suites=_WITHOUT_PLUGIN),
    Cell("3.13", "nightly", suites=_WITHOUT_PLUGIN),
    # What users get today, whatever was locked here when.
    Cell("3.13", "newest", newest=True),
    Cell("3.13", "newest-nightly", suites=_WITHOUT_PLUGIN, newest=True),
    Cell("3.9", "0.14.1"),
    Cell("3.10", "0.14.1"),
    Cell("3.11", "0.14.1"),
    Cell("3.12", "0.14.1"),
    Cell("3.13", "0.14.1"),
    Cell("3.14", "0.14.1", optional=True),
    Cell("3.9", "0.14.1", wrapt=OLDEST_WRAPT, suites=(PROXIES,)),
    Cell("3.13", "0.14.1", wrapt=OLDEST_WRAPT, suites=(PROXIES,)),
    # The newest pytest for CPython 3.9 is 8.4.2 anyway.
    Cell("3.13", "0.14.1", pytest=OLDEST_PYTEST, suites=(PLUGIN,)),
)


@functools.cache
def find_python(version: str) -> str | None:
    """The path of a CPython that runs, or ``None``.

    Looked for: a command of that name, what pyenv has built, what `uv python install` has got.
    """
    candidates = [found] if (found := shutil.which(f"python{version}")) else []
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    candidates += map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True))
    uv = shutil.which("uv")
    if uv is not None:
        # pyenv's own commands are found first, and need not work: that is worth no words.
        command = [uv, "python", "find", "--no-python-downloads", "--managed-python", version]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        candidates += [found] * bool(found)
    for candidate in candidates:
        command = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return candidate
    return None


def selected(words: list[str]) -> list[Cell]:
    """The cells whose names have one of the words in them; all of them without words.

    A word is a part of a name (``py3.9``, ``nightly``), or parts joined by ``+`` that must all
    be in it (``py3.13+wrapt``), or ``=`` and a whole name.
    """

    def fits(cell: Cell, word: str) -> bool:
        if word.startswith("="):
            return cell.name == word[1:]
        return all(part in cell.name for part in word.split("+"))

    return [cell for cell in CELLS if not words or any(fits(cell, word) for word in words)]
