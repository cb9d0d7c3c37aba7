"""Type of the objects that stand in the modules, over ``wrapt.FunctionWrapper``."""

from __future__ import annotations

from sky_rs_patch._binding import extension, wrapt_base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sky_rs_patch._native import Route


class ProxyKind:
    """The type of proxies, and why it isn't the native one if so."""

    def __init__(self, cls: Callable[[Route], Any], problem: str | None = None) -> None:
        self.cls = cls
        self.native = problem is None
        self.problem = problem


_kind: ProxyKind | None = None
_obstacle: str | None = None


def kind() -> ProxyKind:
    """Makes the type of proxies, once."""
    global _kind
    if _kind is None:
        _kind = _make()
    return _kind


def _make() -> ProxyKind:
    module = extension.load().module
    assert module is not None, "proxies need the extension"
    base = wrapt_base.function_wrapper()
    _check(base)
    try:
        return ProxyKind(module.make_proxy_type(base, wrapt_base.pass_through))
    except TypeError as error:
        from sky_rs_patch._binding.python_proxy import PythonRoutedFunction

        return ProxyKind(PythonRoutedFunction, str(error))


def _check(base: Any) -> None:
    """Makes sure that what is called wrapt makes proxies; raises anything if it doesn't."""

    def wrapped(number: int) -> int:
        return number

    made: Any = base(wrapped, wrapt_base.pass_through)
    if made.__wrapped__ is not wrapped or made(1) != 1:
        raise TypeError(f"{base!r} makes no proxies")


def obstacle() -> str | None:
    """Why nothing can be routed in this process: a missing extension, or an unusable wrapt."""
    global _obstacle
    loaded = extension.load()
    if loaded.module is None:
        return loaded.problem or "there is no extension"
    if _kind is None and _obstacle is None:
        try:
            # Imports wrapt, which may be broken.
            kind()
        except Exception as error:
            _obstacle = f"wrapt can't be used: {type(error).__name__}: {error}"
    return _obstacle


def route_of(value: object) -> Route | None:
    """The route behind one of our proxies; ``None`` for everything else.

    Looks at the type alone: asking an arbitrary object for an attribute may run its code.
    """
    if _kind is not None and type(value) is _kind.cls:
        return value._self_route  # type: ignore[attr-defined, no-any-return]
    return None
