"""Surroundings of a test: what earlier tests have left in the environment and didn't find there."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from pytest_skyrs._model.normalise import normalise

if TYPE_CHECKING:
    from pytest_skyrs._model.canonical import Canonical

#: Set by pytest and xdist for each test.
_PYTESTS_OWN = "PYTEST_"
_FOLDER = "the working folder"
# Tests replace them.
_getcwd, _environ = os.getcwd, os.environ


class Surroundings:
    """Tells what is otherwise than at the start.

    Args:
        canonical: makes digests.
    """

    def __init__(self, canonical: Canonical) -> None:
        self._canonical = canonical
        self._before: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._changed: dict[str, str] = {}

    def start(self) -> None:
        """The tests are about to begin."""
        self._before = self._last = _look()
        self._changed = {}

    def changed(self) -> dict[str, str]:
        """Digests of what is otherwise, by name; empty for what isn't there any more."""
        now = _look()
        if now != self._last:
            self._last = now
            names = {**self._before, **now}
            self._changed = {
                name: self._digest(now[name]) if name in now else ""
                for name in sorted(names)
                if self._before.get(name) != now.get(name)
            }
        return self._changed

    def _digest(self, text: str) -> str:
        return self._canonical.digest(normalise(self._canonical.text(text), Counter()))[:8]


def _look() -> dict[str, str]:
    found = {name: text for name, text in _environ.items() if not name.startswith(_PYTESTS_OWN)}
    try:
        found[_FOLDER] = _getcwd()
    except OSError:
        # A test has removed it.
        found[_FOLDER] = ""
    return found
