"""What of the tests applies to the installed SkyPilot, by the table of known releases.

A test is skipped for one reason only: `known_variants.py` says that this release hasn't the
function, or has it in a variant for which there is no native function. A function that is missing
or changed against that table is a failure.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import pytest

from sky_rs_patch._cli import fingerprints, skypilot_sources
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._runtime.virtual_module import _OWN as OWN

if TYPE_CHECKING:
    from sky_rs_patch._cli.fingerprints import Route
    from sky_rs_patch._cli.skypilot_sources import Skypilot


def parsed(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


@functools.cache
def skypilot() -> Skypilot:
    return skypilot_sources.installed()


def release() -> tuple[int, ...]:
    """The installed SkyPilot's."""
    return parsed(str(skypilot().version))


def is_newer_than_known() -> bool:
    """Nothing can be expected of a release that nobody has looked at."""
    return release() > max(parsed(last) for k in KNOWN.values() for _, _, last in k.values())


@functools.cache
def routes() -> dict[str, Route]:
    return {route.spec.target: route for route in fingerprints.survey(skypilot())}


def variants(name: str) -> set[str]:
    """The letters of a function in the installed release, by `known_variants.py`; one or none."""
    return {
        letter
        for letter, first, last in KNOWN[name].values()
        if parsed(first) <= release() <= parsed(last)
    }


def reason(target: str) -> str | None:
    """Why tests of a target don't apply; ``None`` if they do."""
    route = routes()[target]
    where = f"SkyPilot {skypilot().version}"
    if is_newer_than_known() and route.state != "served":
        return f"{where} is newer than all known ones: {target} {route.state}"
    if route.state == "absent" and not variants(target):
        return f"{where} has no {target}"
    if route.state == "unserved" and variants(target) == {route.functions[0].variant}:
        return f"{where}: {target}: {', '.join(route.causes)}"
    return None


def targets(name: str) -> list[str]:
    """All targets of that short name, those that don't apply included."""
    return [target for target in routes() if target.rpartition(".")[2] == name]


def applies(name: str) -> bool:
    """Whether a route of that short name applies; what is no target of any route does."""
    if name in OWN and all(routes()[target].state == "absent" for target in targets(name)):
        # The virtual module has this project's own original.
        return True
    reasons = [reason(target) for target in targets(name)]
    return not (reasons and all(reasons))


def require(name: str) -> None:
    """Skips the test, or the module, if no route of that short name applies."""
    if not applies(name):
        reasons = [reason(target) for target in targets(name)]
        pytest.skip("; ".join(map(str, reasons)), allow_module_level=True)
