"""Warning of the first declined call of a route, for those who set ``SKY_RS_WARN=1``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sky_rs_patch._base import switch

if TYPE_CHECKING:
    from sky_rs_patch._native import Route

VARIABLE = "SKY_RS_WARN"


def attach(route: Route) -> None:
    """Lets a new route say in the log when a call first goes to Python, if somebody wants that.

    What was asked for (the switch, ``disable``, a debugger) isn't worth a word.
    """
    if not switch.is_off(os.environ.get(VARIABLE)):
        route.on_first_decline(_warn)


def _warn(target: str, reason: str, problem: str | None) -> None:
    import logging

    logging.getLogger("sky_rs_patch").warning(
        "%s: a call went to Python: %s (said once a process; docs/reference.md lists the reasons)",
        target,
        problem if reason == "guard" and problem else reason,
    )
