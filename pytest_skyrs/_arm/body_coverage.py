"""Which lines and branches of the originals the tests ran.

Coverage.py traces the target modules alone. In the Python arm this is what equivalence was shown
on. In the Rust arm an original's body runs after a decline, or when it was called past its proxy.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType


class BodyCoverage:
    """Measures this process, test by test.

    Raises:
        pytest.UsageError: if coverage isn't installed.
    """

    def __init__(self) -> None:
        import pytest

        try:
            import coverage  # noqa: F401 - asked for in time
        except ImportError:
            raise pytest.UsageError("--skyrs-cov needs coverage: pip install coverage") from None
        self.started = False
        self._context = 0

    def start(self) -> None:
        """Tests begin: conftest files have registered their routes by now.

        What imports run isn't asked for, only what calls do.
        """
        import coverage

        from sky_rs_patch._testing import registry

        files = {f"*/{module.replace('.', '/')}.py" for module in registry.modules()}
        files.update(code.co_filename for _, code in originals())
        self._coverage = coverage.Coverage(
            data_file=None, config_file=False, branch=True, include=sorted(files), messages=False
        )
        self._coverage.start()
        self.started = True

    def begin(self) -> None:
        """A test begins; what ran before belongs to imports."""
        self._context += 1
        self._coverage.switch_context(f"test-{self._context}")

    def end(self) -> dict[str, Any]:
        """Lines and branches of originals that ran since `begin`, by target."""
        self._coverage.switch_context("between")
        data = self._coverage.get_data()
        data.set_query_context(f"test-{self._context}")
        found = {}
        for target, code in originals():
            # The line of ``def`` runs at import, the body's own lines in calls.
            body = body_lines(code)
            lines = sorted(body.intersection(data.lines(code.co_filename) or ()))
            if lines:
                arcs = [arc for arc in data.arcs(code.co_filename) or () if set(arc) & body]
                found[target] = {"lines": lines, "arcs": sorted(arcs)}
        data.set_query_contexts(None)
        return found

    def static(self) -> dict[str, Any]:
        """Where each original is, and what of it could run."""
        found = {}
        for target, code in originals():
            _, statements, _, _, _ = self._coverage.analysis2(code.co_filename)
            body = body_lines(code)
            found[target] = {
                "file": code.co_filename,
                "statements": sorted(body.intersection(statements)),
                "exits": {
                    line: exits
                    for line, (exits, _) in self._coverage.branch_stats(code.co_filename).items()
                    if line in body
                },
            }
        return found

    def stop(self) -> None:
        """Ends measuring."""
        self._coverage.stop()


def originals() -> Iterator[tuple[str, CodeType]]:
    """The code of every target that is there."""
    from sky_rs_patch._testing import registry

    for target in registry.targets():
        module: ModuleType | None = sys.modules.get(target.rpartition(".")[0])
        function = vars(module).get(target.rpartition(".")[2]) if module is not None else None
        original = getattr(function, "__wrapped__", function)
        if isinstance(original, FunctionType):
            yield target, original.__code__


def body_lines(code: CodeType) -> set[int]:
    """Lines of a function's body, inner functions included."""
    lines = {line for _, _, line in _lines(code) if line is not None and line > code.co_firstlineno}
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            lines |= body_lines(constant) | {constant.co_firstlineno}
    return lines


def _lines(code: CodeType) -> Iterator[tuple[int, int, int | None]]:
    if sys.version_info >= (3, 10):
        yield from code.co_lines()
    else:
        import dis

        for start, line in dis.findlinestarts(code):
            yield start, start, line


def summarise(ran: dict[str, Any], static: dict[str, Any]) -> dict[str, Any]:
    """What of one original ran.

    Args:
        ran: its ``lines`` and ``arcs``.
        static: its entry of `BodyCoverage.static`.
    """
    statements = set(static["statements"])
    covered = sorted(statements.intersection(ran["lines"]))
    exits = {int(line): count for line, count in static["exits"].items()}
    taken = {tuple(arc) for arc in ran["arcs"] if arc[0] in exits}
    return {
        "file": static["file"],
        "lines": len(statements),
        "covered": covered,
        "missing": sorted(statements.difference(covered)),
        "branches": sum(exits.values()),
        "covered_branches": len(taken),
    }


def describe(coverage: dict[str, Any], bypassed: dict[str, list[str]]) -> list[str]:
    """The table for the terminal."""
    lines = ["lines and branches of the originals that the compared tests ran"] if coverage else []
    for target, body in coverage.items():
        line = f"  {target}: {len(body['covered'])} of {body['lines']}"
        if body["branches"]:
            line += f", {body['covered_branches']} of {body['branches']} branches"
        if body["missing"]:
            line += f"; not lines {ranges(body['missing'])}"
        lines.append(line)
    for target, tests in bypassed.items():
        lines.append(
            f"bypassed: the body of {target} ran on rust without a call through its proxy, "
            f"in {len(tests)} tests: {tests[0]}" + (", ..." if len(tests) > 1 else "")
        )
    return lines


def ranges(numbers: list[int]) -> str:
    """``3-5, 8``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in parts)
