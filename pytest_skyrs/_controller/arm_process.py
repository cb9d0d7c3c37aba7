"""Starts arms, and reads what they tell."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_skyrs._controller import sandbox
from pytest_skyrs._model import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_skyrs._model.settings import ArmSettings

_POLL = 0.05
_HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all arms of a session have in common.

    Attributes:
        arguments: pytest's, as the user gave them.
        directory: where the user started pytest.
        first_path: what ``sys.path`` began with there.
        cache: pytest's cache folder, if there is one.
        isolate: ``none`` or ``net``.
        ports: nobody may listen on them when an arm starts.
        hash_seed: PYTHONHASHSEED.
        measures_coverage: pytest-cov measures.
    """

    arguments: Sequence[str]
    directory: Path
    first_path: str
    cache: Path | None
    isolate: str
    ports: tuple[int, ...]
    hash_seed: str
    measures_coverage: bool = False


class Occupied(Exception):
    """Something listens where an arm's server would; the message names it."""


class NotStarted(Exception):
    """An arm's process could not be started; the message says why."""

    def __init__(self, settings: ArmSettings, problem: object) -> None:
        super().__init__(f"the {settings.name} arm could not be started: {problem}")


class OutOfTime(Exception):
    """The time for the whole double run is over."""


class Arm:
    """A running arm.

    Args:
        plan: of the session.
        settings: of this arm.

    Raises:
        Occupied: if a port isn't free.
        NotStarted: if there is no process to be had.
        OSError: if its folders can't be made.
    """

    def __init__(self, plan: Plan, settings: ArmSettings) -> None:
        if plan.isolate == "none":
            _refuse_listeners(plan.ports, settings)
        self.settings = settings
        self.finished: events.SupervisorResult | None = None
        #: Of each process that ran tests, by worker.
        self.words: dict[str, events.WorkerReport] = {}
        self.exit: int | None = None
        self.collected: int | None = None
        self.problem: str | None = None
        #: What it told of its session's end, if it came to that.
        self.finish: events.Finish | None = None
        #: Whether nothing of pytest was left to be done.
        self.over = False
        #: Whether `stop` ended it.
        self.stopped = False
        #: What ended the session early, in pytest's words.
        self.interrupt: str | None = None
        #: Of pytest or a plugin, as pytest shows them.
        self.internal_errors: list[str] = []
        self._heard = self._heard_by_finish = 0
        sandbox.make(settings, plan.cache)
        settings.events.touch()
        arguments = [f"--basetemp={settings.basetemp}", settings.write_argument()]
        if plan.cache is not None:
            arguments.insert(0, f"--override-ini=cache_dir={settings.cache}")
        interpreter = [sys.executable, *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
        started = settings.path / "start.json"
        words = [plan.first_path, sys.argv, [*plan.arguments, *arguments]]
        started.write_text(json.dumps(words), encoding="ascii")
        # Without a name: nothing that a test does to its folders reaches it.
        self._result = tempfile.TemporaryFile(dir=settings.path.parent)  # noqa: SIM115 - lives on
        content = {
            "command": [*interpreter, str(_HERE / "launcher.py"), str(started)],
            "environment": sandbox.environment(
                settings, plan.hash_seed, measures_coverage=plan.measures_coverage
            ),
            "isolate": plan.isolate,
            "log": str(settings.log),
            "sys_path": sys.path,
            "workplace": str(settings.path.parent),
        }
        plan_file = settings.path / "plan.json"
        plan_file.write_text(json.dumps(content), encoding="utf-8")
        try:
            self._process = subprocess.Popen(
                [sys.executable, str(_HERE / "supervisor.py"), str(plan_file)],
                cwd=plan.directory,
                stdin=subprocess.PIPE,
                stdout=self._result,
                # Ctrl-C is the controller's to pass on.
                start_new_session=True,
            )
        except OSError as error:
            self._result.close()
            raise NotStarted(settings, error) from None

    def follow(
        self, deadline: float | None = None, tick: Callable[[], None] = lambda: None
    ) -> Iterator[events.Event]:
        """What happens in the arm, as it happens, until it is over.

        Args:
            deadline: of `time.monotonic`, if there is one.
            tick: called time and again.

        Raises:
            OutOfTime: when it has passed.
            NotStarted: when it is over, and has never been there.
        """
        with self.settings.events.open("rb") as file:
            partial = b""
            over = False
            while True:
                if deadline is not None and time.monotonic() > deadline:
                    raise OutOfTime
                tick()
                chunk = file.readline()
                if chunk:
                    partial += chunk
                    if partial.endswith(b"\n"):
                        event, partial = events.from_line(partial), b""
                        # Lines that something else wrote count as well: what is missing shows.
                        self._heard += 1
                        if not self._note(event):
                            yield event
                    continue
                if over:
                    break
                # What it wrote before its end is read after that.
                over = self._process.poll() is not None
                if not over:
                    time.sleep(_POLL)
        self._end()
        if not self._heard and self.finished and self.finished["exit"] is None:
            raise NotStarted(self.settings, self.problem)

    @property
    def missing_events(self) -> int:
        """Events that the arm wrote and that weren't found: a test has changed the file."""
        return abs(self.finish.events - self._heard_by_finish) if self.finish is not None else 0

    def _note(self, event: events.Event) -> bool:
        """Keeps what is told of the arm as a whole."""
        if isinstance(event, events.Worker):
            if event.report is not None:
                self.words[event.name] = event.report
        elif isinstance(event, events.Collected):
            self.collected = event.count
        elif isinstance(event, events.Finish):
            self.finish = event
            self.exit = event.exit
            self._heard_by_finish = self._heard
        elif isinstance(event, events.Over):
            self.over = True
        elif isinstance(event, events.Interrupt):
            self.interrupt = event.text
        elif isinstance(event, events.InternalError):
            self.internal_errors.append(event.text)
            # What follows a worker's error is xdist's.
            self.problem = self.problem or event.text
        else:
            return isinstance(event, events.Unreadable)
        return True

    def _end(self) -> None:
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self.finished is not None:
            return
        with self._result as file:
            file.seek(0)
            content = file.read()
        try:
            self.finished = cast("events.SupervisorResult", dict(json.loads(content)))
        except ValueError:
            code = self._process.returncode
            self.problem = f"the process that watched over it ended with {code}"
            leftovers = sandbox.end_processes(self.settings)
            self.finished = {"exit": None, "leftovers": leftovers, "seconds": 0.0}
            return
        if self.finished.get("problem"):
            self.problem = self.finished["problem"]

    def stop(self, patience: float = 0.0) -> None:
        """Ends the arm and all that it started; returns when that is done.

        Args:
            patience: seconds that it has to end by itself.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b"stop")
                self._process.stdin.close()
        self.stopped = True
        self._end()
        self._note_end()

    def _note_end(self) -> None:
        """What it told after nobody listened any more."""
        with contextlib.suppress(OSError), self.settings.events.open("rb") as file:
            for line in file:
                if events.is_of(line, events.Worker, events.Finish):
                    self._note(events.from_line(line))

    def tail(self, lines: int = 30) -> str:
        """The end of what the arm printed."""
        try:
            with self.settings.log.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 16384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def counts(self) -> dict[str, Any]:
        """Calls of each route over all of the arm's processes, as `_stats.total` has them."""
        from sky_rs_patch._testing import counters

        # A test may have removed the folder.
        found = counters.read(str(self.settings.stats)) if self.settings.stats.is_dir() else []
        routes = counters.total(found)
        for words in self.words.values():
            for name, (rust, python, declines) in (words.get("counts") or {}).items():
                counters.merge(routes.setdefault(name, counters.empty()), rust, python, declines)
        return routes


def _refuse_listeners(ports: tuple[int, ...], settings: ArmSettings) -> None:
    # What an arm left is gone by now; a moment for the kernel to see it so.
    for attempt in range(10):
        found = sandbox.listeners(ports)
        if not found:
            return
        if attempt < 9 and settings.round > 1:
            time.sleep(0.2)
        else:
            break
    named = "; ".join(f"127.0.0.1:{port} is held by {owner}" for port, owner in found.items())
    raise Occupied(
        f"{named}. The tests of the {settings.name} arm would talk to it, whatever its backend. "
        "End it, or give each arm its own loopback with --skyrs-isolate=net, or say with "
        "--skyrs-ports which ports must be free (none: --skyrs-ports=)"
    )


def workplace() -> Path:
    """A new folder for a session's arms. Short: sockets' paths may have 107 characters."""
    return Path(tempfile.mkdtemp(prefix="skyrs-"))
