"""Proxies where the native type can't be made: wrapt without its own C code."""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import wrapt

from sky_rs_patch._binding.wrapt_base import pass_through

if TYPE_CHECKING:
    from sky_rs_patch._native import Route


class PythonRoutedFunction(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A proxy of the slow kind.

    Every call costs about a microsecond, so that the smallest functions get slower than they
    are; the routes stay exact.
    """

    def __init__(self, route: Route) -> None:
        original = route.original
        assert original is not None, "a route in use has its original"
        super().__init__(original, pass_through)
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
