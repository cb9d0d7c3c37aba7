"""How a test's record travels from a worker of xdist: as a report of its own kind.

The reports of a test can't carry it: pytest tells of warnings after the last of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_skyrs._model.events import RunRecord

_TYPE = "SkyrsRecord"


class RecordReport(pytest.TestReport):
    """Passes where a test report is expected, and shows nowhere."""

    count_towards_summary = False

    def __init__(self, nodeid: str, text: str) -> None:
        super().__init__(
            nodeid=nodeid,
            location=("", None, ""),
            keywords={},
            outcome="passed",
            longrepr=None,
            when="skyrs",  # type: ignore[arg-type]
        )
        #: The record's JSON.
        self.text = text


def make(nodeid: str, record: RunRecord) -> RecordReport:
    """A report that holds a record. JSON in ASCII, so that lone surrogates pass."""
    return RecordReport(nodeid, json.dumps(record, default=repr))


def to_serializable(report: object) -> dict[str, Any] | None:
    """For ``pytest_report_to_serializable``."""
    if isinstance(report, RecordReport):
        return {"$report_type": _TYPE, "nodeid": report.nodeid, "text": report.text}
    return None


def from_serializable(data: dict[str, Any]) -> RecordReport | None:
    """For ``pytest_report_from_serializable``."""
    if data.get("$report_type") == _TYPE:
        return RecordReport(data["nodeid"], data["text"])
    return None
