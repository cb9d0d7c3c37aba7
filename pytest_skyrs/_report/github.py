"""Annotations and a step summary, where GitHub's runner reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import verdicts
from pytest_skyrs._report import registered as _registered
from pytest_skyrs._report import results as _results
from pytest_skyrs._report import terminal as _terminal

if TYPE_CHECKING:
    from pytest_skyrs._controller.controller import Controller

_LIMIT = 50


def write(controller: Controller) -> None:
    """Does nothing elsewhere."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    rows = [row for row in controller.verdicts() if row["verdict"] in controller.options.fail_on]
    terminal = controller.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.ensure_newline()
        for row in rows[:_LIMIT]:
            terminal.write_line(annotation(row))
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if target:
        try:
            with Path(target).open("a", encoding="utf-8") as file:
                file.write(step_summary(controller, rows))
        except OSError as error:
            controller.problems.append(f"GITHUB_STEP_SUMMARY={target}: {error.strerror}")


def annotation(row: dict[str, Any]) -> str:
    """A test's verdict as a workflow command."""
    text = row["verdict"]
    if row["divergences"]:
        text = _terminal.one_line(row["divergences"][0])
    file = row["id"].partition("::")[0]
    title = f"skyrs: {row['verdict']}: {row['id']}"
    place = f"file={_escape(file, in_property=True)},title={_escape(title, in_property=True)}"
    return f"::error {place}::{_escape(text, in_property=False)}"


def _escape(text: str, *, in_property: bool) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    pairs = [("%", "%25"), ("\r", "%0D"), ("\n", "%0A")]
    if in_property:
        pairs += [(":", "%3A"), (",", "%2C")]
    for plain, escaped in pairs:
        text = text.replace(plain, escaped)
    return text


def step_summary(controller: Controller, rows: list[dict[str, Any]]) -> str:
    """Markdown: counts, then the tests by name."""
    results = controller.results
    lines = [
        "## skyrs: python and rust",
        "",
        f"`{_results.closing_line(results, controller.stopped)}`",
        "",
    ]
    lines += ["| verdict | tests |", "|---|---:|"]
    lines += [
        f"| {verdict} | {results.counts[verdict]} |"
        for verdict in verdicts.ALL
        if results.counts[verdict]
    ]
    if rows:
        lines += ["", "| test | verdict | first difference |", "|---|---|---|"]
        for row in rows[:_LIMIT]:
            first = _terminal.one_line(row["divergences"][0]) if row["divergences"] else ""
            lines.append(f"| {_cell(row['id'])} | {row['verdict']} | {_cell(first)} |")
        if len(rows) > _LIMIT:
            lines.append(f"| and {len(rows) - _LIMIT} more | | |")
    lines += [f"\n{_cell(_registered.describe(finding))}" for finding in controller.registered]
    lines += [f"\nProblem: {_cell(problem)}" for problem in controller.problems]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    # A backslash before a bar would be taken for an escaped backslash.
    for plain in "&<>|`*_[]~\\":
        text = text.replace(plain, f"&#{ord(plain)};")
    return " ".join(text.splitlines())
