"""``sky.utils.rust_fallback``: a module that exists while the hook is installed.

It offers the twelve functions under one roof, each with its Python original as ``_python_NAME``,
for code that imports them from there.
"""

from __future__ import annotations

import functools
import platform
from typing import TYPE_CHECKING, Any, Callable

from sky_rs_patch._base import switch
from sky_rs_patch._base.names import VIRTUAL_MODULE, __version__
from sky_rs_patch._binding import extension
from sky_rs_patch._contracts import preconditions
from sky_rs_patch._guards import derive
from sky_rs_patch._guards.baseline import PRISTINE

if TYPE_CHECKING:
    from types import FunctionType, ModuleType

_COMMON = (
    "read_last_n_lines",
    "hash_file",
    "find_free_port",
    "base36_encode",
    "format_float",
    "truncate_long_string",
    "get_cpu_count",
    "get_mem_size_gb",
)
_SUBPROCESS = ("get_parallel_threads", "is_process_alive")
#: Functions of which this project has an original of its own, and what the guards must know.
_OWN: dict[str, tuple[tuple[str, ...], Callable[[], str | None] | None]] = {
    "estimate_fd_for_directory": ((), None),
    "is_process_alive": (preconditions.PSUTIL_ALIVE_READS, preconditions.known_psutil),
}
NAMES = (*_COMMON, *_SUBPROCESS, "get_max_workers_for_file_mounts", "estimate_fd_for_directory")


def populate(module: ModuleType) -> None:
    """Fills the virtual module."""
    from sky.utils import common_utils, subprocess_utils

    module.__doc__ = "SkyPilot's utilities with a Rust backend; made by sky_rs_patch."
    namespace = vars(module)
    for home, names in ((common_utils, _COMMON), (subprocess_utils, _SUBPROCESS)):
        for name in names:
            # Not every SkyPilot has all of them.
            function = vars(home).get(name)
            if function is not None:
                _offer(namespace, name, function)
    for name in _OWN:
        if name not in namespace:
            _offer(namespace, name, _routed_own(name))
    workers = vars(subprocess_utils).get("get_max_workers_for_file_mounts")
    if workers is not None:
        _offer(namespace, "get_max_workers_for_file_mounts", workers)
        namespace["get_max_workers_for_file_mounts"] = _with_estimate(
            workers,
            lambda cloud: subprocess_utils.get_parallel_threads(cloud),  # noqa: PLW0108
        )
    namespace["is_rust_available"] = is_rust_available
    namespace["get_backend_info"] = get_backend_info
    namespace["__all__"] = [
        *(name for name in NAMES if name in namespace),
        "is_rust_available",
        "get_backend_info",
    ]
    namespace["__getattr__"] = _missing


def _offer(namespace: dict[str, Any], name: str, function: Any) -> None:
    namespace[name] = function
    namespace[f"_python_{name}"] = getattr(function, "__wrapped__", function)


@functools.cache
def _routed_own(name: str) -> Any:
    """The proxy of an original of ours: one for the process, whoever imports the module anew."""
    from sky_rs_patch._routes import originals

    original: FunctionType = getattr(originals, name)
    native = extension.load().module
    if native is None:
        return original
    from sky_rs_patch._binding import proxies
    from sky_rs_patch._runtime import installer

    PRISTINE.add((originals.__name__, "psutil", "psutil._common", "psutil._pslinux"))
    # Pickle looks a function up where it says that it is.
    original.__module__ = VIRTUAL_MODULE
    reads, precondition = _OWN[name]
    resolver = derive.resolver(
        original, reads=reads, unread=derive.ONLY_IN_ERRORS, precondition=precondition
    )
    route = native.Route(f"{VIRTUAL_MODULE}.{name}", original, name, resolver)
    installer.add_elsewhere(route)
    return proxies.kind().cls(route)


def _with_estimate(workers: Any, threads: Callable[[Any], int]) -> Any:
    """Adds the keyword form: numbers of sources and files in the place of the sources."""
    from sky_rs_patch._routes import originals

    @functools.wraps(workers)
    def get_max_workers_for_file_mounts(
        common_file_mounts: dict[str, str] | None = None,
        cloud_str: str | None = None,
        *,
        num_sources: int | None = None,
        estimated_files_per_source: int | None = None,
    ) -> Any:
        if num_sources is None and estimated_files_per_source is None:
            if common_file_mounts is None:
                return workers(cloud_str=cloud_str)
            return workers(common_file_mounts, cloud_str)
        if common_file_mounts is not None:
            raise TypeError(
                "get_max_workers_for_file_mounts takes common_file_mounts, or num_sources and "
                "estimated_files_per_source, not both"
            )
        if num_sources is None or estimated_files_per_source is None:
            missing = "num_sources" if num_sources is None else "estimated_files_per_source"
            raise TypeError(f"get_max_workers_for_file_mounts: {missing} is missing")
        return originals.max_workers_for_estimate(
            num_sources, estimated_files_per_source, threads(cloud_str)
        )

    get_max_workers_for_file_mounts.__module__ = VIRTUAL_MODULE
    return get_max_workers_for_file_mounts


def is_rust_available() -> bool:
    """Tells whether calls may be answered by Rust: the extension loads and the switch is on."""
    if extension.load().module is None:
        return False
    try:
        return switch.current()
    except ValueError:
        return False


def get_backend_info() -> dict[str, Any]:
    """Tells what answers calls.

    Returns:
        ``backend`` (``rust`` or ``python``), ``version`` of this project, ``build`` (profile,
        commit and compiler of the extension; empty without one) and ``platform``.
    """
    return {
        "backend": "rust" if is_rust_available() else "python",
        "version": __version__,
        "build": extension.build_info(),
        "platform": platform.platform(),
    }


def _missing(name: str) -> object:
    plain = name[len("_python_") :] if name.startswith("_python_") else name
    if plain in NAMES:
        from sky_rs_patch._runtime import status

        raise AttributeError(
            f"sky.utils.rust_fallback has no {name}: "
            f"SkyPilot {status._skypilot_version()} has no {plain}"
        )
    raise AttributeError(f"module 'sky.utils.rust_fallback' has no attribute {name!r}")
