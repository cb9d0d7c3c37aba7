"""Obstacle to routing in this process: a missing extension, or an unusable wrapt."""

from __future__ import annotations

import functools

from sky_rs_patch._binding import extension


@functools.cache
def obstacle() -> str | None:
    """Why nothing can be routed in this process; ``None`` if everything is there."""
    loaded = extension.load()
    if loaded.module is None:
        return loaded.problem or "there is no extension"
    try:
        # Imports wrapt, which may be broken.
        from sky_rs_patch._binding import proxies

        proxies.kind()
    except Exception as error:
        return f"wrapt can't be used: {type(error).__name__}: {error}"
    return None
