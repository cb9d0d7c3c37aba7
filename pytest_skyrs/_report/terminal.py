"""What a double run shows in the terminal."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import verdicts
from pytest_skyrs._report import registered as _registered
from pytest_skyrs._report import results as _results
from pytest_skyrs._report.results import plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest
    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._controller.arm_process import Arm, Plan
    from pytest_skyrs._controller.controller import Controller
    from pytest_skyrs._options import Options

_SHOWN = 20
#: Bytes by which the memory of two sessions differs for no reason.
_MEMORY_SLACK = 32 << 20
_TEXT_LINES = 40
_RETURNED = "returned "


def header(seed: int, plan: Plan, options: Options) -> list[str]:
    """Lines for pytest's header."""
    from sky_rs_patch import __version__, _testing

    info = _testing.build_info()
    lines = [
        f"skyrs: every test on python and on rust (sky_rs_patch {__version__}, "
        f"{info.get('profile', 'no')} build {info.get('path', '')})".rstrip(),
        f"skyrs: PYTHONHASHSEED={plan.hash_seed}, seed {seed}, "
        + (
            "each arm with its own HOME and its own loopback"
            if plan.isolate == "net"
            else "each arm with its own HOME"
        ),
    ]
    lines += [f"skyrs: {line}" for line in _isolation_lines(plan, options)]
    if plan.cache is None:
        lines.append("skyrs: without pytest's cache there is no --lf, and nothing to replay")
    return lines


def _isolation_lines(plan: Plan, options: Options) -> list[str]:
    """Whoever didn't ask for arms without a network is told of it."""
    if plan.isolate != "net" or options.isolate == "net":
        return []
    ports = " or ".join(map(str, options.ports))
    return [
        f"the arms have no network but a loopback of their own, for somebody listens on {ports} "
        "here (--skyrs-isolate=none refuses that instead)"
    ]


def status(report: pytest.TestReport, verdict: str) -> tuple[str, str, str] | None:
    """Letter and word of a report that shows a verdict."""
    facts = verdicts.BY_NAME.get(verdict)
    if facts is None or not facts.letter:
        return None
    if report.failed:
        return "failed", facts.letter, verdict.upper()
    if report.passed and report.when == "call" and not hasattr(report, "wasxfail"):
        return "passed", "." if facts.quiet else facts.letter, f"PASSED ({verdict})"
    return None


def one_line(divergence: dict[str, Any]) -> str:
    """A difference in a line."""
    place = divergence["function"] or divergence["observable"]
    call = divergence["arguments"] or ""
    sides = [_short(divergence[side]) for side in ("python", "rust")]
    return f"{place}{_short(call)}: python {sides[0]}, rust {sides[1]}"


def headline(divergence: dict[str, Any]) -> str:
    """Function and values of a difference, as briefly as can be."""
    python, rust = divergence["python"], divergence["rust"]
    if python.startswith(_RETURNED) and rust.startswith(_RETURNED):
        python, rust = python[len(_RETURNED) :], rust[len(_RETURNED) :]
    place = divergence["observable"]
    if divergence["function"]:
        place = divergence["function"].rpartition(".")[2] + _short(
            divergence["arguments"] or "", 80
        )
    return f"{place} {_short(python, 60) or '(nothing)'} -> {_short(rust, 60) or '(nothing)'}"


def _short(text: str, limit: int = 120) -> str:
    flat = " | ".join(text.splitlines())
    return flat if len(flat) <= limit else f"{flat[: limit - 3]}..."


def failure_text(verdict: str, divergences: list[dict[str, Any]]) -> str:
    """What a failing test shows in the place of a traceback."""
    facts = verdicts.BY_NAME[verdict]
    asked_for = "" if facts.fails == verdicts.YES else " (it counts as a failure here)"
    lines = [f"skyrs: {verdict}: {facts.meaning}{asked_for}"]
    if divergences:
        lines.insert(0, headline(divergences[0]))
    for divergence in divergences[:_SHOWN]:
        lines += ["", *describe(divergence)]
    if len(divergences) > _SHOWN:
        lines += ["", f"and {len(divergences) - _SHOWN} more differences"]
    return "\n".join(lines)


def describe(divergence: dict[str, Any]) -> list[str]:
    """A difference with both sides."""
    head = f"{divergence['id']} {divergence['verdict']}: {divergence['observable']}"
    if divergence["function"]:
        head += f" of {divergence['function']}{divergence['arguments'] or ''}"
    if divergence["detail"]:
        head += f" ({divergence['detail']})"
    lines = [head]
    python, rust = divergence["python"], divergence["rust"]
    if len(python.splitlines()) > 1 and len(rust.splitlines()) > 1:
        diff = difflib.unified_diff(
            python.splitlines(), rust.splitlines(), "python", "rust", lineterm="", n=2
        )
        lines += [f"  {line}" for line in list(diff)[:_TEXT_LINES]]
    else:
        for name, text in (("python", python), ("rust", rust)):
            shown = text.splitlines() or ["(nothing)"]
            lines.append(f"  {name + ':':7} {shown[0]}")
            lines += [f"          {line}" for line in shown[1:_TEXT_LINES]]
    if divergence["repro"]:
        lines.append(f"  again:  {divergence['repro']}")
    return [line.encode("utf-8", "backslashreplace").decode() for line in lines]


