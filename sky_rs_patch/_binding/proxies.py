"""The objects that stand in the modules, over ``wrapt.FunctionWrapper``."""

from __future__ import annotations

import functools
from types import MethodType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import wrapt

from sky_rs_patch._binding import extension

if TYPE_CHECKING:
    from sky_rs_patch._native import Route


def _pass_through(
    wrapped: Callable[..., Any], instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> object:
    """What wrapt wants for calls that come through it; ours don't."""
    return wrapped(*args, **kwargs)


class PythonRoutedFunction(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """The proxy where the native type can't be made: wrapt without its own C code.

    Every call costs about a microsecond, so that the smallest functions get slower than they
    are; the routes stay exact.
    """

    def __init__(self, route: Route) -> None:
        original = route.original
        assert original is not None, "a route in use has its original"
        super().__init__(original, _pass_through)
        self._self_route = route

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_route(*args, **kwargs)

    def __get__(self, instance: object, owner: object = None) -> Any:
        # As functions do it: a class attribute is the very same object.
        if instance is not None:
            return MethodType(self, instance)
        if owner is None:
            raise TypeError("__get__(None, None) is invalid")
        return self

    def __reduce__(self) -> str:
        return str(self.__wrapped__.__qualname__)

    def __reduce_ex__(self, protocol: Any) -> str:
        return self.__reduce__()

    def __copy__(self) -> PythonRoutedFunction:
        return self

    def __deepcopy__(self, memo: object) -> PythonRoutedFunction:
        return self


def _check_wrapt() -> None:
    """Makes sure that what is called wrapt makes proxies; raises anything if it doesn't."""

    def wrapped(number: int) -> int:
        return number

    made: Any = wrapt.FunctionWrapper(wrapped, _pass_through)
    if made.__wrapped__ is not wrapped or made(1) != 1:
        raise TypeError(f"{wrapt.FunctionWrapper!r} makes no proxies")


class ProxyKind(NamedTuple):
    """The type of proxies, and why it isn't the native one if so."""

    cls: Callable[[Route], Any]
    native: bool
    problem: str | None


@functools.cache
def kind() -> ProxyKind:
    """Makes the type of proxies, once."""
    module = extension.load().module
    assert module is not None, "proxies need the extension"
    _check_wrapt()
    try:
        return ProxyKind(module.make_proxy_type(wrapt.FunctionWrapper, _pass_through), True, None)
    except TypeError as error:
        return ProxyKind(PythonRoutedFunction, False, str(error))


def route_of(value: object) -> Route | None:
    """The route behind one of our proxies; ``None`` for everything else.

    Looks at the type alone: asking an arbitrary object for an attribute may run its code.
    """
    if kind.cache_info().currsize == 0:
        return None
    cls = kind().cls
    if isinstance(cls, type) and type(value) is cls:
        return value._self_route  # type: ignore[attr-defined, no-any-return]
    return None
