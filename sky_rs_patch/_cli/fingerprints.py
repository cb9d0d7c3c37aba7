"""``python -m sky_rs_patch fingerprints``: which of SkyPilot's functions are known here.

It reads sources and imports nothing of SkyPilot, so that a release can be looked at that doesn't
run here, or isn't installed. What stands in a running process is `status`'s to say.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from sky_rs_patch._fingerprints import compute
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._routes.spec import RouteSpec
from sky_rs_patch._routes.table import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = 1
GUIDE = "docs/new-skypilot.md"
_SOURCES = Path(__file__).parents[1] / "_fingerprints" / "known_sources.json"


class NoSkypilot(Exception):
    """There is no SkyPilot to look at; the message says where it was looked for."""


class Skypilot:
    """The sources of one SkyPilot.

    Args:
        place: a wheel, or a folder that has ``sky`` in it; the installed SkyPilot if ``None``.

    Raises:
        NoSkypilot: if there is none.
    """

    def __init__(self, place: Path | None) -> None:
        self._read: Callable[[str], bytes]
        if place is None:
            spec = importlib.util.find_spec("sky")
            homes = list(spec.submodule_search_locations or ()) if spec else []
            if not homes:
                raise NoSkypilot("SkyPilot isn't installed here")
            place = Path(homes[0]).parent
        self.place = place
        if zipfile.is_zipfile(place):
            archive = zipfile.ZipFile(place)
            self._read = archive.read
            self._files = archive.namelist()
        elif (place / "sky").is_dir():
            self._read = lambda name: (place / name).read_bytes()
            self._files = [path.relative_to(place).as_posix() for path in place.glob("sky/**/*.py")]
        else:
            raise NoSkypilot(f"{place} is no wheel, and there is no folder sky in it")
        self._trees: dict[str, ast.Module | None] = {}

    @property
    def version(self) -> str | None:
        """What ``sky/__init__.py`` says, the only place that wheels and folders both have."""
        text = (self.source("sky") or b"").decode("utf-8", "replace")
        found = re.search(r"^__version__ = ['\"]([^'\"]+)", text, re.MULTILINE)
        return found[1] if found else None

    def source(self, module: str) -> bytes | None:
        """The source of a module; ``None`` if there is none."""
        path = module.replace(".", "/")
        for name in (f"{path}.py", f"{path}/__init__.py"):
            try:
                return self._read(name)
            except (KeyError, OSError):
                continue
        return None

    def binding(self, module: str, name: str) -> ast.stmt | None:
        """The last statement of a module that binds a name.

        Raises:
            SyntaxError: if this Python can't parse the module.
        """
        if module not in self._trees:
            source = self.source(module)
            self._trees[module] = None if source is None else ast.parse(source)
        tree = self._trees[module]
        found = None
        for statement in tree.body if tree else ():
            if any(_binds(node, name) for node in _at_top_level(statement)):
                found = statement
        return found

    def homes(self, name: str) -> list[str]:
        """Modules in which a function of that name is defined at the top level."""
        pattern = re.compile(rf"^(async )?def {re.escape(name)}\(".encode(), re.MULTILINE)
        return sorted(
            file[: -len(".py")].replace("/", ".")
            for file in self._files
            if file.startswith("sky/") and file.endswith(".py") and pattern.search(self._read(file))
        )


def _at_top_level(statement: ast.stmt) -> Iterable[ast.AST]:
    """A statement, and those within its branches, as far as they bind names of the module."""
    yield statement
    if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                yield from _at_top_level(child)
            elif isinstance(child, ast.ExceptHandler):
                for inner in child.body:
                    yield from _at_top_level(inner)


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name == name
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name) == name for alias in node.names)
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and node.target.id == name
    return False


def text_of(source: bytes, definition: ast.stmt) -> str:
    """A statement as it was written, with its decorators and a line end."""
    lines = re.split("\r\n|\r|\n", source.decode("utf-8", "replace"))
    decorators = getattr(definition, "decorator_list", ())
    first = min([definition.lineno, *(node.lineno for node in decorators)])
    return "\n".join(lines[first - 1 : definition.end_lineno]) + "\n"


def _normalised(source: str) -> list[str]:
    """The lines of a function without docstring, comments and layout."""
    function = ast.parse(source).body[0]
    if isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None:
        function.body = function.body[1:] or [ast.Pass()]
    return ast.unparse(function).splitlines()


class Function(NamedTuple):
    """What is known of one function of SkyPilot.

    Attributes:
        name: dotted.
        state: ``known``, ``changed`` or ``absent``.
        variant: the letter of a known one, or of the known one that a changed one is nearest to.
        releases: the first and the last release that was looked at and has that variant; of an
            absent function, any of its variants.
        fingerprint: of the function that is there, if it has one.
        similarity: of a changed one to the nearest, from 0 to 1.
        diff: from the nearest known one to what is there, in unified form.
        note: what else there is to say.
    """

    name: str
    state: str
    variant: str | None = None
    releases: tuple[str, str] | None = None
    fingerprint: str | None = None
    similarity: float | None = None
    diff: str | None = None
    note: str | None = None


def examine(skypilot: Skypilot, name: str, sources: dict[str, dict[str, str]]) -> Function:
    """Compares one function with what is known of it.

    Args:
        skypilot: where it is looked for.
        name: dotted.
        sources: of the known functions: name -> fingerprint -> source.
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

    found = text_of(skypilot.source(module) or b"", statement)
    fingerprint: str | None = None
    note: str | None = None
    if isinstance(statement, ast.FunctionDef):
        fingerprint = compute.of_definition(statement)
        if fingerprint in known:
            letter, first, last = known[fingerprint]
            return Function(name, "known", letter, (first, last), fingerprint)
    else:
        note = f"no plain function any more (line {statement.lineno})"
    # Of equally near ones the newest.
    lines = _normalised(found)
    ratios = {
        print_: difflib.SequenceMatcher(None, _normalised(source), lines, autojunk=False).ratio()
        for print_, source in reversed(sources.get(name, {}).items())
    }
    if not ratios:
        return Function(name, "changed", fingerprint=fingerprint, note=note)
    nearest = max(ratios, key=ratios.__getitem__)
    letter, first, last = known[nearest]
    diff = difflib.unified_diff(
        sources[name][nearest].splitlines(keepends=True),
        found.splitlines(keepends=True),
        f"{name} ({letter}, SkyPilot {_range(first, last)})",
        f"{name} (SkyPilot {skypilot.version})",
    )
    return Function(
        *(name, "changed", letter, (first, last), fingerprint),
        *(ratios[nearest], "".join(diff), note),
    )


