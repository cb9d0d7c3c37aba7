"""Selection of an arm's tests: all, some files up to a test, or those that haven't run yet."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_skyrs._model.settings import ArmSettings


class Selection:
    """Leaves out tests that this arm isn't to run."""

    def __init__(self, settings: ArmSettings) -> None:
        self._tests = None if settings.tests is None else set(settings.tests)
        self._files = {nodeid.partition("::")[0] for nodeid in settings.tests or ()}
        self._skip: Counter[str] = Counter()
        # On another machine it isn't there: what is run again isn't compared again.
        if settings.skip is not None and Path(settings.skip).exists():
            lines = Path(settings.skip).read_text(encoding="ascii").splitlines()
            self._skip.update(json.loads(line) for line in lines)

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Spares importing modules whose tests aren't wanted."""
        if self._tests is None or not collection_path.is_file():
            return None
        wanted = (config.rootpath / file for file in self._files)
        return None if collection_path in wanted else True

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
        if self._tests is not None:
            # What comes before a test may matter to it, what comes after doesn't.
            last = {
                item.nodeid.partition("::")[0]: position
                for position, item in enumerate(items)
                if item.nodeid in self._tests
            }
            items[:] = [
                item
                for position, item in enumerate(items)
                if position <= last.get(item.nodeid.partition("::")[0], -1)
            ]
