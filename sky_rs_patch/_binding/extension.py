"""The extension, if there is one that fits this interpreter."""

from __future__ import annotations

import os
import sys

from sky_rs_patch._base import interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


class Extension:
    """The extension's module, or why there is none."""

    def __init__(self, module: ModuleType | None, problem: str | None) -> None:
        self.module = module
        self.problem = problem


_loaded: Extension | None = None


def load() -> Extension:
    """Imports the extension once; a failure is described, not raised."""
    global _loaded
    if _loaded is None:
        _loaded = _load()
    return _loaded


def _load() -> Extension:
    unfit = _unfit_interpreter()
    if unfit is not None:
        return Extension(None, unfit)
    try:
        from sky_rs_patch import _native
    except ImportError as error:
        return Extension(None, f"the extension can't be loaded: {error}{_hint()}")
    except BaseException as error:
        if not interrupts.is_failure(error):
            raise
        return Extension(None, f"the extension failed to start: {type(error).__name__}: {error}")
    # os.environ may have been replaced, by a test or by SkyPilot's contextual one; the switch
    # is the process's own, and this is the same dictionary.
    data = getattr(os.environb, "_data", None)
    if isinstance(data, dict):
        _native.watch_environment(data)
    return Extension(_native, None)


def _unfit_interpreter() -> str | None:
    """Why the extension must not even be imported here, or ``None``."""
    # Where the GIL may be switched off, importing it would switch the GIL on for the whole program.
    if "t" in sys.abiflags:
        return "free-threaded builds of Python aren't supported: it keeps its state under the GIL"
    # PyO3 gives a module to the first interpreter that asks, and then to none of the others.
    if not _is_main_interpreter():
        return "subinterpreters aren't supported: only the main interpreter is served"
    return None


def _is_main_interpreter() -> bool:
    import _thread

    ask = getattr(_thread, "_is_main_interpreter", None)
    if ask is not None:
        return bool(ask())
    # Up to Python 3.11 only the module that makes them can tell.
    try:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]
    except ImportError:
        return True
    return bool(interpreters.get_current() == interpreters.get_main())


def panics() -> list[str]:
    """The first panics of this process, with where they happened: each is a defect of ours."""
    module = load().module
    return module.panics() if module is not None else []


def _hint() -> str:
    """Names extensions that were built for other interpreters, if that is the trouble."""
    wanted = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    try:
        names = os.listdir(os.path.dirname(os.path.dirname(__file__)))
        from sky_rs_patch._base import source_folder
    except (ImportError, OSError):
        # There may be no descriptor left to look with.
        return ""
    found = sorted(name for name in names if name.startswith("_native") and name.endswith(".so"))
    problem = source_folder.problem()
    if not found and problem is not None:
        return f"; {problem}"
    if not found:
        return "; sky_rs_patch was installed without it: reinstall the wheel for this Python"
    if not any(wanted in name for name in found):
        return f"; found {', '.join(found)}, but this interpreter needs a build for {wanted}"
    return ""


def build_info() -> dict[str, str]:
    """How the extension was built; empty without one."""
    module = load().module
    return dict(module.build_info()) if module is not None else {}
