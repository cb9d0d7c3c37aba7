"""``SKYPILOT_USE_RUST``: which values it may have, and what means off in every other variable.

The extension reads the same variable at each call (``rust/binding/src/switch.rs``); there a
value that is no switch value counts as off.
"""

from __future__ import annotations

import os

VARIABLE = "SKYPILOT_USE_RUST"
_ON = ("1", "true", "yes", "on")
_OFF = ("0", "false", "no", "off")


def is_off(value: str | None) -> bool:
    """Whether a variable of this project isn't set, or has a value that switches it off."""
    return not value or value.lower() in _OFF


def is_on(value: str | None) -> bool:
    """Whether it has a value that switches it on."""
    return value is not None and value.lower() in _ON


def parse(value: str | None) -> bool:
    """Tells whether a value of the variable means Rust.

    Args:
        value: the variable's value, ``None`` if it isn't set.

    Returns:
        True for ``1/true/yes/on`` in any case and for ``None``, False for ``0/false/no/off`` and
        for nothing.

    Raises:
        ValueError: for anything else; the message names the value.
    """
    if value is None or is_on(value):
        return True
    if is_off(value):
        return False
    raise ValueError(
        f"{VARIABLE}={value!r} is not a switch value: "
        f"use one of {', '.join(_ON + _OFF)}, or unset it"
    )


def current() -> bool:
    """Parses the variable's present value; raises as `parse`."""
    return parse(os.environ.get(VARIABLE))
