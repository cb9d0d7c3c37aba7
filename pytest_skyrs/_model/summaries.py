"""What other plugins say at the end of a session, told by those that saw the tests run.

The plugins of the Python arm gathered their data where the tests ran; in the controller the same
plugins have seen reports at best. So the text that each of them writes as its summary in the
Python arm takes the place of what it would write in the controller.
"""

from __future__ import annotations

import contextlib
import functools
import io
from typing import TYPE_CHECKING, Any, Callable

from _pytest.terminal import TerminalReporter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pytest

    from pytest_skyrs._model.events import Summary

_OURS = ("_pytest.", "pytest_skyrs.", "xdist.")


def _implementations(config: pytest.Config) -> Iterator[tuple[str, Any]]:
    """Other plugins' summaries, each under a name that it has in every process."""
    seen: dict[str, int] = {}
    for implementation in config.hook.pytest_terminal_summary.get_hookimpls():
        plugin = implementation.plugin
        if isinstance(plugin, TerminalReporter):
            continue
        module = getattr(plugin, "__name__", None)
        if not isinstance(module, str):
            module = f"{type(plugin).__module__}.{type(plugin).__qualname__}"
        if f"{module}.".startswith(_OURS):
            continue
        # Conftest files have all the same name.
        name = f"{module} {getattr(plugin, '__file__', None) or ''}".strip()
        seen[name] = seen.get(name, 0) + 1
        yield f"{name} {seen[name]}", implementation


def _replace(implementation: Any, around: Callable[[bool, Callable[[], Any]], Any]) -> None:
    """Has each step of a summary made within a function, which is told whether others follow."""
    function = implementation.function

    def plain(*arguments: object, **keywords: object) -> object:
        return around(False, lambda: function(*arguments, **keywords))

    def wrapper(*arguments: object, **keywords: object) -> Generator[Any, Any, Any]:
        generator = function(*arguments, **keywords)
        step: Callable[[], Any] = functools.partial(next, generator)
        first = True
        while True:
            try:
                around(first, step)
            except StopIteration as end:
                return end.value
            first = False
            try:
                sent = yield
            except BaseException as error:
                step = functools.partial(generator.throw, error)
            else:
                step = functools.partial(generator.send, sent)

    wraps = implementation.wrapper or implementation.hookwrapper
    implementation.function = wrapper if wraps else plain


class Teller:
    """In the Python arm: passes on what each plugin writes.

    Args:
        config: of the arm's session.
        tell: gets a plugin's name, its text, and whether it wrote it before other plugins.
        screen: columns of the controller's terminal, and whether it has colours.
    """

    def __init__(
        self,
        config: pytest.Config,
        tell: Callable[[str, str, bool], None],
        screen: tuple[int, bool],
    ) -> None:
        self._config = config
        self._tell = tell
        self._screen = screen

    def listen(self) -> None:
        """The session is over, and the summaries are about to be written."""
        for name, implementation in _implementations(self._config):
            _replace(implementation, functools.partial(self._around, name))

    def _around(self, name: str, first: bool, step: Callable[[], Any]) -> object:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return step()
        writer = reporter._tw
        before = writer._file, writer.fullwidth, writer.hasmarkup
        buffer = io.StringIO()
        writer._file = buffer
        writer.fullwidth, writer.hasmarkup = self._screen
        try:
            with contextlib.redirect_stdout(buffer):
                return step()
        finally:
            writer._file, writer.fullwidth, writer.hasmarkup = before
            text = buffer.getvalue()
            writer._file.write(text)
            if text:
                self._tell(name, text, first)


class Heard:
    """In the controller: what the plugins of the Python arm wrote."""

    def __init__(self) -> None:
        #: By plugin: before other plugins wrote theirs, and after that.
        self._texts: dict[str, tuple[list[str], list[str]]] = {}

    def take(self, event: Summary) -> None:
        """A plugin has written something."""
        before, after = self._texts.setdefault(event.plugin, ([], []))
        (before if event.first else after).append(event.text)

    def put_in_place(self, config: pytest.Config) -> None:
        """Has the controller's plugins write the same."""
        for name, implementation in _implementations(config):
            if name in self._texts:
                wraps = implementation.wrapper or implementation.hookwrapper
                texts = self._texts.pop(name)
                implementation.function = (
                    _wrapper(config, *texts) if wraps else _plain(config, *texts)
                )

    def write_rest(self, config: pytest.Config) -> None:
        """Writes what plugins wrote that the controller doesn't have: of conftest files, say."""
        while self._texts:
            for texts in self._texts.pop(next(iter(self._texts))):
                _write(config, texts)


def _plain(config: pytest.Config, _: list[str], texts: list[str]) -> Callable[..., None]:
    return lambda *_: _write(config, texts)


def _wrapper(config: pytest.Config, before: list[str], after: list[str]) -> Callable[..., Any]:
    def write(*_: object) -> Generator[None, Any, Any]:
        _write(config, before)
        result = yield
        _write(config, after)
        return result

    return write


def _write(config: pytest.Config, texts: list[str]) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write("".join(texts))
