"""Records routed calls that come from outside: what went in, what came out, what else happened.

A routed function that is called by another one while that runs isn't recorded: on Rust the inner
call doesn't pass a proxy.
"""

from __future__ import annotations

import base64
import pickle
import threading
from typing import TYPE_CHECKING, Any, Callable

from pytest_skyrs._model.canonical import type_name

if TYPE_CHECKING:
    from pytest_skyrs._arm.logs import LogTap
    from pytest_skyrs._model.canonical import Canonical
    from pytest_skyrs._model.events import Call, Calls

#: Distinct calls of one test whose arguments and results are kept to be read.
_DESCRIBED = 2_000
_PICKLE_LIMIT = 256 * 1024

Finish = Callable[[str, int, object, object], None]


class CallRecorder:
    """The observer of all routes of a process (`sky_rs_patch._runtime.observe.observe`).

    Args:
        canonical: makes digests and descriptions.
        tap: hears the log records.
        keep_arguments: also pickles arguments, so that a call can be replayed.
    """

    def __init__(self, canonical: Canonical, tap: LogTap, *, keep_arguments: bool) -> None:
        self._canonical = canonical
        self._tap = tap
        self._keep = keep_arguments
        self._local = threading.local()
        #: Above zero while something runs that tests share.
        self.shared = 0
        self.start()

    def start(self) -> None:
        """Forgets what was recorded: a test begins."""
        self._indexes: dict[tuple[str, ...], int] = {}
        self._table: list[Call] = []
        self._sequence: list[int] = []
        self._paths: dict[str, dict[str, int]] = {}
        self._threads: set[int] = set()
        self._nested: dict[str, int] = {}

    def take(self) -> Calls:
        """What was recorded since `start`, ready for JSON."""
        return {
            "table": self._table,
            "sequence": self._sequence,
            "paths": self._paths,
            "threads": len(self._threads),
            "nested": self._nested,
        }

    def __call__(
        self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Finish | None:
        """A call begins."""
        local = self._local
        if getattr(local, "inside", False):
            self._nested[function] = self._nested.get(function, 0) + 1
            return None
        digest = self._canonical.digest((args, kwargs))
        described = pickled = None
        if len(self._table) < _DESCRIBED:
            described = self._canonical.describe_call(args, kwargs)
            pickled = _pickle((args, kwargs)) if self._keep else None
        heard = len(self._tap.heard)
        local.inside = True

        def finish(path: str, nanoseconds: int, result: object, exception: object) -> None:
            # Of one call that the recorder has made cold: it says nothing of a route's speed.
            del nanoseconds
            local.inside = False
            after = self._canonical.digest((args, kwargs))
            thread = threading.get_ident()
            logs = [record.line() for record in self._tap.heard[heard:] if record.thread == thread]
            parts = outcome_parts(result, exception)
            outcome = self._canonical.digest((parts, after if after != digest else None))
            if logs:
                outcome += self._canonical.digest(logs)
            self._threads.add(thread)
            paths = self._paths.setdefault(function, {})
            paths[path] = paths.get(path, 0) + 1
            shared = bool(self.shared)
            aside = thread != self._tap.main
            key = (function, digest, outcome, str(shared), str(aside))
            index = self._indexes.get(key)
            if index is None:
                index = self._indexes[key] = len(self._table)
                entry: Call = {"function": function, "args": digest, "outcome": outcome}
                if shared:
                    entry["shared"] = True
                if aside:
                    entry["aside"] = True
                if described is not None:
                    entry["called"] = described
                    entry["gave"] = outcome_text(self._canonical, parts)
                    if after != digest:
                        entry["left"] = self._canonical.describe_call(args, kwargs)
                    if logs:
                        entry["logs"] = logs
                if pickled is not None:
                    entry["pickle"] = pickled
                self._table.append(entry)
            self._sequence.append(index)

        return finish


def outcome_parts(result: object, exception: object) -> tuple[Any, ...]:
    """What of a call's end is compared: the result, or type, text, arguments, cause."""
    if exception is None:
        return ("returned", result)
    error: Any = exception
    cause = error.__cause__
    return (
        "raised",
        type_name(type(error)),
        exception_text(error),
        error.args,
        f"{type_name(type(cause))}: {exception_text(cause)}" if cause is not None else None,
    )


def outcome_text(canonical: Canonical, parts: tuple[Any, ...]) -> str:
    """The same for people."""
    if parts[0] == "returned":
        return f"returned {canonical.describe(parts[1])}"
    _, kind, message, args, cause = parts
    text = f"raised {kind}: {canonical.text(message)}"
    if cause:
        text += f" (from {cause})"
    if args != (message,):
        text += f" with the arguments {canonical.describe(args)}"
    return text


def exception_text(error: BaseException) -> str:
    """``str`` of an exception, whatever its class does there."""
    try:
        return str(error)
    except Exception as problem:
        return f"(its text can't be had: {type(problem).__name__})"


def _pickle(value: object) -> str | None:
    try:
        content = pickle.dumps(value)
    except Exception:
        return None
    return base64.b64encode(content).decode() if len(content) <= _PICKLE_LIMIT else None
