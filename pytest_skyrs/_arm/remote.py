"""A worker of xdist in an arm: sends what its process can prove to the main process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_skyrs._arm.recorder import Recorder


class Remote:
    """In a worker of xdist: sends its process's last words to the main process."""

    def __init__(self, config: pytest.Config, recorder: Recorder) -> None:
        self._config = config
        self._recorder = recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Xdist sends what is in ``workeroutput`` after this."""
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        output["skyrs"] = json.dumps(self._recorder.worker_report())
