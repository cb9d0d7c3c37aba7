"""Workers of xdist in an arm: what they are told, and what they can prove when they are done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_skyrs._arm.recorder import Recorder
    from pytest_skyrs._model.settings import ArmSettings


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


class OtherMachines:
    """In an arm's main process: workers on other machines get its settings, not a file's name."""

    def __init__(self, config: pytest.Config, settings: ArmSettings) -> None:
        self._config = config
        self._settings = settings

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Workers are started with this process's arguments, which xdist takes from here."""
        if all(spec.popen and not spec.chdir for spec in specs):
            return
        params = self._config.invocation_params
        name = "--skyrs-arm="
        told = name + self._settings.to_other_machine()
        self._config.invocation_params = self._config.InvocationParams(
            args=[told if str(word).startswith(name) else word for word in params.args],
            plugins=params.plugins,
            dir=params.dir,
        )
