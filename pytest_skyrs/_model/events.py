"""Events of an arm: the one schema of what it tells the controller, a JSON object a line.

The arm's `Writer` makes them; `arm_process`, `Sessions` and `Assembler` read them. What a line
holds beside its ``kind`` are the fields of the class of that kind, without those that have their
default. The records within (`RunRecord`, `WorkerReport`, `SupervisorResult`) stay dictionaries:
they are large, and go on into the store and the reports as they are.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence


class _EveryCall(TypedDict):
    function: str
    args: str
    outcome: str


class Call(_EveryCall, total=False):
    """Calls that are alike: the digests of arguments and outcome, and what they look like.

    Attributes:
        function: its full name.
        args: digest of the arguments.
        outcome: digest of the outcome.
        shared: in a fixture that several tests share.
        aside: in another thread than the test's.
        called: the arguments; only of a test's first calls, as what follows.
        gave: the outcome.
        left: the arguments afterwards, if the call changed them.
        logs: records during the call.
        pickle: the arguments for ``replay``, in base64.
    """

    shared: bool
    aside: bool
    called: str
    gave: str
    left: str
    logs: list[str]
    pickle: str


class Calls(TypedDict):
    """Routed calls of a test.

    Attributes:
        table: those that differ from each other.
        sequence: indexes of the table, in the order in which the calls ended.
        paths: how many, by function and by what answered.
        threads: how many made them.
        nested: how many came from inside of other routed calls, by function.
    """

    table: list[Call]
    sequence: list[int]
    paths: dict[str, dict[str, int]]
    threads: int
    nested: dict[str, int]


class _EveryRecord(TypedDict):
    calls: Calls
    exceptions: dict[str, list[str]]
    logs: list[str]
    thread_logs: list[str]
    racing: bool
    foreign_logs: list[str]
    warnings: list[str]
    resources: list[int]


class RunRecord(_EveryRecord, total=False):
    """What the recorder has seen of a test.

    Attributes:
        calls: of routed functions.
        exceptions: type and message, by phase.
        logs: records of the thread that ran the test.
        thread_logs: records of threads that it started.
        racing: whether such threads went on after it.
        foreign_logs: messages of threads that earlier tests left.
        warnings: category and message.
        resources: what the test left behind, see `pytest_skyrs._arm.resources.Resources`.
        environment: digests of variables that earlier tests had changed, if there are any.
        bodies: lines and branches of originals that ran, if that is measured.
    """

    environment: dict[str, str]
    bodies: dict[str, Any]


class RouteState(TypedDict):
    """A route at the end of a process, as `sky_rs_patch.status` has it."""

    state: str
    reason: str | None
    source: str
    registered_by: str | None
    first_exception: dict[str, str] | None


class WorkerReport(TypedDict):
    """What a process that ran tests can prove when its session is over.

    Attributes:
        pid: of the process.
        backend: of its arm.
        switch: what the variable of the backend was then.
        extension: how it was built; empty if it wasn't loaded.
        lost: routes whose proxies stood when the tests began, and not any more.
        routes: their states.
        problems: entry points that could not be registered, and why.
        counts: calls of each route; ``None`` if they are in the arm's folder.
        static: what of each original could run, if that is measured.
        skypilot: its version.
    """

    pid: int
    backend: str
    switch: str | None
    extension: dict[str, Any]
    lost: list[str]
    routes: dict[str, RouteState]
    problems: dict[str, str]
    counts: dict[str, Any] | None
    static: dict[str, Any] | None
    skypilot: str | None


class SupervisorResult(TypedDict, total=False):
    """How the supervisor saw its arm end.

    Attributes:
        exit: the status of its process, below zero for a signal; ``None`` if nobody knows.
        signal: the name of that signal.
        stopped: whether it was told to end.
        stopped_by: the signal that told it, if it wasn't the controller.
        leftovers: processes that it left, and that were ended.
        seconds: how long it took.
        problem: why it could not be started.
    """

    exit: int | None
    signal: str | None
    stopped: bool
    stopped_by: str | None
    leftovers: list[str]
    seconds: float
    problem: str


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened in an arm."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        content = {"kind": self.kind}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or value != field.default:
                content[field.name] = value
        return content

    def to_line(self) -> str:
        """The JSON in a line, in ASCII: lone surrogates pass."""
        return json.dumps(self.to_json(), default=repr)


@dataclasses.dataclass(frozen=True)
class Unreadable(Event):
    """A line that no arm has written, or that something has changed."""

    kind: ClassVar[str] = "unreadable"


@dataclasses.dataclass(frozen=True)
class Item(Event):
    """A test was collected."""

    kind: ClassVar[str] = "item"
    nodeid: str


@dataclasses.dataclass(frozen=True)
class Collected(Event):
    """All tests were collected."""

    kind: ClassVar[str] = "collected"
    count: int


@dataclasses.dataclass(frozen=True)
class Deselected(Event):
    """Tests were collected that won't run."""

    kind: ClassVar[str] = "deselected"
    count: int


