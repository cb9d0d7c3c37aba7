"""A call that can be made again: its arguments and its surroundings are made for each time."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Fresh:
    """An argument, or a surrounding, that each side gets newly made.

    The factory is given an `ExitStack` for what must be cleaned up after the call.
    """

    def __init__(self, label: str, factory: Callable[[contextlib.ExitStack], Any]) -> None:
        self.label = label
        self.factory = factory

    def __repr__(self) -> str:
        return self.label


class Call(NamedTuple):
    """One call, as often as needed.

    Attributes:
        args: positional arguments; `Fresh` ones and mutable containers are made anew each time.
        kwargs: keyword arguments, alike.
        around: context managers, each a `Fresh` or `None`, that are entered before the call.
        log_level: level from which records are handled; None for SkyPilot's own handler.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    around: tuple[Fresh, ...] = ()
    log_level: int | None = logging.DEBUG

    def __repr__(self) -> str:
        parts = [short(value) for value in self.args]
        parts += [f"**{{{key!r}: {short(value)}}}" for key, value in self.kwargs.items()]
        text = f"({', '.join(parts)})"
        if self.around:
            text += f" within {list(self.around)!r}"
        if self.log_level != logging.DEBUG:
            text += f" with records from level {self.log_level}"
        return text


def call(*args: Any, **kwargs: Any) -> Call:
    """A plain call."""
    return Call(args, kwargs)


def short(value: Any) -> str:
    """A representation for messages that fits a line or two."""
    if type(value) in (str, bytes) and len(value) > 400:
        return f"{value[:160]!r}…{value[-80:]!r} (length {len(value)})"
    try:
        text = repr(value)
    except ValueError:
        # An integer of more digits than Python prints, or something with such a one in it.
        size = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        return f"<{type(value).__qualname__}{size}>"
    return text if len(text) <= 2000 else f"{text[:1500]}…{text[-300:]}"


# Values of odd types


class OddStr(str):
    __slots__ = ()


class OddInt(int):
    pass


class OddFloat(float):
    pass


class OddBytes(bytes):
    pass


class Watched:
    """Remembers what was asked of it, so that being asked twice shows."""

    def __init__(self, answer: Any) -> None:
        self.asked: list[str] = []
        self.answer = answer

    def _tell(self, name: str) -> Any:
        self.asked.append(name)
        return self.answer

    def __index__(self) -> int:
        return self._tell("index")

    def __fspath__(self) -> Any:
        return self._tell("fspath")

    def __float__(self) -> float:
        return self._tell("float")

    def __str__(self) -> str:
        return self._tell("str")

    def __len__(self) -> int:
        return self._tell("len")

    def __bool__(self) -> bool:
        return self._tell("bool")

    def lower(self) -> Any:
        return self._tell("lower")

    def is_integer(self) -> Any:
        return self._tell("is_integer")

    def __le__(self, other: object) -> bool:
        return self._tell("le")

    def __gt__(self, other: object) -> bool:
        return self._tell("gt")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.answer == self.answer

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Watched({self.answer!r})"


# Surroundings


def environment(**variables: str | bytes | None) -> Fresh:
    """Environment variables; None takes one away."""

    @contextlib.contextmanager
    def set_them() -> Iterator[None]:
        before = {name: os.environb.get(name.encode()) for name in variables}

        def put(values: dict[str, Any]) -> None:
            for name, value in values.items():
                if value is None:
                    os.environ.pop(name, None)
                elif isinstance(value, bytes):
                    os.environb[name.encode()] = value
                else:
                    os.environ[name] = value

        put(variables)
        try:
            yield
        finally:
            put(before)

    return Fresh(f"environment({variables!r})", lambda _: set_them())


def limit(name: str, soft: int) -> Fresh:
    """A lower soft limit of this process, such as RLIMIT_NOFILE."""
    import resource

    number = getattr(resource, name)

    @contextlib.contextmanager
    def lower() -> Iterator[None]:
        before, hard = resource.getrlimit(number)
        resource.setrlimit(number, (soft, hard))
        try:
            yield
        finally:
            resource.setrlimit(number, (before, hard))

    return Fresh(f"limit({name}, {soft})", lambda _: lower())


@contextlib.contextmanager
def _as_nobody() -> Iterator[None]:
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


#: For root, who may do everything otherwise; anybody else is nobody enough.
unprivileged = Fresh(
    "unprivileged",
    lambda _: _as_nobody() if os.geteuid() == 0 else contextlib.nullcontext(),
)


def setting(module: str, name: str, value: Any) -> Fresh:
    """A module's global, set before the call."""

    @contextlib.contextmanager
    def put() -> Iterator[None]:
        namespace = vars(sys.modules[module])
        before = namespace[name]
        namespace[name] = value
        try:
            yield
        finally:
            namespace[name] = before

    return Fresh(f"setting({module}.{name} = {value!r})", lambda _: put())


@functools.cache
def scratch() -> Path:
    """A directory for the files of the tests, which is gone when they end."""
    directory = tempfile.mkdtemp(prefix="sky-rs-patch-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    # Also for tests that run as nobody.
    os.chmod(directory, 0o755)  # noqa: PTH101
    return Path(directory)
