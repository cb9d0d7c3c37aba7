"""``release_memory`` at the cost of what a request left behind; ``docs/release-memory.md``.

The original's own code runs. Only its ``gc.collect()`` becomes a collection that passes over the
objects that survived the last full one; what these leave behind stays until the next full one.
This is not exact in effect, so the route must be asked for.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import time
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

from sky_rs_patch._binding import extension

if TYPE_CHECKING:
    from sky_rs_patch._native import Freezer

#: A full collection at least once in so many calls, ...
MAX_CALLS = 100
#: ... at the first call after so many seconds, ...
MAX_SECONDS = 60.0
#: ... and as soon as this share of what was left by the last one has been added and stays.
MAX_GROWTH = 0.25


#: A count of references that an object has if it is immortal, or more (CPython 3.12 on).
_IMMORTAL = 0x3FFF_FFFF
_HEAP_TYPE = 1 << 9


def _others_have_frozen() -> bool:
    """Whether somebody else has used `gc.freeze`."""
    count = gc.get_freeze_count()
    return count > 0 and count > _immortal()


def _immortal() -> int:
    """How many objects CPython 3.12 itself may have put among the frozen.

    A collection there moves the immortal ones to them: the tuples of bases of the types that are
    made in C.
    """
    found, left = {}, [object]
    while left:
        cls = left.pop()
        for held in (cls.__mro__, cls.__bases__):
            if sys.getrefcount(held) >= _IMMORTAL:
                found[id(held)] = held
        below = type.__subclasses__(cls)
        left += [each for each in below if not each.__flags__ & _HEAP_TYPE]
    return len(found)


class Policy:
    """What each call collects.

    Attributes:
        problem: why the original runs instead for good; ``None`` as long as it needn't.
        full: how many full collections this policy made.
        partial: how many that passed over the frozen objects.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.full = self.partial = 0
        self._lock = threading.Lock()
        self._freezer: Freezer | None = None
        self._withdrawn = False
        self._frozen = self._calls = 0
        self._since = 0.0

    def serve(self, call: Callable[[], object]) -> object:
        """Makes a call for which `collect` stands in; ``NotImplemented`` if it must not."""
        lock = self._lock
        # Another thread is at it, or the call comes from a finalizer in the midst of it.
        if not lock.acquire(blocking=False):
            return NotImplemented
        try:
            self.problem = self.problem or self._look()
            return NotImplemented if self.problem or self._withdrawn else call()
        finally:
            lock.release()

    def withdraw(self) -> None:
        """Undoes what calls have left in the process."""
        self._withdrawn = True
        freezer = self._freezer
        if freezer is not None:
            freezer.unfreeze()
            gc.callbacks[:] = [callback for callback in gc.callbacks if callback is not freezer]
            atexit.unregister(freezer.unfreeze)

    def _look(self) -> str | None:
        freezer = self._freezer
        if freezer is None:
            if _others_have_frozen():
                return "somebody else uses gc.freeze()"
            self._freezer = freezer = self._make_freezer()
        elif not any(callback is freezer for callback in gc.callbacks):
            freezer.unfreeze()
            return "gc.callbacks was changed elsewhere"
        elif freezer.meddling is None and not freezer.is_frozen and _others_have_frozen():
            return "somebody else uses gc.freeze()"
        return freezer.meddling

    def _make_freezer(self) -> Freezer:
        native = extension.load().module
        assert native is not None, "there are no routes without the extension"
        freezer: Freezer = native.Freezer()
        gc.callbacks.append(freezer)
        # Finalizers at the end of the process run as they would.
        atexit.register(freezer.unfreeze)
        os.register_at_fork(after_in_child=self._unlock)
        return freezer

    def _unlock(self) -> None:
        # Whoever held the lock is no thread of a forked child.
        self._lock = threading.Lock()

    def collect(self) -> None:
        """Collects; what the original calls in the place of ``gc.collect``."""
        freezer = self._freezer
        assert freezer is not None
        if freezer.is_frozen:
            self._calls += 1
            elapsed = time.monotonic() - self._since
            if self._calls < MAX_CALLS and elapsed < MAX_SECONDS:
                self.partial += 1
                added = freezer.collect()
                if freezer.meddling is not None or added <= MAX_GROWTH * self._frozen:
                    return
            freezer.unfreeze()
        self.full += 1
        left = freezer.collect()
        if freezer.meddling is None:
            self._since = time.monotonic()
            self._calls = 0
            self._frozen = left
            freezer.freeze()
            if self._withdrawn:
                freezer.unfreeze()


_policy = Policy()


def make(original: FunctionType) -> Callable[..., Any]:
    """Makes what stands in for an original."""
    code, name = original.__code__, original.__name__

    def release_memory(*args: Any, **kwargs: Any) -> Any:
        policy = _policy
        # As it is now: the function finds its logger and all else there.
        namespace = {**original.__globals__, "gc": SimpleNamespace(collect=policy.collect)}
        return policy.serve(lambda: FunctionType(code, namespace, name)(*args, **kwargs))

    return release_memory


def withdraw() -> None:
    """Undoes what the calls have left in the process; later ones start anew."""
    global _policy
    old, _policy = _policy, Policy()
    old.withdraw()


def problem() -> str | None:
    """Why the original runs although the route is there, if so."""
    return _policy.problem