@dataclasses.dataclass(frozen=True)
class CollectReport(Event):
    """A module was not collected, or skipped itself.

    Attributes:
        report: pytest's, as it serialises it.
    """

    kind: ClassVar[str] = "collectreport"
    report: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Start(Event):
    """A test begins.

    Attributes:
        nodeid: of the test.
        worker: that runs it: empty without workers, ``None`` if it isn't told.
    """

    kind: ClassVar[str] = "start"
    nodeid: str
    worker: str | None = ""


@dataclasses.dataclass(frozen=True)
class Report(Event):
    """A phase of a test is over.

    Attributes:
        report: pytest's, as it serialises it.
        worker: that ran it; empty without workers.
        each: every worker runs every test.
        died: the worker died in this test.
    """

    kind: ClassVar[str] = "report"
    report: dict[str, Any]
    worker: str = ""
    each: bool = False
    died: bool = False


@dataclasses.dataclass(frozen=True)
class Record(Event):
    """A test is over, and this was seen of it.

    Attributes:
        nodeid: of the test.
        record: what was seen.
        worker: that ran it; empty without workers.
        each: every worker runs every test.
    """

    kind: ClassVar[str] = "record"
    nodeid: str
    record: RunRecord
    worker: str = ""
    each: bool = False


@dataclasses.dataclass(frozen=True)
class Warned(Event):
    """Pytest noted a warning; the fields are its hook's, and the message's."""

    kind: ClassVar[str] = "warning"
    category: str
    message: str
    filename: Any
    lineno: Any
    when: str
    nodeid: str
    location: Sequence[Any] | None


@dataclasses.dataclass(frozen=True)
class Worker(Event):
    """A process that ran tests is done, or dead.

    Attributes:
        name: ``main``, or xdist's name of the worker.
        error: how it died.
        report: what it can prove, if it came to that.
    """

    kind: ClassVar[str] = "worker"
    name: str
    error: str | None = None
    report: WorkerReport | None = None


@dataclasses.dataclass(frozen=True)
class InternalError(Event):
    """Pytest itself, or a plugin, failed."""

    kind: ClassVar[str] = "internalerror"
    text: str


@dataclasses.dataclass(frozen=True)
class Interrupt(Event):
    """Something ended the session early; the text is pytest's."""

    kind: ClassVar[str] = "interrupt"
    text: str


@dataclasses.dataclass(frozen=True)
class Summary(Event):
    """A plugin wrote its summary.

    Attributes:
        plugin: a name that it has in every process.
        text: what it wrote.
        first: whether it wrote it before other plugins.
    """

    kind: ClassVar[str] = "summary"
    plugin: str
    text: str
    first: bool


@dataclasses.dataclass(frozen=True)
class Note(Event):
    """Something that the user is to know."""

    kind: ClassVar[str] = "note"
    text: str


@dataclasses.dataclass(frozen=True)
class Finish(Event):
    """The session is over.

    Attributes:
        exit: its exit code.
        events: how many it has told, with this one.
        stop: why it stopped before all tests had run, if it did.
        error: what a plugin has raised at its end.
    """

    kind: ClassVar[str] = "finish"
    exit: int
    events: int
    stop: str = ""
    error: str | None = None


@dataclasses.dataclass(frozen=True)
class Over(Event):
    """Nothing of pytest is left to be done."""

    kind: ClassVar[str] = "over"


_KINDS: dict[str, type[Event]] = {each.kind: each for each in Event.__subclasses__()}

_NONE = type(None)
#: What JSON has for a field, by its annotation.
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "Any": (object,),
    "Sequence[Any] | None": (list, _NONE),
    "RunRecord": (dict,),
    "WorkerReport | None": (dict, _NONE),
    "bool": (bool,),
    "dict[str, Any]": (dict,),
    "int": (int,),
    "str": (str,),
    "str | None": (str, _NONE),
}


def from_json(content: object) -> Event:
    """The event that `Event.to_json` described; `Unreadable` if it isn't one."""
    if not isinstance(content, dict):
        return Unreadable()
    values = dict(content)
    kind = values.pop("kind", None)
    made = _KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        return Unreadable()
    for field in dataclasses.fields(made):
        if field.name not in values:
            if field.default is dataclasses.MISSING:
                return Unreadable()
        elif not isinstance(values[field.name], _JSON_TYPES[str(field.type)]):
            return Unreadable()
    known = {field.name for field in dataclasses.fields(made)}
    return made(**values) if known.issuperset(values) else Unreadable()


def from_line(line: bytes) -> Event:
    """The event in a line; `Unreadable` if there is none."""
    try:
        return from_json(json.loads(line))
    except (ValueError, RecursionError):
        return Unreadable()


def is_of(line: bytes, *kinds: type[Event]) -> bool:
    """Whether a line begins as events of some kinds do, without reading all of it."""
    return line.startswith(tuple(f'{{"kind": "{each.kind}"'.encode("ascii") for each in kinds))


def record_line(nodeid: str, text: str, worker: str, *, each: bool) -> str:
    """`Record.to_line` for a record that is JSON already, and long.

    Args:
        nodeid: of the test.
        text: the record's JSON.
        worker: see `Record`.
        each: see `Record`.
    """
    empty: Any = {}
    head = Record(nodeid, empty, worker, each).to_json()
    del head["record"]
    return f'{json.dumps(head)[:-1]}, "record": {text}}}'
