"""Sessions of the arms, one after the other: started, followed, and started again if they die."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import types
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._controller import arm_process, ending, report_forwarding
from pytest_skyrs._model import events
from pytest_skyrs._model.session_files import SessionFiles
from pytest_skyrs._model.settings import ArmSettings
from pytest_skyrs._model.summaries import Heard
from pytest_skyrs._model.test_run import Assembler, TestRun
from pytest_skyrs._report.progress import Progress, duration

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_skyrs._controller.limits import Limit
    from pytest_skyrs._controller.store import Store
    from pytest_skyrs._options import Options

ELSEWHERE = "the arms have their folders there, TMPDIR names another place"
_RESTARTS = 5
#: Nothing was collected, and that is all right.
_ENDS_WITHOUT_TESTS = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
#: Bytes that a disk has left when something in an arm could not be written.
_NOTHING_LEFT = 256 << 10


class Sessions:
    """The arms' sessions of a double run.

    Args:
        config: of the session that the user started.
        options: as the user gave them.
        folder: the workplace.
        store: gets what was collected, and what has run.
        limit: of the whole double run.
        seed: for Hypothesis and pytest-randomly.

    Attributes:
        plan: what the arms have in common; to be set before the first one.
        arms: that were started, by backend.
        endings: how the sessions of the first round ended, by backend: several, if one died.
        failed_modules: reports on modules that weren't collected, by arm and node id.
        repeated_modules: how many of the Python arm's reports on them came more than once.
        problems: what kept the comparison from being complete.
        not_started: those of them that are arms which never got to their tests.
        notes: what else the user is to know.
        running: the arm that runs now.
        files: that plugins of the Python arm write.
        summaries: what those plugins say at the end.
        keep: whether the arms' folders stay, for somebody to look at.
        schedule: the file with what the Python arm's processes ran, for others to replay.
        folder: the workplace.
    """

    plan: arm_process.Plan

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        folder: Path,
        store: Store,
        *,
        limit: Limit,
        seed: int,
    ) -> None:
        self._config = config
        self._options = options
        self.folder = folder
        self.schedule = folder / "schedule.jsonl"
        self._store = store
        self._limit = limit
        self._seed = seed
        self.arms: dict[str, list[arm_process.Arm]] = {"python": [], "rust": []}
        self.endings: dict[str, list[ending.Ending]] = {"python": [], "rust": []}
        self.failed_modules: dict[str, dict[str, dict[str, Any]]] = {}
        self.repeated_modules = 0
        self.not_started: list[str] = []
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.running: arm_process.Arm | None = None
        self._roots = (str(config.rootpath), str(config.invocation_params.dir))
        self.files = SessionFiles(folder / "session-files", str(folder), self._roots)
        self.summaries = Heard()
        self.keep = options.keep
        self._progress: Progress | None = None

    def start(self, settings: ArmSettings) -> arm_process.Arm:
        """Starts an arm that is followed later."""
        arm = arm_process.Arm(self.plan, settings)
        self.arms[settings.backend].append(arm)
        return arm

    def settings(
        self,
        backend: str,
        number: int,
        selection: str | None = None,
        schedule: str | None = None,
    ) -> ArmSettings:
        """What an arm is told; see `ArmSettings`."""
        # The same path for every arm that runs alone: paths get into results, and into digests.
        folder = self.folder / ("arm" if not self._options.side_by_side else f"arm-{backend[0]}")
        return ArmSettings(
            backend=backend,
            round=number,
            folder=str(folder),
            seed=self._seed,
            selection=selection,
            schedule=schedule,
            coverage=self._options.coverage,
            roots=self._roots,
            screen=self._screen(),
        )

    def _screen(self) -> tuple[int, bool]:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        return (80, False) if terminal is None else (terminal._tw.fullwidth, terminal.hasmarkup)

    def stream(
        self, settings: ArmSettings, running: arm_process.Arm | None = None
    ) -> Generator[TestRun, None, None]:
        """Runs an arm to its end, and gives its tests as they are over.

        A session that dies is started again without the tests that it has had.
        """
        skip = self.folder / f"had-{settings.name}.jsonl"
        selected = settings.selected()
        files = selected["files"] if selected is not None else None
        assembler = Assembler("" if files is None else json.dumps(files))
        for attempt in range(_RESTARTS + 1):
            arm = running or self.start(settings)
            running = None
            self.running = arm
            self.say(f"{settings.name} arm{' goes on' if attempt else self._expected(settings)}")
            died = yield from self._follow(arm, skip, assembler)
            self.running = None
            self.leave(arm)
            if not died or attempt == _RESTARTS or not skip.exists():
                return
            again = self.settings(settings.backend, settings.round)
            settings = dataclasses.replace(settings, folder=again.folder, skip=str(skip))

    def _expected(self, settings: ArmSettings) -> str:
        """How long an arm is likely to take, if that is known."""
        if settings.name != "rust-1" or not self.arms["python"]:
            return ""
        finished = self.arms["python"][0].finished or {}
        return f" (the python arm took {duration(finished.get('seconds', 0.0))})"

    def _follow(
        self, arm: arm_process.Arm, skip: Path, assembler: Assembler
    ) -> Generator[TestRun, None, bool]:
        """Gives an arm's tests; returns whether it died on one of them."""
        progress = self._new_progress(arm)
        try:
            return (yield from self._follow_with(arm, skip, assembler, progress))
        finally:
            progress.clear()

    def _new_progress(self, arm: arm_process.Arm) -> Progress:
        settings = arm.settings
        # The tests of this one are shown as pytest shows them, and a hang is by its own name.
        shown = settings.backend == "rust" and settings.round == 1
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        verbose = self._config.option.verbose
        self._progress = Progress(None if shown else terminal, verbose, settings.name)
        return self._progress

    def _follow_with(
        self, arm: arm_process.Arm, skip: Path, assembler: Assembler, progress: Progress
    ) -> Generator[TestRun, None, bool]:
        crashed = set()
        over = 0
        with skip.open("a", encoding="ascii") as had:
            for event in arm.follow(self._limit.deadline, progress.tick):
                self._note(arm.settings, event)
                run = assembler.take(event)
                progress.take(event, run, arm.collected)
                if run is not None:
                    over += run.nodeid not in crashed
                    if run.crash is not None:
                        crashed.add(run.nodeid)
                    had.write(json.dumps(run.nodeid) + "\n")
                    self._store.note_run(arm.settings.name, run.nodeid)
                    yield run
            if arm.missing_events:
                self.problems.append(
                    f"{arm.settings.name} arm: {arm.missing_events} of its events are missing: "
                    "something changed the file that they are in"
                )
            unfinished = assembler.unfinished()
            end = ending.of(arm, unfinished)
            self._see_whether_it_started(arm, end)
            if arm.settings.round == 1:
                self.endings[arm.settings.backend].append(end)
            if crashed and over < (arm.collected or 0) and not self._config.option.maxfail:
                # xdist runs a file or a group again and again, up to the test that crashes.
                return True
            if not end.died or arm.stopped:
                return False
            finished: events.SupervisorResult = arm.finished or {}
            signal = finished.get("signal")
            how = f"by {signal}" if signal else f"with exit code {finished.get('exit')}"
            self.say(f"{arm.settings.name} arm: its session ended {how}")
            full = self.full_disk()
            if full is not None:
                # It isn't the fault of the test that ran.
                raise OSError(errno.ENOSPC, full)
            if not unfinished:
                return False
            for run in unfinished:
                run.crash = f"the session died {how} in its {ending.phase(run)}"
                had.write(json.dumps(run.nodeid) + "\n")
                self._store.note_run(arm.settings.name, run.nodeid)
                yield run
            return not self._config.option.maxfail

    def note(self, text: str) -> None:
        """Something that the user is to know, now and at the end."""
        if text not in self.notes:
            self.notes.append(text)
            self.say(text)

    def note_not_started(self, text: str) -> None:
        """An arm never got to its tests: the first of all problems."""
        self.problems.insert(len(self.not_started), text)
        self.not_started.append(text)

    def _see_whether_it_started(self, arm: arm_process.Arm, end: ending.Ending) -> None:
        """An arm that ended before its tests; of the first one more is said elsewhere."""
        settings = arm.settings
        early = arm.collected is None and arm.interrupt is None and not arm.stopped
        if settings.name == "python-1" or not early or end.code in _ENDS_WITHOUT_TESTS:
            return
        if self.failed_modules.get(settings.name):
            return
        printed = [line for line in arm.tail().splitlines() if line.strip()]
        last = printed[-1].strip() if printed else "it printed nothing"
        why = last if end.reason is None else f"it {end.reason}" if end.died else end.reason
        self.note_not_started(
            f"the {settings.name} arm didn't get to its tests (exit code {end.code}): {why}"
        )

    def _note(self, settings: ArmSettings, event: events.Event) -> None:
        """What is told of other things than single tests."""
        if isinstance(event, events.Item):
            if not settings.skip:
                self._store.add_item(settings.name, event.nodeid)
        elif isinstance(event, events.Deselected):
            self._note_deselected(settings, event.count)
        elif isinstance(event, events.Warned):
            if settings.name == "python-1":
                report_forwarding.play_warning(self._config, event)
        elif isinstance(event, events.Note):
            self.note(event.text)
        elif isinstance(event, events.Summary):
            self.summaries.take(event)
        elif isinstance(event, events.CollectReport):
            self._note_module(settings, event.report)

    def leave(self, arm: arm_process.Arm) -> None:
        """Moves an arm's folder out of the next one's way."""
        self._keep_schedule(arm.settings)
        number = sum(len(arms) for arms in self.arms.values())
        place = self.folder / f"{arm.settings.name}.{number}"
        # A test may have removed it.
        if arm.settings.path.exists():
            self.files.arm_ended(arm.settings)
            arm.settings.path.rename(place)
        arm.settings = dataclasses.replace(arm.settings, folder=str(place))

    def _keep_schedule(self, settings: ArmSettings) -> None:
        """What the Python arm has recorded; a session that died goes on in another one."""
        if settings.recorded is None:
            return
        # A test may have removed it.
        with contextlib.suppress(FileNotFoundError):
            content = settings.recorded.read_bytes()
            with self.schedule.open("ab") as file:
                file.write(content)

    def _note_deselected(self, settings: ArmSettings, count: int) -> None:
        """The terminal counts them."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and settings.name == "python-1" and not settings.skip:
            # Plugins look for attributes of their own in what stands there.
            kept = terminal.stats.setdefault("deselected", [])
            kept += [types.SimpleNamespace() for _ in range(count)]

    def _note_module(self, settings: ArmSettings, report: dict[str, Any]) -> None:
        """A module wasn't collected, or skipped itself."""
        if report["outcome"] == "failed":
            failed = self.failed_modules.setdefault(settings.name, {})
            if settings.name == "python-1" and report["nodeid"] in failed:
                # Workers tell each of their own, unless they say the very same.
                report_forwarding.play_collection(self._config, report)
                self.repeated_modules += 1
                return
            failed[report["nodeid"]] = report
        elif settings.name == "python-1":
            report_forwarding.play_collection(self._config, report)

    def full_disk(self) -> str | None:
        """What is wrong with the place of the arms' folders, if nothing can be written there."""
        # A test may have removed the folder itself.
        if shutil.disk_usage(self.folder.parent).free > _NOTHING_LEFT:
            return None
        return f"{self.folder.parent}: {os.strerror(errno.ENOSPC)}; {ELSEWHERE}"

    def say(self, text: str) -> None:
        """Tells the user what goes on."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self._config.option.verbose >= 0:
            if self._progress is not None:
                self._progress.clear()
            terminal.ensure_newline()
            terminal.write_line(f"skyrs: {text}")
