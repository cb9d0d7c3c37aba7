"""The result for machines: JSON, HTML, GitHub, and what `replay` needs."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_skyrs._model import accepted_differences, verdicts
from pytest_skyrs._report import github
from pytest_skyrs._report import results as _results
from pytest_skyrs._report import terminal as _terminal

if TYPE_CHECKING:
    from pytest_skyrs._controller.controller import Controller

LAST_RUN = "last-run.json"


def write_all(controller: Controller) -> None:
    """Writes what was asked for; what can't be written becomes a problem of the session."""
    if not controller.arms["python"]:
        return
    options = controller.options
    write_files(controller)
    if controller.plan.cache is not None:
        folder = controller.plan.cache / "d" / "skyrs"
        _attempt(controller, folder / LAST_RUN, lambda path: _write_last_run(controller, path))
    if options.update_known:
        _propose(controller)
    github.write(controller)


def write_files(controller: Controller) -> None:
    """Writes the JSON report and the page, if they were asked for."""
    options = controller.options
    if not controller.arms["python"]:
        return
    if options.json is not None:
        _attempt(controller, options.json, lambda path: write_json(controller, path))
    if options.html is not None:
        from pytest_skyrs._report import page

        _attempt(
            controller,
            options.html,
            lambda path: path.write_text(page.render(collect(controller)), encoding="utf-8"),
        )


def _attempt(controller: Controller, path: Path, write: Any) -> None:
    """Writes a file in one step, or leaves what was there."""
    target = path.absolute()
    # A device can't be replaced.
    partial = target if target.exists() and not target.is_file() else None
    partial = partial or target.with_name(f".{target.name}.{os.getpid()}")
    try:
        write(partial)
        if partial != target:
            partial.replace(target)
    except OSError as error:
        controller.problems.append(f"{path} could not be written: {error.strerror or error}")
        if partial != target:
            with contextlib.suppress(OSError):
                partial.unlink()


def _head(controller: Controller) -> dict[str, Any]:
    from sky_rs_patch import __version__, _testing

    results = controller.results
    table, never = _results.routes(results, controller.arms["python"], controller.arms["rust"])
    words = [
        words for arms in controller.arms.values() for arm in arms for words in arm.words.values()
    ]
    return {
        "schema": _results.SCHEMA,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": ["pytest", *controller.plan.arguments],
        "rootdir": str(controller.config.rootpath),
        "directory": str(controller.plan.directory),
        "versions": {
            "sky_rs_patch": __version__,
            "skypilot": next((word["skypilot"] for word in words if word["skypilot"]), None),
            "python": platform.python_version(),
            "pytest": pytest.__version__,
            "extension": _testing.build_info(),
        },
        "seed": controller.seed,
        "hash_seed": controller.plan.hash_seed,
        "complete": not (controller.problems or controller.stopped),
        "interrupted": "; ".join(filter(None, [controller.stopped, *controller.problems])) or None,
        "stopped": controller.stopped,
        "problems": controller.problems,
        "notes": controller.notes,
        "stale": controller.stale,
        "closing": _terminal.closing_line(controller),
        "arms": [_arm(arm) for arms in controller.arms.values() for arm in arms],
        "counts": {verdict: results.counts[verdict] for verdict in verdicts.ALL},
        "routes": table,
        "never_reached": never,
        "registered": controller.registered,
        "normalisation": dict(results.normalised),
        "noise": dict(results.noise),
        "unjudged": dict(results.unjudged),
        "resources": results.resources,
        "bypassed": results.bypassed,
    }


def _arm(arm: Any) -> dict[str, Any]:
    finished = arm.finished or {}
    return {
        "name": arm.settings.name,
        "backend": arm.settings.backend,
        "round": arm.settings.round,
        "seconds": round(finished.get("seconds", 0.0), 3),
        "exit": arm.exit,
        "tests": arm.collected,
        "problem": arm.problem,
        "leftovers": finished.get("leftovers", []),
    }


def collect(controller: Controller) -> dict[str, Any]:
    """All of the report."""
    causes = controller.results.causes.by_id.values()
    return {
        **_head(controller),
        "divergences": [_public(cause.to_json()) for cause in causes],
        "tests": list(controller.results.plain_rows()),
    }


def _public(divergence: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in divergence.items() if name != "pickle"}
    return {**shown, "examples": [_public(each) for each in shown.get("examples", ())]}


def write_json(controller: Controller, path: Path) -> None:
    """Writes the report test by test: it may be longer than memory should hold."""
    with path.open("w", encoding="ascii") as file:
        head = json.dumps(_head(controller), indent=1)
        file.write(f'{head[:-2]},\n "divergences": [')
        separator = "\n  "
        for cause in controller.results.causes.by_id.values():
            file.write(separator + json.dumps(cause.to_json()))
            separator = ",\n  "
        file.write('\n ],\n "tests": [')
        separator = "\n  "
        for row in controller.results.plain_rows():
            file.write(separator + json.dumps(row))
            separator = ",\n  "
        file.write("\n ]\n}\n")


def _write_last_run(controller: Controller, path: Path) -> None:
    """What differed, calls with their arguments, for `replay`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table, _ = _results.routes(
        controller.results, controller.arms["python"], controller.arms["rust"]
    )
    content = {
        "rootdir": str(controller.config.rootpath),
        "directory": str(controller.plan.directory),
        "routes": {name: {"registered_by": row["registered_by"]} for name, row in table.items()},
        "divergences": [
            each
            for cause in controller.results.causes.by_id.values()
            for each in (cause.first, *cause.examples)
        ],
    }
    path.write_text(json.dumps(content), encoding="ascii")


def _propose(controller: Controller) -> None:
    """A file beside the list of known differences; the list itself is the user's to change."""
    failing = controller.options.fail_on
    fresh = [
        divergence
        for row in controller.verdicts()
        for divergence in row["divergences"]
        if row["verdict"] in failing
        and divergence["verdict"] in failing
        and divergence["verdict"] in verdicts.FAILING
    ]
    if not fresh:
        return
    known = controller.options.known_path(controller.config)
    base = known or controller.config.rootpath / verdicts.KNOWN_FILE
    place = base.with_name(f"{base.stem}.proposed{base.suffix}")
    text = (
        "# Proposed by --skyrs-update-known. An entry counts when it is in the list of known\n"
        f"# differences ({base.name}) with a reason and an issue.\n"
        f"{accepted_differences.propose(fresh)}"
    )
    _attempt(controller, place, lambda path: path.write_text(text, encoding="utf-8"))
    terminal = controller.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.ensure_newline()
        terminal.write_line(f"skyrs: {len(fresh)} differences are proposed as known in {place}")
