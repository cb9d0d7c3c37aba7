"""``wrapt.FunctionWrapper`` without the rest of wrapt, until somebody imports that.

Proxies need wrapt's C extension alone; what wrapt has in Python takes most of the time that its
import takes. So the package stands unexecuted in ``sys.modules``, and the first look at anything
of it, which is what an import statement begins with, executes it, as ``importlib.util.LazyLoader``
does.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NAME = "wrapt"
_EXTENSION = "wrapt._wrappers"
#: What imports of submodules look at. Who holds the lock of one must not wait for another thread.
_OF_IMPORTS = frozenset({"__path__", "__spec__"})
#: Threads that see the package as it is: the one that imports the extension, and later the one that
#: executes the package.
_inside: set[int] = set()
_lock = threading.RLock()


def _after_fork() -> None:
    """Other threads stayed behind in the parent."""
    _lock._at_fork_reinit()  # type: ignore[attr-defined]
    _inside.intersection_update({threading.get_ident()})


os.register_at_fork(after_in_child=_after_fork)


class _Unexecuted(ModuleType):
    """The package before somebody has looked at it."""

    def __getattribute__(self, name: str) -> Any:
        if threading.get_ident() not in _inside:
            _execute(self, wait=name not in _OF_IMPORTS)
        return ModuleType.__getattribute__(self, name)


def _execute(module: _Unexecuted, *, wait: bool) -> None:
    if not _lock.acquire(blocking=wait):
        return
    try:
        # It may have been waited for.
        if type(module) is _Unexecuted:
            _inside.add(threading.get_ident())
            try:
                importlib.reload(module)
            finally:
                _inside.discard(threading.get_ident())
            module.__class__ = ModuleType  # type: ignore[assignment]
    finally:
        _lock.release()


def pass_through(
    wrapped: Callable[..., Any], instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> object:
    """What wrapt wants for calls that come through it; ours don't."""
    return wrapped(*args, **kwargs)


def function_wrapper() -> Any:
    """The type, of wrapt's C extension if there is one.

    Raises:
        Exception: whatever the import of wrapt raises.
    """
    if not _wait_with_package():
        import wrapt

        return wrapt.FunctionWrapper
    return sys.modules[_EXTENSION].FunctionWrapper


def _wait_with_package() -> bool:
    """Imports the extension without executing the package; says whether that could be done."""
    if _NAME in sys.modules or os.environ.get("WRAPT_DISABLE_EXTENSIONS"):
        return False
    spec = importlib.util.find_spec(_NAME)
    # Another kind of loader has something to do when the package is imported.
    if spec is None or type(spec.loader) is not importlib.machinery.SourceFileLoader:
        return False
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _Unexecuted
    _inside.add(threading.get_ident())
    try:
        if sys.modules.setdefault(_NAME, module) is not module:
            return False
        importlib.import_module(_EXTENSION)
    except ImportError:
        # wrapt does without it, or says itself what is wrong.
        if sys.modules.get(_NAME) is module and type(module) is _Unexecuted:
            for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
                del sys.modules[name]
        return False
    finally:
        _inside.discard(threading.get_ident())
    # The extension may have looked at the package in a way of its own.
    return type(module) is _Unexecuted
