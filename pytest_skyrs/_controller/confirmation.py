"""Confirmation of differences: tests run again where they were, until each is explained."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from pytest_skyrs._model import judge, schedule
from pytest_skyrs._model.test_run import module_run
from pytest_skyrs._report.results import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_skyrs._controller.sessions import Sessions
    from pytest_skyrs._model.settings import ArmSettings, Selected


def confirm(sessions: Sessions, cases: Iterable[judge.Case]) -> None:
    """Adds runs to each case until more of them would tell nothing new.

    First with the tests of its file that came before it in its process; then, if that doesn't
    show the difference, with all that came before it there.

    Args:
        sessions: start the arms that it takes.
        cases: tests that differed.
    """
    cases = list(cases)
    number = 1
    for whole in (False, True):
        for case in cases:
            case.go_on(whole=whole)
        for _ in range(judge.MOST_ROUNDS):
            wanting = [case for case in cases if case.needs_python()]
            if not wanting:
                break
            number += 1
            _Round(sessions, number, whole).run("python", wanting)
            wanting = [case for case in wanting if case.needs_rust()]
            if wanting:
                _Round(sessions, number, whole).run("rust", wanting)


@dataclasses.dataclass
class _Round:
    """Runs on one backend, in one session for all cases if that can be.

    Attributes:
        sessions: start the arms.
        number: of the round.
        whole: with all that came before a test in its process.
    """

    sessions: Sessions
    number: int
    whole: bool

    def run(self, backend: str, cases: Sequence[judge.Case]) -> None:
        """Adds a run to each case; ``None`` to those that didn't come to run."""
        files = {schedule.file_of(case.nodeid) for case in cases}
        what = f"{plural(len(cases), 'test')} to confirm: "
        what += f"{plural(len(files), 'file')} once more on {backend}"
        if self.whole:
            what += ", with all that ran before in the same process"
        self.sessions.say(what)
        wanted = {case.key: case for case in cases}
        seen: set[tuple[str, str]] = set()
        name = ""
        for settings in self._settings(backend, cases):
            name = settings.name
            for run in self.sessions.stream(settings):
                if run.key in wanted and run.key not in seen:
                    seen.add(run.key)
                    wanted[run.key].add(backend, run)
        failed = self.sessions.failed_modules.get(name, {})
        arm = self.sessions.arms[backend][-1]
        if not seen and not failed and not arm.collected:
            reason = f"the {name} arm found nothing of {', '.join(sorted(files)[:3])}"
            text = f"{plural(len(cases), 'test')} that differed could not be run again: {reason}"
            self.sessions.problems.append(text)
        for key, case in wanted.items():
            if key not in seen:
                first = case.python[0]
                is_module = first is not None and first.is_module
                nodeid = case.nodeid
                case.add(backend, module_run(nodeid, failed.get(nodeid)) if is_module else None)

    def _settings(self, backend: str, cases: Sequence[judge.Case]) -> Iterator[ArmSettings]:
        """Of the sessions that it takes: several only where a session without workers has died."""
        ids = {case.nodeid for case in cases}
        recorded = self._recorded()
        way = recorded.before(ids.__contains__, whole=True)
        short = recorded.before(ids.__contains__, whole=False)
        whole = self.whole or 2 * short.count >= way.count
        if not whole:
            way = short
        rest = sorted(ids.difference(*(part.tests for part in way.parts)))
        sessions = [way]
        if way.is_alone:
            slots = [[[part]] for part in way.parts] or [[[]]]
            sessions = [dataclasses.replace(way, slots=each) for each in slots]
        for number, each in enumerate(sessions):
            tests = list(dict.fromkeys(test for part in each.parts for test in part.tests))
            selected: Selected = {"files": None, "tests": tests, "up_to": []}
            if each is sessions[-1]:
                selected["up_to"] = rest
            if not whole:
                named = (*tests, *selected["up_to"])
                selected["files"] = sorted({schedule.file_of(nodeid) for nodeid in named})
            place = self.sessions.folder / f"{backend}-{self.number}-{number}"
            selection, replayed = (place.with_suffix(end) for end in (".tests", ".schedule"))
            selection.write_text(json.dumps(selected), encoding="ascii")
            each.write(replayed)
            yield self.sessions.settings(backend, self.number, str(selection), str(replayed))

    def _recorded(self) -> schedule.Schedule:
        try:
            return schedule.read(self.sessions.schedule)
        except schedule.BadSchedule:
            # A test has removed it.
            return schedule.Schedule("no", [schedule.ALONE], [[]])