def _essence(text: str) -> str:
    """What a traceback ends with."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line[1:].strip() for line in lines if line.startswith("E ")]
    # xdist makes a worker's error the message of an assertion.
    errors = [error for error in errors if error != "assert False"]
    return (errors or lines)[-1]


def unproven(arm: Arm) -> list[str]:
    """What an arm couldn't prove of itself."""
    name = arm.settings.name
    problems = []
    if arm.problem:
        problems.append(f"{name} arm: {_short(_essence(arm.problem), 300)}")
    for worker, words in arm.words.items():
        place = f"{name} arm, process {words['pid']} ({worker})"
        if words["backend"] == "rust" and words["extension"].get("profile") is None:
            problems.append(f"{place}: the extension wasn't loaded")
        if words["lost"]:
            lost = ", ".join(words["lost"])
            problems.append(f"{place}: the proxies of {lost} stood at the start and not at the end")
        expected = "1" if words["backend"] == "rust" else "0"
        if words["switch"] != expected:
            problems.append(
                f"{place}: SKYPILOT_USE_RUST was {words['switch']!r} at the end, not {expected!r}"
            )
    return problems


def write_terminal(controller: Controller, terminal: TerminalReporter) -> None:
    """The section with all that was found."""
    results = controller.results
    if not controller.arms["python"]:
        return
    terminal.section("skyrs: python and rust")
    for text in controller.not_started:
        terminal.write_line(text, red=True)
    for arms in controller.arms.values():
        for arm in arms:
            terminal.write_line(_arm_line(arm))
    table, _ = _results.routes(results, controller.arms["python"], controller.arms["rust"])
    registered = [_registered.describe(finding) for finding in controller.registered]
    for lines in (
        route_table(table),
        registered,
        _coverage_lines(controller),
        _resource_lines(controller),
        _other_lines(controller),
        _failure_lines(controller),
    ):
        if lines:
            terminal.write_line("")
        for line in lines:
            terminal.write_line(line)
    failing = sum(results.counts[verdict] for verdict in controller.options.fail_on)
    bad = bool(
        failing
        or controller.problems
        or controller.stale
        or controller.stopped
        or controller.unreached
    )
    terminal.write_line(closing_line(controller), red=bad, green=not bad, bold=True)


def closing_line(controller: Controller) -> str:
    """The verdicts in one line, and what else makes the run fail."""
    reasons = [*controller.not_started]
    if controller.stopped:
        reasons.append(controller.stopped)
    if controller.unreached:
        reasons.append(
            f"{plural(len(controller.unreached), 'registered route')} answered nothing "
            "(--skyrs-allow-unreached accepts that)"
        )
    others = len(controller.problems) - len(controller.not_started)
    if others:
        reasons.append(f"{plural(others, 'problem')}, see above")
    return _results.closing_line(controller.results, "; ".join(reasons) or None)


def _failure_lines(controller: Controller) -> list[str]:
    rows = (row for row in controller.verdicts() if row["verdict"] in controller.options.fail_on)
    groups = _alike(rows)
    lines = []
    for row, count in groups[:_SHOWN]:
        line = row["verdict"].upper()
        if row["divergences"]:
            line += f" {headline(row['divergences'][0])} "
        more = f" and {plural(count - 1, 'more test')}" if count > 1 else ""
        lines.append(f"{line} {row['id']}{more}")
    left = sum(count for _, count in groups[_SHOWN:])
    return [*lines, f"and {left} more tests"] if left else lines


