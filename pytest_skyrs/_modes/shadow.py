"""``--skyrs-shadow``: one session on Rust, and each routed call is compared on the spot.

After Rust has answered, the original runs on copies of the arguments. Only functions without side
effects, and only arguments that can be copied.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Callable

import pytest

from pytest_skyrs._arm.calls import outcome_parts, outcome_text
from pytest_skyrs._model.canonical import Canonical

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter

_SHOWN = 20


class Shadow:
    """Watches calls, and fails tests in which the backends differ."""

    def __init__(self, config: pytest.Config) -> None:
        from sky_rs_patch import _testing

        self._registry = _testing.registry
        self._config = config
        self._canonical = Canonical()
        self._local = threading.local()
        self._compared: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._differences: list[str] = []
        self._total = 0
        self._pure: dict[str, bool] = {}
        _testing.observe(self)

    def __call__(
        self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[[str, int, object, object], None] | None:
        """A routed call begins."""
        if getattr(self._local, "inside", False):
            return None
        if not self._is_pure(function):
            self._skipped[f"{function}: it has side effects"] += 1
            return None
        try:
            copies = copy.deepcopy((args, kwargs))
        except Exception as error:
            self._skipped[f"{function}: arguments can't be copied ({type(error).__name__})"] += 1
            return None
        before = self._canonical.digest((args, kwargs))
        if self._canonical.digest(copies) != before:
            self._skipped[f"{function}: copies of the arguments differ from them"] += 1
            return None
        self._local.inside = True

        def finish(path: str, nanoseconds: int, result: object, exception: object) -> None:
            del nanoseconds
            try:
                if path == "rust":
                    self._compare(function, (args, kwargs), copies, result, exception)
            finally:
                self._local.inside = False

        return finish

    def _is_pure(self, function: str) -> bool:
        if function not in self._pure:
            self._pure[function] = bool(getattr(self._registry.get(function), "pure", False))
        return self._pure[function]

    def _compare(
        self,
        function: str,
        used: tuple[tuple[Any, ...], dict[str, Any]],
        copies: tuple[tuple[Any, ...], dict[str, Any]],
        result: object,
        exception: object,
    ) -> None:
        original = _original(function)
        if original is None:
            self._skipped[f"{function}: its module is gone"] += 1
            return
        called = self._canonical.describe_call(*copies)
        value: object = None
        raised: BaseException | None = None
        try:
            value = original(*copies[0], **copies[1])
        except Exception as error:
            raised = error
        self._compared[function] += 1
        canonical = self._canonical
        sides = [
            (outcome_parts(answer, error), arguments)
            for answer, error, arguments in ((value, raised, copies), (result, exception, used))
        ]
        if canonical.digest(sides[0]) != canonical.digest(sides[1]):
            self._total += 1
            texts = [
                f"{outcome_text(canonical, parts)}; arguments then {canonical.describe_call(*left)}"
                for parts, left in sides
            ]
            shown = f"{function}{called}\n  python: {texts[0]}\n  rust:   {texts[1]}"
            self._differences.append(shown)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A phase in which a call differed fails."""
        report = yield
        if self._differences:
            found, self._differences = self._differences, []
            text = "skyrs: rust differs from python in this process\n\n"
            text += "\n\n".join(found[:_SHOWN])
            if len(found) > _SHOWN:
                text += f"\n\nand {len(found) - _SHOWN} more calls"
            if report.failed and report.longrepr:
                text += f"\n\n{report.longrepr}"
            report.outcome = "failed"
            report.longrepr = text.encode("utf-8", "backslashreplace").decode()
            if hasattr(report, "wasxfail"):
                del report.wasxfail
        return report

    def pytest_report_header(self) -> str:
        """Says what goes on."""
        return "skyrs: shadow: rust answers, and python is asked the same on copies"

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Shows what was compared in this process."""
        terminalreporter.section("skyrs: shadow")
        for function, count in sorted(self._compared.items()):
            terminalreporter.write_line(f"{count:7} calls compared: {function}")
        for reason, count in sorted(self._skipped.items()):
            terminalreporter.write_line(f"{count:7} calls not compared: {reason}")
        total = sum(self._compared.values())
        terminalreporter.write_line(
            f"skyrs: {total} calls of {len(self._compared)} functions on both backends, "
            f"{self._total} different",
            red=bool(self._total),
            green=not self._total,
            bold=True,
        )

    def pytest_unconfigure(self) -> None:
        """Stops watching."""
        from sky_rs_patch import _testing

        _testing.observe(None)


def _original(function: str) -> Callable[..., Any] | None:
    module_name, _, name = function.rpartition(".")
    module = sys.modules.get(module_name)
    proxy = vars(module).get(name) if module is not None else None
    return getattr(proxy, "__wrapped__", None)
