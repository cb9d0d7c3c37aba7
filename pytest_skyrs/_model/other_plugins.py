"""Options of pytest and of other plugins: whose files they make, and which can't be had here.

Whatever isn't named here is treated by its kind: see `session_files` and `summaries`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest

if TYPE_CHECKING:
    from argparse import Namespace

    from pytest_skyrs._model.settings import ArmSettings

#: Files that are made of reports: the controller writes them, once, with its verdicts.
_OF_REPORTS: dict[str, object] = {
    "xmlpath": None,
    "report_log": None,
    "htmlpath": None,
    "json_report": False,
    "pastebin": None,
    "github_actions": False,
    "durations": None,
}

#: Data that is gathered where tests run: the Python arm's is the session's.
_OF_TESTS: dict[str, object] = {
    # An ini file may name another.
    "log_file": os.devnull,
    "allure_report_dir": None,
    "clean_alluredir": False,
    "cucumber_json_path": None,
    "benchmark_json": None,
    "benchmark_save": None,
    "benchmark_autosave": None,
    "benchmark_histogram": [],
    "benchmark_cprofile_dump": [],
    "benchmark_csv": [],
    "benchmark_compare": [],
    "benchmark_compare_fail": None,
    "memray_bin_path": None,
    "mtr_remote": None,
    "mtr_no_db": True,
}

#: What the controller must not do, though every arm does.
_OF_ARMS: dict[str, object] = {
    "cov_source": [],
    "cov_fail_under": None,
    "memray": False,
    "profile": False,
    "profile_svg": False,
    "mtr_none": True,
}

_REWRITING = re.compile(r"update|regen|rewrite|reset|accept|bless|approve")
_REFERENCES = re.compile(r"snapshot|golden|regen|expect|reference|baseline|regtest|fixtures?_data")


#: Options of terminal reporters that look into the process in which the tests run.
_IN_PROCESS = {"gherkin_terminal_reporter": "--gherkin-terminal-reporter"}


class _Rewriting(NamedTuple):
    option: str
    given: Callable[[Any], bool]


def _writes_snapshots(value: Any) -> bool:
    return bool({"create", "fix", "update", "trim", "review"} & set(str(value or "").split(",")))


#: Options by which tests rewrite what they are compared with.
_REWRITE: dict[str, _Rewriting] = {
    "update_snapshots": _Rewriting("--snapshot-update", bool),
    "update_new_snapshots_only": _Rewriting("--snapshot-update-new-only", bool),
    "force_regen": _Rewriting("--force-regen", bool),
    "regen_all": _Rewriting("--regen-all", bool),
    "inlinesnapshot": _Rewriting("--inline-snapshot", _writes_snapshots),
    "inline_snapshot": _Rewriting("--inline-snapshot", _writes_snapshots),
    "mpl_generate_path": _Rewriting("--mpl-generate-path", bool),
}


def settle_in_arm(option: Namespace, settings: ArmSettings) -> None:
    """Turns off what only the controller may write, and in other arms what only the first may."""
    _set(option, _OF_REPORTS)
    if not settings.is_the_sessions:
        _set(option, _OF_TESTS)


def settle_in_controller(option: Namespace) -> None:
    """Turns off what is done where tests run; the controller runs none.

    Args:
        option: pytest's options, or those that it knows before conftest files are loaded.
    """
    _set(option, {**_OF_TESTS, **_OF_ARMS})


def _set(option: Namespace, values: dict[str, object]) -> None:
    options = vars(option)
    options.update({name: value for name, value in values.items() if name in options})


def distribution(option: Namespace) -> str:
    """Xdist's mode; ``no`` if the session runs its tests itself, as with a mode and no workers."""
    return str(getattr(option, "dist", "no")) if getattr(option, "tx", None) else "no"


def measures_coverage(option: Namespace) -> bool:
    """Whether pytest-cov is to measure."""
    return bool(getattr(option, "cov_source", None)) and not getattr(option, "no_cov", False)


def refuse(option: Namespace) -> None:
    """A double run compares sessions of other processes that read the same files.

    Raises:
        pytest.UsageError: if an option makes tests rewrite what they are compared with, or
            wants them to run in this process.
    """
    for name, shown in _IN_PROCESS.items():
        if getattr(option, name, False):
            raise pytest.UsageError(
                f"{shown} needs the tests in this process; leave it out, or use "
                "--skyrs-both=inline with it"
            )
    for name, value in vars(option).items():
        known = _REWRITE.get(name)
        if known is not None:
            shown, given = known.option, known.given(value)
        else:
            shown = f"--{name.replace('_', '-')}"
            words = _REWRITING.search(name) and _REFERENCES.search(name)
            given = value is True and bool(words) and not name.startswith("skyrs")
        if given:
            raise pytest.UsageError(
                f"{shown} rewrites what the tests are compared with, which has to be the same on "
                "both backends; run pytest once with it and without --skyrs-both, then the double "
                "run without it"
            )
