"""Checks of arms that are over: whether one got to its tests, and was what it is called."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_skyrs._controller import ending, report_forwarding
from pytest_skyrs._report import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_skyrs._controller.sessions import Sessions
    from pytest_skyrs._controller.store import Store


def got_to_tests(config: pytest.Config, sessions: Sessions, store: Store) -> bool:
    """Whether the Python arm, which comes first, got to its tests; else says why.

    Raises:
        pytest.UsageError: if it didn't know an option, or a file to collect.
        OSError: if its disk is full.
    """
    arm, end = sessions.arms["python"][0], sessions.endings["python"][0]
    usage = end.code == pytest.ExitCode.USAGE_ERROR and not (end.died or arm.interrupt)
    if usage and not store.count_runs("python-1"):
        # A mistyped name explains itself.
        raise pytest.UsageError(
            f"the python arm didn't get to its tests (exit code {end.code}): "
            f"{arm.problem or ''}\n{arm.tail()}"
        )
    failed = sessions.failed_modules.get("python-1", {})
    if arm.collected is not None or (not end.died and not arm.internal_errors and failed):
        return True
    if end.code == pytest.ExitCode.NO_TESTS_COLLECTED and not end.died:
        return True
    full = sessions.full_disk()
    if full is not None:
        raise OSError(errno.ENOSPC, full)
    report_forwarding.play_internal_errors(config, arm.internal_errors)
    for report in failed.values():
        report_forwarding.play_collection(config, report)
    if arm.interrupt is None:
        sessions.problems.append(f"no test ran: {end.describe()}")
        sessions.keep = True
        sessions.say(f"the end of the python arm's output:\n{arm.tail()}")
    return False


def note_unexplained_ends(config: pytest.Config, sessions: Sessions, failed: Sequence[int]) -> None:
    """Notes it if the arms ended differently, and no test explains it: each has an end of its own.

    Args:
        config: of the session.
        sessions: of the arms.
        failed: how many tests failed in the Python arm, and in the Rust arm.
    """
    if config.option.maxfail:
        return
    python, rust = sessions.endings["python"][0], sessions.endings["rust"][0]
    problem = ending.unexplained(python, rust, failed)
    if problem:
        sessions.problems.append(problem)


def ended_after_tests(sessions: Sessions) -> bool:
    """Whether something ended the process of an arm when its tests were over."""
    return any(end.after_tests for ends in sessions.endings.values() for end in ends)


def forget_conftests(config: pytest.Config) -> None:
    """Unregisters conftest files: what ended an arm after its tests would end this process, too."""
    manager = config.pluginmanager
    for plugin in manager.get_plugins():
        if Path(getattr(plugin, "__file__", None) or "").name == "conftest.py":
            manager.unregister(plugin)


def note_unproven(sessions: Sessions) -> None:
    """Notes arms that can't show what they were: proxies stood, and Rust was there."""
    for arms in sessions.arms.values():
        for arm in arms:
            sessions.problems.extend(terminal.unproven(arm))
