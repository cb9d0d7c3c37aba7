"""SkyPilot's utilities served by Rust, in place.

Everything here is loaded when it is first asked for: an interpreter that was only switched on
for SkyPilot must start as fast as any other.

In an activated environment it is imported before pytest, which would warn that it comes too late to
rewrite assertions here, without this word: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from sky_rs_patch._base.names import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sky_rs_patch._api import (
        disable,
        enable,
        enabled,
        fingerprint,
        register,
        status,
        unregister,
    )

__all__ = (
    "__version__",
    "disable",
    "enable",
    "enabled",
    "fingerprint",
    "register",
    "status",
    "unregister",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        from sky_rs_patch import _api

        value = getattr(_api, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
