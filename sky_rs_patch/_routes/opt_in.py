"""Routes that aren't exact in effect: off unless they are asked for by name.

``SKY_RS_ENABLE=NAME,NAME`` asks for them in a process and in its children,
``enable(opt_in=...)`` in one process alone. Both are looked at when proxies are put in.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sky_rs_patch._base import switch
from sky_rs_patch._routes.table import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE = "SKY_RS_ENABLE"
NAMES = tuple(route.opt_in.name for route in ROUTES if route.opt_in is not None)

#: What this process asked for with ``enable(opt_in=...)``.
chosen: frozenset[str] = frozenset()


def parse(value: str | None) -> frozenset[str]:
    """The names that a value of the variable asks for.

    Args:
        value: names with commas between them, spaces around them allowed; ``None`` if the
            variable isn't set. ``0``, ``false``, ``no`` and ``off`` ask for none.

    Raises:
        ValueError: if a name is unknown; the message says which there are.
    """
    if switch.is_off(value):
        return frozenset()
    names = (name.strip() for name in (value or "").split(","))
    return _known([name for name in names if name], f"{VARIABLE}={value!r}")


def check(names: Iterable[str]) -> frozenset[str]:
    """The same for ``enable(opt_in=...)``."""
    names = [names] if isinstance(names, str) else list(names)
    return _known(names, f"opt_in={names!r}")


def _known(names: list[str], given: str) -> frozenset[str]:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(
            f"{given}: no opt-in route is called {', '.join(map(repr, unknown))}: "
            f"use {', '.join(NAMES)}, several with commas between them, or unset it"
        )
    return frozenset(names)


def current() -> frozenset[str]:
    """What is asked for now; raises as `parse`."""
    return chosen | parse(os.environ.get(VARIABLE))
