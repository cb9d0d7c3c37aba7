"""Accepted differences of a session: the user's list, which entries apply, which are stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_skyrs._model import accepted_differences, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_skyrs._model.judge import Finding


class Acceptance:
    """The list of accepted differences, and what was found of it in this session.

    Attributes:
        stale: a sentence on each entry whose tests ran and that matched nothing.
    """

    def __init__(self) -> None:
        self._entries: list[accepted_differences.Entry] = []
        self.stale: list[str] = []

    def load(self, path: Path, skypilot: str | None) -> None:
        """Reads the list.

        Args:
            path: of the file.
            skypilot: the release that runs: entries can be for some releases only.

        Raises:
            pytest.UsageError: if an entry isn't one.
        """
        try:
            self._entries = accepted_differences.load(path, skypilot)
        except accepted_differences.BadEntry as error:
            raise pytest.UsageError(str(error)) from None

    def note(self, nodeid: str) -> None:
        """A test has run: entries for it are stale unless they match."""
        for entry in self._entries:
            entry.seen += entry.speaks_of(nodeid)

    def accept(self, nodeid: str, findings: Sequence[Finding]) -> dict[str, str] | None:
        """Reason and issue of the first entry, if every finding has one."""
        accepted = []
        for finding in findings:
            if finding.verdict in (verdicts.FLAKY, verdicts.INCONCLUSIVE):
                continue
            entry = self._matching(nodeid, finding)
            if entry is None:
                return None
            accepted.append(entry)
        for entry in accepted:
            entry.used += 1
        return {"reason": accepted[0].reason, "issue": accepted[0].issue} if accepted else None

    def _matching(self, nodeid: str, finding: Finding) -> accepted_differences.Entry | None:
        what = finding.verdict, finding.shown.function, finding.observable.kind
        return next((entry for entry in self._entries if entry.matches(nodeid, *what)), None)

    def find_stale(self) -> None:
        """All tests are over: fills `stale`."""
        for entry in self._entries:
            # An entry for a test that wasn't selected says nothing.
            if entry.seen and not entry.used:
                self.stale.append(f"{entry.describe()} matches no difference any more: remove it")
