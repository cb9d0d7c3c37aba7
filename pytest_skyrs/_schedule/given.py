"""The schedule that the user gives or asks for: its file, checked, and the session's part in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_skyrs import _options
from pytest_skyrs._model import schedule
from pytest_skyrs._model.other_plugins import distribution
from pytest_skyrs._schedule.recording import Recording
from pytest_skyrs._schedule.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTION = "--skyrs-schedule"


def read(text: str) -> tuple[schedule.Schedule, str | None]:
    """The schedule that the option names, and the worker whose part it asks for.

    Args:
        text: ``FILE``, or ``FILE::WORKER``.

    Raises:
        pytest.UsageError: if there is no such schedule.
    """
    path, worker = Path(text), None
    if "::" in text and not path.exists():
        name, _, worker = text.rpartition("::")
        path = Path(name)
    try:
        found = schedule.read(path)
    except schedule.BadSchedule as error:
        raise pytest.UsageError(f"{_OPTION}={text}: {error}") from None
    if worker is None:
        return found, None
    part = found.of_worker(worker)
    if part is None:
        names = ", ".join(part.worker for part in found.parts)
        raise pytest.UsageError(f"{_OPTION}={text}: it has no worker {worker!r}; it has {names}")
    return part, worker


def check(config: pytest.Config) -> None:
    """Looks at the options before anything runs.

    Raises:
        pytest.UsageError: if one of them can't be.
    """
    option = config.option
    target = option.skyrs_record_schedule
    if option.skyrs_both == "inline" or option.skyrs_selftest:
        other = "--skyrs-both=inline" if option.skyrs_both else "--skyrs-selftest"
        name = _OPTION if option.skyrs_schedule is not None else "--skyrs-record-schedule"
        raise pytest.UsageError(f"{name} and {other} don't go together; give one of them")
    if target is not None:
        _options.check_target(f"--skyrs-record-schedule={target}", target.absolute())
    if option.skyrs_schedule is not None:
        read(option.skyrs_schedule)


def register(config: pytest.Config, say: Callable[[str], None]) -> None:
    """Has a session follow the user's schedule, and record its own, if that is asked for.

    Raises:
        pytest.UsageError: if the schedule can't be followed in this session.
    """
    replay_given(config, say)
    target = config.getoption("skyrs_record_schedule")
    if target is not None and not config.option.collectonly:
        config.pluginmanager.register(Recording(config, target), "skyrs-recording")


def replay_given(config: pytest.Config, say: Callable[[str], None]) -> None:
    """Has a session follow the user's schedule.

    Raises:
        pytest.UsageError: if it can't.
    """
    text = config.getoption("skyrs_schedule")
    if text is None:
        return
    found, worker = read(text)
    _check(config, found, text, worker)
    replay = Replay(config, found, say, part=worker is not None)
    config.pluginmanager.register(replay, "skyrs-replay")


def _check(config: pytest.Config, found: schedule.Schedule, text: str, worker: str | None) -> None:
    """Sees whether the session has the workers that the schedule wants."""
    session = _workers(config)
    path = text.rpartition("::")[0] if worker is not None else text
    given = f"this session has {session}" if session else "this session has none"
    if worker is not None:
        if session:
            raise pytest.UsageError(
                f"{_OPTION}={text}: the part of one worker runs in this process, and {given}; "
                "give -n 0"
            )
    elif found.is_alone:
        if session:
            raise pytest.UsageError(
                f"{_OPTION}={text}: it was recorded without workers, and {given}; give -n 0"
            )
    elif session != len(found.workers):
        raise pytest.UsageError(
            f"{_OPTION}={text}: it was recorded with {len(found.workers)} workers, and {given}; "
            f"give -n {len(found.workers)}, or -n 0 and one worker's part: "
            f"{_OPTION}={path}::{found.workers[0]}"
        )
    elif (found.dist == "each") != (distribution(config.option) == "each"):
        raise pytest.UsageError(
            f"{_OPTION}={text}: it was recorded with --dist={found.dist}, and this session has "
            f"--dist={config.getoption('dist')}; only one of them runs every test on every worker"
        )


def _workers(config: pytest.Config) -> int:
    """How many workers a session has; 0 if it runs the tests itself."""
    if distribution(config.option) == "no":
        return 0
    from xdist.workermanage import parse_tx_spec_config

    return len(parse_tx_spec_config(config))
