"""What one route is called with by each suite that calls every route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuzz.descriptions import Description
    from one_call import Call


class RouteCases(NamedTuple):
    """The calls of a route, all but its sample, which the product has itself (`RouteSpec.sample`).

    What a suite makes arguments of, it hands over (``m``): the cases import none of the suites, and
    nothing is made before it is needed.

    Attributes:
        name: the function's.
        guards: calls that together reach everything the original reads, for `guard_cases`.
        memory: calls for valgrind, answered and declined ones, given `memory_calls.Material`.
        hot: what a call is like -> arguments, of those whose instructions are counted; given
            `instructions.Material`.
        fuzz: how the fuzz runner makes calls, given `fuzz.descriptions`.
        inputs: parameter -> strategy, of calls that Rust must answer, given `strategies`.
        odd: parameter -> strategy, of what else somebody may pass, given `strategies`.
        mutants: label -> makes a wrong candidate of the original, each right for most inputs.
    """

    name: str
    guards: Callable[[], tuple[Call, ...]]
    memory: Callable[[Any], list[tuple[Any, ...]]] | None = None
    hot: Callable[[Any], Mapping[str, tuple[Any, ...]]] | None = None
    fuzz: Callable[[Any], Description] | None = None
    inputs: Callable[[Any], Mapping[str, Any]] | None = None
    odd: Callable[[Any], Mapping[str, Any]] | None = None
    mutants: Mapping[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {}
