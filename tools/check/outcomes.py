"""A pytest plugin that writes one JSON line for each phase of each test to SKY_RS_OUTCOMES."""

from __future__ import annotations

import json
import os
import pathlib

import pytest


class _Recorder:
    def __init__(self, path: pathlib.Path) -> None:
        self._file = path.open("w")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(report.nodeid, report.when, report.outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report.nodeid, "collect", report.outcome)

    def _write(self, nodeid: str, when: str, outcome: str) -> None:
        self._file.write(json.dumps([nodeid, when, outcome]) + "\n")
        self._file.flush()


def pytest_configure(config: pytest.Config) -> None:
    # With xdist the controller sees every worker's reports.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(pathlib.Path(os.environ["SKY_RS_OUTCOMES"])))
