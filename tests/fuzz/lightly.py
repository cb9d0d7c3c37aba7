"""A comparison for functions without effects, ten times as fast as `differential.compare`.

A batch of calls runs on the original, then on the proxy. What is compared of each: result and
type, or the exception with its text, arguments, cause and context, which argument the result is,
log records, warnings, and the arguments afterwards. Files, descriptors, globals, environment and
frames are `differential.compare`'s to look at, on a sample.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from differential import NOTHING, Recorder, described, difference, made, message, state_of
from one_call import Call, Fresh, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Results whose equality says all.
SIMPLE = frozenset((str, int, bool, type(None), type(NOTHING)))
#: Arguments that both sides may be given, since no call changes them.
CONSTANT = frozenset((str, int, float, bool, bytes, type(None)))


def told(error: BaseException | None, depth: int = 3) -> Any:
    """An exception without its frames: what it holds beyond this is made of its arguments."""
    if error is None or not depth:
        return None
    return (
        type(error),
        message(error),
        tuple(map(described, error.args)),
        getattr(error, "__notes__", None),
        error.__suppress_context__,
        told(error.__cause__, depth - 1),
        told(error.__context__, depth - 1),
    )


class Glance(NamedTuple):
    """What a call shows at a glance."""

    result: Any
    identity: int | None
    error: Any
    records: list[Any]
    warnings: list[Any]
    arguments: Any


class Watch:
    """Hears all log records and warnings while it is open."""

    def __init__(self) -> None:
        self._recorder = Recorder(logging.DEBUG)
        self._warnings: list[Any] = []
        self._shared = False

    @contextlib.contextmanager
    def open(self, *, shared: bool) -> Iterator[None]:
        """Listens; `shared` ones give both sides the same arguments, which are large."""
        sky, root = logging.getLogger("sky"), logging.getLogger()
        handlers = sky.handlers[:]
        sky.handlers[:] = [self._recorder]
        root.addHandler(self._recorder)
        self._shared = shared
        try:
            with warnings.catch_warnings(record=True) as self._warnings:
                warnings.simplefilter("always")
                yield
        finally:
            root.removeHandler(self._recorder)
            sky.handlers[:] = handlers

    def glance(self, function: Callable[..., Any], given: Call) -> Glance:
        """Calls once."""
        args, kwargs = given.args, given.kwargs
        constant = CONSTANT.issuperset(map(type, args)) and (
            not kwargs or CONSTANT.issuperset(map(type, kwargs.values()))
        )
        if constant:
            return self._call(function, args, kwargs, ())
        if self._shared and not any(type(v) is Fresh for v in (*args, *kwargs.values())):
            values = (*args, *kwargs.values())
            before = short(values)
            seen = self._call(function, args, kwargs, ())
            after = short(values)
            return seen._replace(arguments=None if before == after else (before, after))
        with contextlib.ExitStack() as stack:
            args = tuple([made(value, stack) for value in args])
            kwargs = {key: made(value, stack) for key, value in kwargs.items()}
            return self._call(function, args, kwargs, (*args, *kwargs.values()))

    def _call(
        self, function: Callable[..., Any], args: Any, kwargs: Any, values: Sequence[Any]
    ) -> Glance:
        error = None
        identity = None
        try:
            result = function(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as caught:
            result = NOTHING
            error = told(caught)
        else:
            if type(result) not in (int, bool, type(None)):
                given = values or (*args, *kwargs.values())
                identity = next((i for i, v in enumerate(given) if v is result), None)
                if type(result) is str and len(result) < 2:
                    # Python keeps one object for each of them.
                    identity = None
        records, heard = self._recorder.records, self._warnings
        if records or heard:
            notes = [(w.category, str(w.message), w.filename, w.lineno) for w in heard]
            seen = list(records), notes
            records.clear()
            heard.clear()
        else:
            seen = [], []
        changed = [state_of(value) for value in values] if values else None
        if identity is not None and values:
            # Each side has arguments of its own.
            result = NOTHING
        return Glance(result, identity, error, *seen, changed)


def unlike(expected: Glance, actual: Glance) -> str | None:
    """In what two glances differ, None if in nothing."""
    if type(expected.result) is type(actual.result) and type(expected.result) in SIMPLE:
        # An error's description holds its type and its text.
        with contextlib.suppress(Exception):
            if expected == actual:
                return None
    # What a loader makes may hold itself. Rust never makes such things.
    with contextlib.suppress(RecursionError):
        return difference(expected._asdict(), actual._asdict())
    return None
