"""``python -m sky_rs_patch fingerprints``: which of SkyPilot's functions are known here.

It reads sources and imports nothing of SkyPilot, so that a release can be looked at that doesn't
run here, or isn't installed. What stands in a running process is `status`'s to say. The known
functions themselves aren't here, only digests of them: what changed is named by statement, and
shown as a diff against a release that the user has or has fetched.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import itertools
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from sky_rs_patch._cli import skypilot_sources
from sky_rs_patch._fingerprints import compute, statements
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._routes.spec import RouteSpec
from sky_rs_patch._routes.table import ROUTES

if TYPE_CHECKING:
    from sky_rs_patch._cli.skypilot_sources import Skypilot

#: 1 had a diff of every changed function, and its similarity by lines.
SCHEMA = 2
GUIDE = "docs/new-skypilot.md"


class Difference(NamedTuple):
    """A statement in which a function differs from the known variant that it is nearest to.

    Attributes:
        change: ``changed``, ``added``, ``gone``, or ``moved`` (into or out of a block).
        statement: its number in the function that is there, 0 for the head, nested ones counted;
            of one that is gone, that of the statement before it.
        line: in the file that was looked at; ``None`` if it is gone.
        text: its first line as it is there; ``None`` if it is gone.
        known_line: of one that is gone, its line in the known function, whose first line is 1.
    """

    change: str
    statement: int
    line: int | None
    text: str | None
    known_line: int | None


class Function(NamedTuple):
    """What is known of one function of SkyPilot.

    Attributes:
        name: dotted.
        state: ``known``, ``changed`` or ``absent``.
        variant: the letter of a known one, or of the known one that a changed one is nearest to.
        releases: the first and the last release that was looked at and has that variant; of an
            absent function, any of its variants.
        fingerprint: of the function that is there, if it has one.
        similarity: of a changed one's statements to those of the nearest, from 0 to 1.
        statements: how many a changed one has, the head left out.
        differences: of a changed one from the nearest, if both are plain functions.
        diff: from the release that was asked for to what is there, in unified form.
        note: what else there is to say.
    """

    name: str
    state: str
    variant: str | None = None
    releases: tuple[str, str] | None = None
    fingerprint: str | None = None
    similarity: float | None = None
    statements: int | None = None
    differences: list[Difference] | None = None
    diff: str | None = None
    note: str | None = None


def examine(skypilot: Skypilot, name: str, against: Skypilot | None = None) -> Function:
    """Compares one function with what is known of it.

    Args:
        skypilot: where it is looked for.
        name: dotted.
        against: a release to show the difference from, if it changed.
    """
    module, _, attribute = name.rpartition(".")
    known = KNOWN.get(name, {})
    try:
        statement = skypilot.binding(module, attribute)
    except SyntaxError as error:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return Function(name, "changed", note=f"Python {version} can't parse {module}: {error}")
    if statement is None:
        homes = [home for home in skypilot.homes(attribute) if home != module]
        moved = f"it is in {', '.join(homes)}" if homes else None
        seen = list(known.values())
        releases = (seen[0][1], seen[-1][2]) if seen else None
        return Function(name, "absent", releases=releases, note=moved)

    diff = _diff(name, skypilot, statement, against)
    if not isinstance(statement, ast.FunctionDef):
        text = skypilot.text(module, statement)[0].strip()
        note = f"no plain function any more (line {statement.lineno}: `{text}`)"
        return Function(name, "changed", diff=diff, note=note)
    fingerprint = compute.of_definition(statement)
    if fingerprint in known:
        letter, first, last = known[fingerprint]
        return Function(name, "known", letter, (first, last), fingerprint)
    found = statements.of_definition(statement)
    # Of equally near ones the newest.
    near = {
        print_: statements.similarity(before, found)
        for print_, before in reversed(statements.known().get(name, {}).items())
    }
    if not near:
        return Function(name, "changed", fingerprint=fingerprint, diff=diff)
    nearest = max(near, key=near.__getitem__)
    letter, first, last = known[nearest]
    return Function(
        *(name, "changed", letter, (first, last), fingerprint),
        similarity=near[nearest],
        statements=len(found) - 1,
        differences=_differences(
            statements.compare(statements.known()[name][nearest], found),
            skypilot.text(module, statement),
            skypilot_sources.first_line(statement),
        ),
        diff=diff,
    )


def _differences(
    changes: list[statements.Change], lines: list[str], first: int
) -> list[Difference]:
    return [
        Difference(change, number, None, None, line)
        if change == "gone"
        else Difference(change, number, first + line - 1, lines[line - 1].strip(), None)
        for change, number, line in changes
    ]


def _diff(
    name: str, skypilot: Skypilot, statement: ast.stmt, against: Skypilot | None
) -> str | None:
    """From another release's function to the one that is there; ``None`` without the other."""
    if against is None:
        return None
    module, _, attribute = name.rpartition(".")
    try:
        other = against.binding(module, attribute)
    except SyntaxError:
        return None
    if other is None:
        return None
    known = ""
    if isinstance(other, ast.FunctionDef):
        variant = KNOWN.get(name, {}).get(compute.of_definition(other))
        known = f"{variant[0]}, " if variant else ""
    diff = difflib.unified_diff(
        against.text(module, other),
        skypilot.text(module, statement),
        f"{name} ({known}SkyPilot {against.version})",
        f"{name} (SkyPilot {skypilot.version})",
        lineterm="",
    )
    return "".join(f"{line}\n" for line in diff)