def _alike(rows: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """The first of each group of tests that differ in the same thing, and how many they are."""
    groups: dict[tuple[str, str], tuple[dict[str, Any], int]] = {}
    for row in rows:
        first = row["divergences"][0] if row["divergences"] else None
        told = _reason(row) if first is None else first["cause"]
        known, count = groups.get((row["verdict"], told), (row, 0))
        groups[row["verdict"], told] = known, count + 1
    return sorted(groups.values(), key=lambda group: -group[1])


def _arm_line(arm: Arm) -> str:
    finished = arm.finished or {}
    name = arm.settings.name + (" (went on)" if arm.settings.skip else "")
    line = f"{name}: {finished.get('seconds', 0):.1f} s, exit code {arm.exit}"
    leftovers = finished.get("leftovers", [])
    if leftovers:
        line += f"; ended {len(leftovers)} processes that it left: "
        line += ", ".join(leftovers[:3]) + (", ..." if len(leftovers) > 3 else "")
    return line


def route_table(table: dict[str, Any]) -> list[str]:
    """The routes, a line each; those of ours that nobody called in one line."""
    from sky_rs_patch._testing import aligned

    present = {name: route for name, route in table.items() if route["state"] != "absent"}
    called = {name: route for name, route in present.items() if _is_worth_a_line(route)}
    ours = sum(not route["registered"] for route in present.values())
    left = len(present) - len(called)
    rest = [f"not called on rust: {left} of this project's {ours} routes"] if left else []
    if not called:
        return rest
    rows = [["route", "rust", "python", "tests", "declines; why it isn't active"]]
    for name, route in called.items():
        notes = [f"{reason} {count}" for reason, count in sorted(route["declines"].items())]
        if route["reason"] and not (route["state"] == "active" and route["rust"]):
            notes.append(str(route["reason"]))
        counts = [str(route[key]) for key in ("rust", "python", "tests")]
        rows.append([name, *counts, "; ".join(notes)])
    return aligned(rows, {1, 2, 3}) + rest


def _is_worth_a_line(route: dict[str, Any]) -> bool:
    """Calls of a route that isn't active are seen by nobody: it may have had some."""
    if route["registered"] or route["rust"] or route["python"]:
        return True
    reason = str(route["reason"])
    waits = reason.endswith("is not imported") or reason.startswith("opt-in")
    # The session was stopped.
    waits = waits or reason == _results.NOBODY
    return route["state"] != "active" and not waits


def _coverage_lines(controller: Controller) -> list[str]:
    if not controller.options.coverage:
        return []
    from pytest_skyrs._arm import body_coverage

    measured = _results.body_coverage(controller.results, controller.arms["python"])
    return body_coverage.describe(measured, controller.results.bypassed)


def _resource_lines(controller: Controller) -> list[str]:
    results = controller.results
    lines = []
    python, rust = results.growth["python"], results.growth["rust"]
    if rust - python > max(_MEMORY_SLACK, python // 4):
        lines.append(f"memory that the tests added: {_mib(python)} on python, {_mib(rust)} on rust")
    for row in results.resources[:_SHOWN]:
        sides = [_mib(row[side]) if row["what"] == "memory" else row[side] for side in _SIDES]
        lines.append(
            f"left behind: {row['what']}: {sides[0]} on python, {sides[1]} on rust: {row['test']}"
        )
    if len(results.resources) > _SHOWN:
        lines.append(f"left behind: {len(results.resources) - _SHOWN} more, see the JSON report")
    return lines


_SIDES = ("python", "rust")


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _other_lines(controller: Controller) -> list[str]:
    results = controller.results
    lines = []
    if results.normalised:
        parts = [f"{kind} {count}" for kind, count in results.normalised.most_common()]
        lines.append(f"normalised in texts that differed: {', '.join(parts)}")
    if results.unjudged:
        unjudged = results.unjudged.most_common()
        parts = [f"{kind} in {plural(count, 'test')}" for kind, count in unjudged]
        lines.append(
            f"differs where rust answered nothing, and isn't judged: {', '.join(parts)} "
            "(--skyrs-texts=all does)"
        )
    if results.noise:
        parts = [
            f"{kind} in {plural(count, 'test')}" for kind, count in results.noise.most_common()
        ]
        lines.append(f"python itself doesn't repeat: {', '.join(parts)}")
    for verdict in (verdicts.FLAKY, verdicts.INCONCLUSIVE):
        groups = _alike(row for row in controller.verdicts() if row["verdict"] == verdict)
        lines += [f"{verdict}: {_of_group(*group)}" for group in groups[:_SHOWN]]
        left = sum(count for _, count in groups[_SHOWN:])
        lines += [f"{verdict}: {left:,} more tests, see the JSON report"] if left else []
    lines += [f"stale known difference: {text}" for text in controller.stale]
    lines += controller.notes
    others = [text for text in controller.problems if text not in controller.not_started]
    lines += [f"problem: {text}" for text in others]
    lines += _isolation_lines(controller.plan, controller.options)
    if controller.kept:
        lines.append(f"the arms' folders are kept in {controller.folder}")
    return lines


def _of_group(row: dict[str, Any], count: int) -> str:
    """Tests that differ alike, and in what."""
    if count == 1:
        return f"{row['id']}: {_reason(row)}"
    return f"{count:,} tests: {_reason(row)} ({row['id']}, ...)"


def _reason(row: dict[str, Any]) -> str:
    changed = [name for each in row["divergences"] for name in each.get("environment", ())]
    if changed:
        names = ", ".join(dict.fromkeys(changed))
        return f"{names} had another value when they began: another order of the tests?"
    kinds = [*row["noise"]]
    for each in row["divergences"]:
        function = f" of {each['function'].rpartition('.')[2]}" if each["function"] else ""
        kinds.append(f"{each['observable']}{function}")
    return ", ".join(dict.fromkeys(kinds))
