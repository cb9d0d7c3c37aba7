"""Confirmation of differences: the files of differing tests run again, until each is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_skyrs._model import judge
from pytest_skyrs._model.test_run import module_run
from pytest_skyrs._report.results import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_skyrs._controller.sessions import Sessions


def confirm(sessions: Sessions, cases: Iterable[judge.Case]) -> None:
    """Adds runs to each case until more of them would tell nothing new.

    Args:
        sessions: start the arms that it takes.
        cases: tests that differed.
    """
    cases = list(cases)
    for number in range(2, judge.MOST_ROUNDS + 2):
        wanting = [case for case in cases if case.needs_python()]
        if not wanting:
            return
        _run_again(sessions, "python", number, wanting)
        wanting = [case for case in wanting if case.needs_rust()]
        if wanting:
            _run_again(sessions, "rust", number, wanting)


def _run_again(sessions: Sessions, backend: str, number: int, cases: Sequence[judge.Case]) -> None:
    files = {case.nodeid.partition("::")[0] for case in cases}
    wanted = {case.key: case for case in cases}
    seen = set()
    sessions.say(
        f"{plural(len(cases), 'test')} to confirm: "
        f"{plural(len(files), 'file')} once more on {backend}"
    )
    tests = tuple(dict.fromkeys(nodeid for nodeid, _ in wanted))
    settings = sessions.settings(backend, number, tests)
    for run in sessions.stream(settings):
        if run.key in wanted:
            seen.add(run.key)
            wanted[run.key].add(backend, run)
    failed = sessions.failed_modules.get(settings.name, {})
    if not seen and not failed and not sessions.arms[backend][-1].collected:
        sessions.problems.append(
            f"{plural(len(cases), 'test')} that differed could not be run again: the "
            f"{settings.name} arm found nothing of {', '.join(sorted(files)[:3])}"
        )
    for key, case in wanted.items():
        if key not in seen:
            first = case.python[0]
            is_module = first is not None and first.is_module
            nodeid = case.nodeid
            case.add(backend, module_run(nodeid, failed.get(nodeid)) if is_module else None)
