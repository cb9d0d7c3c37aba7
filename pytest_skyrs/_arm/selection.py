"""Selection of an arm's tests: all, those that are run again, or those that haven't run yet."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_skyrs._model.schedule import file_of

if TYPE_CHECKING:
    from pytest_skyrs._model.settings import ArmSettings


class Selection:
    """Leaves out tests that this arm isn't to run."""

    def __init__(self, settings: ArmSettings) -> None:
        self._selected = settings.selected()
        files = self._selected["files"] if self._selected is not None else None
        self._files = files
        self._paths: set[Path] = set()
        self._skip: Counter[str] = Counter()
        # On another machine it isn't there: what is run again isn't compared again.
        if settings.skip is not None and Path(settings.skip).exists():
            lines = Path(settings.skip).read_text(encoding="ascii").splitlines()
            self._skip.update(json.loads(line) for line in lines)

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Spares importing modules whose tests aren't wanted."""
        if self._files is None or not collection_path.is_file():
            return None
        if not self._paths:
            self._paths = {config.rootpath / file for file in self._files}
        return None if collection_path in self._paths else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves out the others, also those that were named on the command line."""
        left = self._skip.copy()
        kept = []
        for item in items:
            if left[item.nodeid] > 0:
                # Of a node id that is there twice, as many as have run.
                left[item.nodeid] -= 1
            else:
                kept.append(item)
        items[:] = kept
        if self._selected is None:
            return
        tests, up_to = set(self._selected["tests"]), set(self._selected["up_to"])
        # What comes before a test may matter to it, what comes after doesn't.
        last = {
            file_of(item.nodeid): position
            for position, item in enumerate(items)
            if item.nodeid in up_to
        }
        items[:] = [
            item
            for position, item in enumerate(items)
            if item.nodeid in tests or position <= last.get(file_of(item.nodeid), -1)
        ]