class Route(NamedTuple):
    """Whether a route is served, and if not, why.

    Attributes:
        spec: the route.
        state: ``served``; ``changed`` (original or callees); ``unserved`` (what is there is
            known, and no native function covers it); ``absent``.
        causes: what is in its way, for people.
        functions: its original, then its callees.
    """

    spec: RouteSpec
    state: str
    causes: list[str]
    functions: list[Function]


def survey(skypilot: Skypilot, against: Skypilot | None = None) -> list[Route]:
    """All routes of this project on one SkyPilot.

    Args:
        skypilot: the one.
        against: a release to show differences from.
    """
    examined: dict[str, Function] = {}

    def look(name: str) -> Function:
        if name not in examined:
            examined[name] = examine(skypilot, name, against)
        return examined[name]

    return [_route(spec, look) for spec in ROUTES]


def _route(spec: RouteSpec, look: Callable[[str], Function]) -> Route:
    original = look(spec.target)
    if original.state == "absent":
        return Route(spec, "absent", [], [original])
    module = spec.target.rpartition(".")[0]
    wanted = {f"{module}.{name}": letters for name, letters in spec.callees.items()}
    callees = {name: look(name) for name in (*wanted, *spec.elsewhere)}
    changed, unserved = [], []
    if original.state == "changed":
        changed.append("the original changed")
    elif original.variant not in spec.natives:
        unserved.append(f"no native function for variant {original.variant}")
    for name, callee in callees.items():
        if callee.state == "absent" and name in spec.elsewhere:
            # Not every release has all of them.
            continue
        short = name if name in spec.elsewhere else name.rpartition(".")[2]
        if callee.state == "known":
            if str(callee.variant) not in {**wanted, **spec.elsewhere}[name]:
                unserved.append(f"not made for variant {callee.variant} of {short}")
        else:
            changed.append(f"its callee {short} {'is gone' * (callee.state == 'absent')}".rstrip())
            changed[-1] += " changed" * (callee.state == "changed")
    state = "changed" if changed else "unserved" if unserved else "served"
    return Route(spec, state, [*changed, *unserved], [original, *callees.values()])


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _to_fetch(first: str, last: str) -> str:
    """A release of a range: the newest that isn't a nightly one, for these don't stay."""

    def numbers(release: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", release)]

    seen = {release for known in KNOWN.values() for _, *ends in known.values() for release in ends}
    stable = [
        release
        for release in seen
        if "dev" not in release and numbers(first) <= numbers(release) <= numbers(last)
    ]
    return max(stable, key=numbers, default=last)


def as_json(
    skypilot: Skypilot, routes: list[Route], against: Skypilot | None = None
) -> dict[str, Any]:
    """What `run` prints with ``--json``."""
    functions = {function.name: function for route in routes for function in route.functions}
    return {
        "schema": SCHEMA,
        "skypilot": {"version": skypilot.version, "place": skypilot.place},
        "against": against and {"version": against.version, "place": against.place},
        "routes": {
            route.spec.target: {
                "state": route.state,
                "causes": route.causes,
                "opt_in": route.spec.opt_in is not None,
                "callees": [function.name for function in route.functions[1:]],
            }
            for route in routes
        },
        "functions": {name: _function_as_json(functions[name]) for name in functions},
    }


def _function_as_json(function: Function) -> dict[str, Any]:
    told = function._asdict()
    del told["name"]
    if function.differences is not None:
        told["differences"] = [difference._asdict() for difference in function.differences]
    return told


def as_text(skypilot: Skypilot, routes: list[Route], against: Skypilot | None = None) -> str:
    """What `run` prints: a table, and below it what changed."""
    from sky_rs_patch._runtime import status

    rows = [["route", "state", "variant", "releases", "why"]]
    for route in routes:
        original = route.functions[0]
        releases = _range(*original.releases) if original.releases else ""
        if original.state == "absent":
            releases = f"was in {releases}"
        elif original.state == "changed":
            releases = ""
        letter = original.variant if original.state == "known" else ""
        why = [*route.causes, *([original.note] if original.note else [])]
        why += ["opt-in"] * (route.spec.opt_in is not None and route.state == "served")
        name = route.spec.target
        rows.append([name, route.state, letter or "", releases, "; ".join(why)])
    served = sum(route.state == "served" for route in routes)
    missing = sum(route.state == "absent" for route in routes)
    parts = [
        f"SkyPilot {skypilot.version} in {skypilot.place}: of {len(routes)} routes {served} have "
        f"a known original, {missing} none, {len(routes) - served - missing} stay on Python.",
        "\n".join(status.aligned(rows, set(), ruled=True)),
    ]
    changed = {
        function.name: function
        for route in routes
        for function in route.functions
        if function.state == "changed"
    }
    for name, function in changed.items():
        waiting = [
            route.spec.target
            for route in routes
            if function in route.functions and route.spec.target != name
        ]
        parts.append("\n\n".join(_as_text(function, waiting, against)))
    if changed:
        near = [_to_fetch(*known.releases) for known in changed.values() if known.releases]
        hint = f"For diffs: --against {near[0]}, or another release\n" if near else ""
        parts.append(f"{hint * (against is None)}How to adapt: {GUIDE}")
    return "\n\n".join(parts)


def _as_text(function: Function, waiting: list[str], against: Skypilot | None) -> list[str]:
    """What there is to say of one changed function: a title, and the change."""
    title = f"{function.name} changed"
    if function.similarity is not None and function.releases is not None:
        near = f"{function.variant} (SkyPilot {_range(*function.releases)})"
        title += f"; nearest is {near}, {function.similarity:.0%} of the statements alike"
    if function.note:
        title += f"; {function.note}"
    if waiting:
        title += f"; read by {', '.join(waiting)}"
    told = [title]
    if function.differences:
        told.append("\n".join(_sentences(function.differences, function.statements or 0)))
    if function.diff:
        told.append(function.diff.rstrip("\n"))
    elif against is not None:
        has = "has none that could be compared" if function.diff is None else "has the same"
        told.append(f"SkyPilot {against.version} {has}")
    return told


_SAID = {"changed": "changed", "added": "was added", "moved": "is in another block"}


def _sentences(differences: list[Difference], count: int) -> list[str]:
    """A line for each statement that is there; one for those that are gone at one place."""
    said = []
    places = itertools.groupby(differences, lambda found: (found.statement, found.change == "gone"))
    for (number, is_gone), found in places:
        where = f"statement {number}" if number else "its head"
        if is_gone:
            lines = [str(difference.known_line) for difference in found]
            many, verb = ("s", "are") if len(lines) > 1 else ("", "is")
            said.append(
                f"  {len(lines)} statement{many} of the known version {verb} gone, "
                f"after {where} (there line{many} {', '.join(lines)})"
            )
            continue
        for change, _, line, text, _ in found:
            total = f" of {count}" if number else ""
            said.append(f"  {where}{total} {_SAID[change]} (line {line}: `{text}`)")
    return said


EPILOG = """\
examples:
  python -m sky_rs_patch fingerprints
  python -m sky_rs_patch fingerprints --against 0.14.1
  python -m sky_rs_patch fingerprints --of skypilot_nightly-1.0.0-py3-none-any.whl
  python -m sky_rs_patch fingerprints --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument(
        "--of",
        metavar="PLACE",
        help=f"a SkyPilot in the place of the installed one: {skypilot_sources.PLACES}",
    )
    parser.add_argument(
        "--against",
        metavar="PLACE",
        help="a SkyPilot to show a diff of each changed function from, given in the same ways",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    try:
        skypilot = _given("--of", options.of) or skypilot_sources.installed()
        against = _given("--against", options.against)
    except skypilot_sources.NoSkypilot as error:
        print(f"sky_rs_patch fingerprints: error: {error}", file=sys.stderr)
        return 2
    routes = survey(skypilot, against)
    if options.json:
        print(json.dumps(as_json(skypilot, routes, against), indent=2))
    else:
        print(as_text(skypilot, routes, against))
    return 0


def _given(option: str, place: str | None) -> Skypilot | None:
    if place is None:
        return None
    try:
        return skypilot_sources.at(place)
    except skypilot_sources.NoSkypilot as error:
        raise skypilot_sources.NoSkypilot(f"{option}: {error}") from None
