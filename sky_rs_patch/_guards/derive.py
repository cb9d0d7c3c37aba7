"""Resolvers of guards: functions that derive what an original relies on from its code.

A route asks its resolver at the first call, and again when a problem may be gone. The resolver
fills a `GuardBuilder`, by whose description the extension compares identities at each call.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Callable

from sky_rs_patch._base import interrupts
from sky_rs_patch._binding import extension
from sky_rs_patch._guards.baseline import PRISTINE
from sky_rs_patch._guards.genuine import FOLLOWED, root_of
from sky_rs_patch._guards.walk import Suspect, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FunctionType

    from sky_rs_patch._native import GuardBuilder

#: Where an error is raised the original has been called already.
ONLY_IN_ERRORS = frozenset({"ux_utils", "warnings", "debug"})


def resolver(
    original: FunctionType,
    *,
    reads: Iterable[str] = (),
    unread: frozenset[str] = frozenset(),
    context: Iterable[str] = (),
    precondition: Callable[[], str | None] | None = None,
    examine: Callable[[Walk, FunctionType], tuple[object, ...]] | None = None,
) -> Callable[[], GuardBuilder]:
    """Makes the function that derives an original's guards when they are first needed.

    Args:
        original: the function that a route serves.
        reads: dotted names that it depends on and that its code doesn't show.
        unread: global names in its code that no call that returns reads.
        context: names of the objects that the native function works with.
        precondition: says what keeps the route from being served, or None.
        examine: takes the walk further, and returns more objects for the native function.

    Returns:
        The resolver for the extension's ``Route``.
    """
    reads, context = tuple(reads), tuple(context)
    native = extension.load().module
    assert native is not None
    make_builder: Callable[[], GuardBuilder] = native.GuardBuilder

    def resolve() -> GuardBuilder:
        guards = make_builder()
        if _refuse_changed_builtin(guards):
            # What follows works with them, and a mock would tell of calls that nobody made.
            return guards
        walk = Walk(guards, FOLLOWED, unread, root_of(original.__globals__))
        problem: str | None = None
        try:
            walk.function(original)
            for name in reads:
                walk.dotted(name)
            problem = precondition() if precondition is not None else None
            objects = () if problem else tuple(_evaluate(name, original) for name in context)
            if examine is not None:
                # In any case: what it watches tells when the problem may be gone.
                objects += examine(walk, original)
            if not problem:
                walk.judge()
        except Suspect as suspect:
            problem, objects = problem or str(suspect), ()
        except Exception as error:
            if not interrupts.is_failure(error):
                raise
            # What was seen so far is watched, and a change there is a reason to try again.
            problem, objects = problem or f"the guards can't be derived: {error!r}", ()
        guards.set_context(objects)
        if problem:
            guards.refuse(problem)
        return guards

    return resolve


#: Builtins as they were at the start, but for those that programs like to replace.
_BUILTINS = tuple(
    (name, value)
    for name, value in (PRISTINE.builtins.items() if PRISTINE is not None else ())
    if name not in ("copyright", "credits", "exit", "help", "input", "license", "open", "print")
    and name not in ("quit", "_", "__spec__", "__loader__")
)
_NAMESPACE = vars(builtins)


def _refuse_changed_builtin(guards: GuardBuilder) -> bool:
    """Refuses if a builtin is another now, and says whether it did. No builtin is called."""
    for name, value in _BUILTINS:
        if name not in _NAMESPACE or _NAMESPACE[name] is not value:
            label = f"builtins.{name}"
            guards.expect(_NAMESPACE, name, value, label)
            guards.refuse(f"{label} was replaced")
            return True
    return False


def _evaluate(name: str, original: FunctionType) -> object:
    """An object that a native function works with, named as the original would name it."""
    if name == "globals()":
        return original.__globals__
    if name.startswith("import:"):
        module, _, attribute = name[len("import:") :].rpartition(".")
        return getattr(__import__(module, fromlist=[attribute]), attribute)
    value: object = original.__globals__[name.partition(".")[0]]
    for attribute in name.split(".")[1:]:
        value = getattr(value, attribute)
    return value
