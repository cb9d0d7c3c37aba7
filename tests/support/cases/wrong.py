"""Wrong candidates of the kinds that a rewrite of a function of one text makes."""

from __future__ import annotations

import re
from typing import Any, Callable

Maker = Callable[[Callable[..., Any]], Callable[..., Any]]


def changed(change: Callable[..., Any], kind: type = str) -> Maker:
    """One that makes another result of the original's and of its argument, if it is of a kind."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            given = [*args, *kwargs.values()]
            return change(result, *given) if type(given[0]) is kind else result

        return wrong

    return make


def accepting(expression: str, answer: Any) -> Maker:
    """One that gives an answer for what matches."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(*args: Any, **kwargs: Any) -> Any:
            given = [*args, *kwargs.values()]
            if len(given) == 1 and type(given[0]) is str and re.fullmatch(expression, given[0]):
                return answer
            return original(*args, **kwargs)

        return wrong

    return make
