"""Sample calls: each route's own, through the proxy, compared with what the original gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from sky_rs_patch._base import interrupts
from sky_rs_patch._bench.timing import variables
from sky_rs_patch._routes.registry import registry
from sky_rs_patch._routes.spec import RouteSpec
from sky_rs_patch._runtime import table

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exercised(NamedTuple):
    """What a sample call came to.

    Attributes:
        answered: whether Rust answered it.
        problem: what is wrong, ``None`` if Rust answered as the original does.
    """

    answered: bool
    problem: str | None


def exercise(targets: Iterable[str]) -> dict[str, Exercised]:
    """Makes the sample calls of routes that stand.

    Args:
        targets: dotted names. Registered routes have no sample, and are left out.
    """
    standing = {entry.target: entry.proxy for entry in table.installed()}
    results = {}
    for target in targets:
        spec = registry.get(target)
        if not isinstance(spec, RouteSpec):
            continue
        proxy = standing.get(target)
        if proxy is None:
            results[target] = Exercised(False, "there is no proxy")
            continue
        with (
            tempfile.TemporaryDirectory(prefix="sky-rs-sample-") as folder,
            variables(spec.sample.environment),
        ):
            results[target] = _one(spec, proxy, Path(folder))
    return results


def _one(spec: RouteSpec, proxy: Any, folder: Path) -> Exercised:
    try:
        arguments = spec.sample.make(folder)
    except Exception as error:
        if not interrupts.is_failure(error):
            raise
        return Exercised(False, f"its sample call can't be made: {_named(error)}")
    route = proxy._self_route
    expected = _outcome(route.original, arguments)
    before = route.counts()
    found = _outcome(proxy, arguments)
    after = route.counts()
    again = _outcome(route.original, arguments)
    if after[0] == before[0]:
        reasons = [reason for reason, count in after[2].items() if count > before[2].get(reason, 0)]
        why = ", ".join(reasons) or "nobody says why"
        if reasons == ["guard"]:
            why = route.guard_problem() or why
        return Exercised(False, f"declined: {why}")
    # An opt-in route isn't exact in effect, and malloc_trim says what it finds.
    exact = spec.opt_in is None
    if any(_are_alike(found, one, exact=exact) for one in (expected, again)):
        return Exercised(True, None)
    return Exercised(True, f"it gives {_shown(found)}, the original {_shown(expected)}")


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "returned", function(*arguments)
    except Exception as error:
        if not interrupts.is_failure(error):
            raise
        return "raised", error


def _are_alike(one: tuple[str, Any], other: tuple[str, Any], *, exact: bool) -> bool:
    if one[0] != other[0] or type(one[1]) is not type(other[1]):
        return False
    if one[0] == "raised":
        return str(one[1]) == str(other[1])
    return _is_same(one[1], other[1]) if exact else True


def _is_same(one: Any, other: Any) -> bool:
    """Whether two results are of the same types and values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(_is_same, one.values(), other.values()))
    if hasattr(one, "hexdigest"):
        return (one.name, one.hexdigest()) == (other.name, other.hexdigest())
    return bool(one == other)


def _shown(outcome: tuple[str, Any]) -> str:
    text = _named(outcome[1]) if outcome[0] == "raised" else repr(outcome[1])
    return text if len(text) <= 80 else f"{text[:77]}..."


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