class Route(NamedTuple):
    """Whether a route is served, and if not, why.

    Attributes:
        spec: the route.
        state: ``served``; ``changed`` (original or callees); ``unserved`` (what is there is
            known, and no native function speaks for it); ``absent``.
        causes: what is in its way, for people.
        functions: its original, then its callees.
    """

    spec: RouteSpec
    state: str
    causes: list[str]
    functions: list[Function]


def survey(skypilot: Skypilot) -> list[Route]:
    """All routes of this project on one SkyPilot."""
    sources = json.loads(_SOURCES.read_text("utf-8"))["sources"]
    examined: dict[str, Function] = {}

    def look(name: str) -> Function:
        if name not in examined:
            examined[name] = examine(skypilot, name, sources)
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


def as_json(skypilot: Skypilot, routes: list[Route]) -> dict[str, Any]:
    """What `run` prints with ``--json``."""
    functions = {function.name: function for route in routes for function in route.functions}
    return {
        "schema": SCHEMA,
        "skypilot": {"version": skypilot.version, "place": str(skypilot.place)},
        "routes": {
            route.spec.target: {
                "state": route.state,
                "causes": route.causes,
                "opt_in": route.spec.opt_in is not None,
                "callees": [function.name for function in route.functions[1:]],
            }
            for route in routes
        },
        "functions": {
            name: {key: value for key, value in function._asdict().items() if key != "name"}
            for name, function in functions.items()
        },
    }


def as_text(skypilot: Skypilot, routes: list[Route]) -> str:
    """What `run` prints: a table, and below it the diffs."""
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
        title = f"{name} changed"
        if function.similarity is not None and function.releases is not None:
            near = f"{function.variant} (SkyPilot {_range(*function.releases)})"
            title += f"; nearest is {near}, {function.similarity:.0%} of the lines alike"
        if function.note:
            title += f"; {function.note}"
        if waiting:
            title += f"; read by {', '.join(waiting)}"
        parts.append(f"{title}\n\n{function.diff or ''}".rstrip())
    if changed:
        parts.append(f"How to adapt: {GUIDE}")
    return "\n\n".join(parts)


EPILOG = """\
examples:
  python -m sky_rs_patch fingerprints
  python -m sky_rs_patch fingerprints --of skypilot_nightly-1.0.0-py3-none-any.whl
  python -m sky_rs_patch fingerprints --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument(
        "--of",
        metavar="PLACE",
        type=Path,
        help="a SkyPilot wheel, or a folder with sky in it, in the place of the installed one",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    try:
        skypilot = Skypilot(options.of)
    except NoSkypilot as error:
        print(f"sky_rs_patch fingerprints: error: {error}", file=sys.stderr)
        return 2
    routes = survey(skypilot)
    if options.json:
        print(json.dumps(as_json(skypilot, routes), indent=2))
    else:
        print(as_text(skypilot, routes))
    return 0
