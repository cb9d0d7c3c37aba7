"""The routes that are known: ours, registered ones, and those of installed packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from sky_rs_patch._base import interrupts
from sky_rs_patch._base.names import ENTRY_POINT_GROUP
from sky_rs_patch._binding import entry_points as _entry_points
from sky_rs_patch._routes.spec import RouteSpec
from sky_rs_patch._routes.table import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Loaded(NamedTuple):
    """A candidate, or why there is none."""

    candidate: Callable[..., Any] | None
    problem: str | None


class RegisteredRoute:
    """A route with somebody else's candidate.

    Attributes:
        target: dotted name of the function to route.
        fingerprints: the original's code must have one of these; empty accepts any code.
        reads: dotted names that the original reads beyond what its code shows.
        source: where the registration came from, for the status.
        pure: whether a call has no effects but its result.
        raises: whether the candidate's exceptions are the call's.
        registrar: name and file of the module that called `register`.
    """

    def __init__(
        self,
        target: str,
        candidate: Callable[[], Callable[..., Any]],
        fingerprints: Iterable[str],
        reads: Iterable[str],
        source: str,
        *,
        pure: bool = False,
        raises: bool = False,
        registrar: tuple[str | None, str | None] | None = None,
    ) -> None:
        self.target = target
        self._candidate = candidate
        self._loaded: Loaded | None = None
        self.fingerprints = frozenset(fingerprints)
        self.reads = tuple(reads)
        self.source = source
        self.pure = pure
        self.raises = raises
        self.registrar = registrar

    def load(self) -> Loaded:
        """Gets at the candidate, once: an entry point's has to be imported."""
        if self._loaded is None:
            try:
                candidate = self._candidate()
            except BaseException as error:
                if not interrupts.is_failure(error):
                    raise
                self._loaded = Loaded(None, f"{self.source}: {type(error).__name__}: {error}")
            else:
                problem = None if callable(candidate) else f"{self.source}: it can't be called"
                self._loaded = Loaded(None if problem else candidate, problem)
        return self._loaded


AnyRoute = Union[RouteSpec, RegisteredRoute]


class Registry:
    """Routes by target. A registered route goes before one of ours if it says so."""

    def __init__(self) -> None:
        self._own: dict[str, RouteSpec] = {route.target: route for route in ROUTES}
        self._registered: dict[str, RegisteredRoute] = {}
        self._entry_points_loaded = False
        #: Entry points that could not be used, and why.
        self.problems: dict[str, str] = {}

    def add(self, route: RegisteredRoute, *, replace: bool) -> None:
        """Adds a route.

        Raises:
            ValueError: if the target isn't a dotted name, or has a route and ``replace`` isn't
                given.
        """
        module, _, function = route.target.rpartition(".")
        parts = [*module.split("."), function]
        if not module or not all(part.isidentifier() for part in parts):
            raise ValueError(
                f"{route.target!r} is not the dotted name of a function in a module, "
                "like 'package.module.function'"
            )
        if not replace and self.get(route.target) is not None:
            raise ValueError(
                f"{route.target} has a route already; pass replace=True to put yours in its place"
            )
        self._registered[route.target] = route

    def remove(self, target: str) -> None:
        """Removes a registered route; one of ours comes back if there is one.

        Raises:
            KeyError: if none is registered for the target.
        """
        if target not in self._registered:
            raise KeyError(f"no route is registered for {target!r}")
        del self._registered[target]

    def own(self, target: str) -> RouteSpec:
        """This project's own route of a target that has one, whatever is registered for it."""
        return self._own[target]

    def get(self, target: str) -> AnyRoute | None:
        """The route of a target."""
        return self._registered.get(target) or self._own.get(target)

    def targets(self) -> list[str]:
        """All targets, ours first."""
        registered = list(self._registered)
        return [*self._own, *(target for target in registered if target not in self._own)]

    def in_module(self, module: str) -> Iterator[tuple[str, AnyRoute]]:
        """The routes whose targets are functions of a module."""
        for target in self.targets():
            route = self.get(target)
            if target.rpartition(".")[0] == module and route is not None:
                yield target, route

    def modules(self) -> set[str]:
        """The modules of all targets."""
        return {target.rpartition(".")[0] for target in self.targets()}

    def load_entry_points(self) -> None:
        """Reads the entry-point group once: name = target, value = candidate."""
        if self._entry_points_loaded:
            return
        self._entry_points_loaded = True
        try:
            entry_points = _entry_points.of_group(ENTRY_POINT_GROUP)
        except Exception as error:
            # They are listed by whatever finders there are.
            self.problems[ENTRY_POINT_GROUP] = f"{type(error).__name__}: {error}"
            return
        for entry_point in entry_points:
            source = f"entry point {entry_point.value}"
            try:
                self.add(
                    RegisteredRoute(entry_point.name, entry_point.load, (), (), source),
                    replace=False,
                )
            except ValueError as error:
                self.problems[entry_point.name] = f"{source}: {error}"


registry = Registry()
