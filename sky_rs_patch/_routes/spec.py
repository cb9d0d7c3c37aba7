"""The declaration of a route: which original, which native function, what it reads."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import FunctionType

    from sky_rs_patch._guards.walk import Walk


class OptIn(NamedTuple):
    """What makes a route one that isn't exact in effect, and has to be asked for.

    Attributes:
        name: what it is asked for by; see ``opt_in.py``.
        document: where it is written in what it isn't exact.
        make: makes what answers, from the original. Its exceptions are the call's.
        withdraw: undoes what the calls have left in the process.
        problem: why the original runs for good although the route is there, or ``None``.
    """

    name: str
    document: str
    make: Callable[[FunctionType], Callable[..., Any]]
    withdraw: Callable[[], None]
    problem: Callable[[], str | None]


class Sample(NamedTuple):
    """A call that the native function answers wherever the route is served.

    Attributes:
        arguments: its arguments, or what makes them in an empty directory.
        environment: variables that are set meanwhile.
    """

    arguments: tuple[Any, ...] | Callable[[Path], tuple[Any, ...]] = ()
    environment: Mapping[str, str] = MappingProxyType({})

    def make(self, folder: Path) -> tuple[Any, ...]:
        """The arguments."""
        return self.arguments if isinstance(self.arguments, tuple) else self.arguments(folder)


class RouteSpec(NamedTuple):
    """A route before its target is known to exist.

    Attributes:
        target: dotted name of the SkyPilot function.
        natives: variant letter of the original (see ``known_variants.py``) -> native function.
        sample: what ``status --exercise`` calls.
        answers: which calls the native function answers; a cell of the table in
            ``docs/routes.md``.
        declines: which ones it hands back to the original; alike.
        callees: functions of the same module that the native function covers as well, each
            with the letters of those variants for which it does.
        context: names, as the original's module sees them, of objects that the native function
            works with, in its order; ``globals()`` is the module's dictionary.
        reads: dotted names that the original reads beyond what its code shows.
        elsewhere: the same for functions of other SkyPilot modules, by their dotted names; not
            every release has all of them.
        precondition: says what about this machine or these libraries the native function can't
            vouch for, or ``None``.
        examine: watches, beyond that, what no code shows, and returns further objects for
            ``context``; raises ``Suspect`` if something was replaced.
        pure: a call has no effects but its result.
        opt_in: there is no native function; the variants are those that `OptIn.make` takes.
    """

    target: str
    natives: Mapping[str, str]
    sample: Sample
    answers: str
    declines: str
    callees: Mapping[str, str] = MappingProxyType({})
    context: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = MappingProxyType({})
    precondition: Callable[[], str | None] | None = None
    examine: Callable[[Walk, FunctionType], tuple[object, ...]] | None = None
    pure: bool = True
    opt_in: OptIn | None = None
