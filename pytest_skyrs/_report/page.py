"""One self-contained HTML page from the summary of a two-backend run.

The page holds what tests printed, which nobody vouches for. So what is written as markup here is
escaped, what the page's script shows is data that it only ever uses as text, and the page's policy
lets nothing run but the script that ships with it.
"""

from __future__ import annotations

import html
import importlib.resources
import json
import math
import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_skyrs._model import verdicts
from pytest_skyrs._report import registered as _registered
from pytest_skyrs._report.side_by_side import Painter
from sky_rs_patch._testing import html_page

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CARDS = 1000
_MAX_TEXT = 4000
_MAX_HIDDEN = 200


def render(summary: dict[str, Any]) -> str:
    """Renders the page.

    Args:
        summary: the summary of a run, as it is written as JSON. Keys that are missing leave their
            part of the page out.

    Returns:
        The page, which can be encoded as UTF-8 whatever the summary holds.
    """
    package = importlib.resources.files("pytest_skyrs._report")
    counts = _counts(summary)
    return html_page.document(
        title=_title(counts),
        style=package.joinpath("report.css").read_text(encoding="utf-8"),
        header=_header(summary),
        before=_filters(counts),
        sections=(
            ("divergences", "Divergences", _divergences(summary)),
            ("tests", "Tests", _TESTS),
            ("routes", "Routes", _routes(summary)),
            ("never", "Never reached", _never(summary)),
            ("resources", "Resources", _resources(summary)),
            ("normalisation", "Normalised before comparing", _normalisation(summary)),
        ),
        data=_data(summary, counts),
        script=package.joinpath("report.js").read_text(encoding="utf-8"),
    )


# ---- text ---------------------------------------------------------------------------------------


def _text(value: object, empty: str = "–") -> str:  # noqa: RUF001
    """Returns a value as escaped text; what is absent or empty as a dash."""
    if value is None or value == "":
        return empty
    if isinstance(value, float):
        return _number(value)
    return html_page.escaped(value)


def _block(value: object) -> str:
    """Returns text of several lines, cut when long."""
    text = value if isinstance(value, str) else str(value)
    rest = len(text) - _MAX_TEXT
    lines = (html_page.marked(line) for line in text[:_MAX_TEXT].split("\n"))
    more = f' <span class="esc">… {rest:,} more characters</span>' if rest > 0 else ""
    return "\n".join(lines) + more


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _text(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:,.2f}"


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


# ---- the page's parts ---------------------------------------------------------------------------


def _badge(verdict: object) -> str:
    return f'<span class="badge {_tone(verdict)}">{_text(verdict)}</span>'


def _tone(verdict: object) -> str:
    """The class of a verdict's colour, also of one that only the summary knows."""
    facts = verdicts.BY_NAME.get(str(verdict))
    return facts.tone if facts else "mute"


def _counts(summary: dict[str, Any]) -> dict[str, int]:
    """Returns how many tests have each verdict, the worst verdicts first."""
    given = {html_page.visible(k): v for k, v in _map(summary.get("counts")).items()}
    seen = Counter(
        html_page.visible(_map(test).get("verdict")) for test in _list(summary.get("tests"))
    )
    worst = [verdict.name for verdict in verdicts.BY_SEVERITY]
    counts = {name: given.get(name, seen.get(name, 0)) for name in [*worst, *given, *seen]}
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def _title(counts: dict[str, int]) -> str:
    bad = [
        f"{count} {_text(name)}" for name, count in counts.items() if count and _tone(name) == "bad"
    ]
    return f"skyrs: {', '.join(bad) or 'nothing diverged'}"


def _header(summary: dict[str, Any]) -> str:
    parts = ["<h1>Python and Rust, test by test</h1>\n"]
    if summary.get("closing"):
        parts.append(f'<p class="closing">{_text(summary["closing"])}</p>\n')
    if summary.get("interrupted") or not summary.get("complete", True):
        why = _text(summary.get("interrupted"), "the run didn't get to its end")
        parts.append(f'<p class="alert" role="note"><strong>Incomplete:</strong> {why}</p>\n')
    for stale in _list(summary.get("stale")):
        known = "<strong>Stale known difference:</strong>"
        parts.append(f'<p class="alert" role="note">{known} {_text(stale)}</p>\n')
    for finding in map(_map, _list(summary.get("registered"))):
        parts.append(f'<p class="alert" role="note">{_text(_registered.describe(finding))}</p>\n')
    command = _list(summary.get("command"))
    facts = [
        ("command", f"<code>{_text(shlex.join(map(str, command)))}</code>" if command else ""),
        ("root", _text(summary.get("rootdir"), "")),
        ("created", _text(summary.get("created"), "")),
    ]
    for name, version in _map(summary.get("versions")).items():
        shown = _text(version, "absent")
        if isinstance(version, dict):
            shown = ", ".join(f"{_text(k)} {_text(v)}" for k, v in version.items())
        facts.append((_text(name).replace("_", "-"), shown))
    parts.append(_facts(facts))
    arms = [_map(arm) for arm in _list(summary.get("arms"))]
    if arms:
        rows = [
            (
                _text(arm.get("name")),
                _text(arm.get("backend")),
                _number(arm.get("round")),
                _number(arm.get("tests")),
                _number(arm.get("seconds")),
                _text(arm.get("exit")),
                _text(arm.get("problem")),
                "<br>".join(map(_text, _list(arm.get("leftovers")))) or _text(None),
            )
            for arm in arms
        ]
        heads = "arm", "backend", "round", "tests", "seconds", "exit", "problem", "left behind"
        parts.append(html_page.table("Arms", heads, rows, {2, 3, 4, 5}))
    return "".join(parts)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = html_page.definitions((name, fact) for name, fact in facts if fact)
    return f"<dl>{items}</dl>\n" if items else ""


def _filters(counts: dict[str, int]) -> str:
    chips = "".join(
        f'<button type="button" class="badge {_tone(name)}"'
        f' aria-pressed="false"{"" if count else " data-empty"}>'
        f"<b>{count:,}</b> {_text(name)}</button>\n"
        for name, count in counts.items()
    )
    legend = html_page.definitions(
        (_badge(verdict.name), f"{verdict.meaning}.") for verdict in verdicts.BY_SEVERITY
    )
    return (
        '<noscript><p class="alert">The filters and the list of tests need JavaScript.</p>'
        '</noscript>\n<form id="filters" role="search" aria-label="Filters">\n'
        f'<div class="chips" role="group" aria-label="Verdicts">{chips}</div>\n'
        '<div class="fields"><label>Function <select id="function"><option value="">any</option>'
        '</select></label>\n<label>Test <input id="text" type="search" autocomplete="off" '
        'spellcheck="false" placeholder="words of its ID"></label>\n'
        '<button type="button" id="clear">Clear</button></div>\n'
        '<p id="shown" role="status"></p>\n'
        f'<details class="legend"><summary>What the verdicts mean</summary><dl>{legend}</dl>'
        "</details>\n</form>\n"
    )


_TESTS = (
    '<div class="scroll" role="region" tabindex="0" aria-label="Tests"><table id="list">'
    "<thead></thead><tbody></tbody></table></div>\n"
    '<div class="pager" role="group" aria-label="Pages">'
    '<button type="button" id="previous">Previous</button> <span id="page"></span> '
    '<button type="button" id="next">Next</button></div>'
)


def _routes(summary: dict[str, Any]) -> str:
    rows = []
    for name, value in _map(summary.get("routes")).items():
        route, shown = _map(value), html_page.visible(name)
        declines = _map(route.get("declines")).items()
        link = f"#function={quote(shown, safe='')}"
        rows.append(
            (
                f'<a href="{link}" title="Show only its tests">{html.escape(shown)}</a>',
                _text(route.get("state"))
                + _text(route.get("reason") and f": {route['reason']}", ""),
                _number(route.get("rust")),
                _number(route.get("python")),
                "<br>".join(f"{_text(why)} {_number(n)}" for why, n in declines) or _text(None),
                _number(route.get("tests")),
                _coverage(_map(route.get("coverage"))),
            )
        )
    heads = (
        *("function", "state", "Rust calls", "Python calls", "declined", "tests"),
        "the original's coverage",
    )
    return html_page.table("Routes", heads, rows, {2, 3, 5}) if rows else ""


def _coverage(coverage: dict[str, Any]) -> str:
    if not coverage:
        return _text(None)
    missing, bypassed = _list(coverage.get("missing")), _list(coverage.get("bypassed"))
    covered = len(_list(coverage.get("covered")))
    parts = [f"{covered} of {_text(coverage.get('lines', covered + len(missing)))} lines"]
    branches, seen = coverage.get("branches"), coverage.get("covered_branches", 0)
    if branches:
        parts.append(f"{_text(seen)} of {_text(branches)} branches")
    if missing:
        parts.append(f"missing: {_text(', '.join(map(str, missing)))}")
    if bypassed:
        items = "".join(f"<li>{_text(test)}</li>" for test in bypassed[:_MAX_HIDDEN])
        more = len(bypassed) - _MAX_HIDDEN
        items += f"<li>… and {more:,} more</li>" if more > 0 else ""
        parts.append(
            f"<details><summary>bypassed by {len(bypassed):,}</summary><ul>{items}</ul></details>"
        )
    return "<br>".join(parts)


def _never(summary: dict[str, Any]) -> str:
    names = "".join(f"<li>{_text(name)}</li>\n" for name in _list(summary.get("never_reached")))
    return f'<p>No test called these.</p>\n<ul class="names">{names}</ul>' if names else ""


def _resources(summary: dict[str, Any]) -> str:
    rows = [
        (
            _text(item.get("test")),
            _text(item.get("what")),
            *(_amount(item.get("what"), item.get(side)) for side in ("python", "rust")),
        )
        for item in map(_map, _list(summary.get("resources")))
    ]
    heads = "test", "left behind", "on Python", "on Rust"
    return html_page.table("Resources", heads, rows, {2, 3}) if rows else ""


def _amount(what: object, value: object) -> str:
    if what == "memory" and isinstance(value, (int, float)):
        return f"{value / (1 << 20):,.1f} MiB"
    return _number(value)


def _normalisation(summary: dict[str, Any]) -> str:
    rows = [(_text(k), _number(v)) for k, v in _map(summary.get("normalisation")).items()]
    return html_page.table("Normalisation", ("what", "times"), rows, {1}) if rows else ""


# ---- divergences --------------------------------------------------------------------------------


def _divergences(summary: dict[str, Any]) -> str:
    items = [_map(item) for item in _list(summary.get("divergences"))]
    if not items:
        return "<p>None.</p>"
    painter = Painter()
    cards = [_card(item, painter, is_open=len(items) == 1) for item in items[:_MAX_CARDS]]
    more = len(items) - len(cards)
    if more:
        cards.append(f'<p class="alert">{more:,} more are only in the JSON report.</p>')
    cards.append('<p><button type="button" id="more" hidden>Show more</button></p>')
    return "\n".join(cards)


def _card(item: dict[str, Any], painter: Painter, is_open: bool) -> str:
    known, function = item.get("known"), item.get("function")
    facts = [("test", f"<code>{_text(item.get('test'))}</code>")]
    count = item["tests"] if isinstance(item.get("tests"), int) else 1
    several = count > 1
    if several:
        link = f"#cause={quote(html_page.visible(item.get('id')), safe='')}"
        alike = "all that differ so" if not item.get("mixed") else "with others of this kind"
        facts.append(("tests", f'<a href="{link}">{count:,} tests</a>, {alike}'))
    changed = _list(item.get("environment"))
    if changed:
        facts.append(("had other values", f"<code>{_text(', '.join(map(str, changed)))}</code>"))
    if function:
        facts.append(("function", f"<code>{_text(function)}</code>"))
    for key in ("arguments", "detail"):
        if item.get(key):
            facts.append((key, f'<code class="block" tabindex="0">{_block(item[key])}</code>'))
    if known:
        facts.append(("known", _known(known)))
    runs = _runs(_map(item.get("runs")))
    if runs:
        facts.append(("runs", runs))
    if item.get("repro"):
        facts.append(("repeat with", f'<code class="copy">{_text(item["repro"])}</code>'))
    listed = ' <span class="badge info">known</span>' if known else ""
    return (
        f'<details class="card"{" open" if is_open else ""}><summary>'
        f"{_badge(item.get('verdict'))}{listed} <b>{_text(item.get('observable'))}</b> "
        f'<span class="about">{_text(function, "")}</span> '
        f'<span class="test">{_text(item.get("test"))}'
        f"{f' and {count - 1:,} more' if several else ''}</span></summary>\n"
        f"{_facts(facts)}{painter.diff(item.get('python'), item.get('rust'))}"
        f"{''.join(_example(_map(each), painter) for each in _list(item.get('examples')))}"
        "</details>"
    )


def _example(item: dict[str, Any], painter: Painter) -> str:
    """The same difference in another test."""
    facts = [("also in", f"<code>{_text(item.get('test'))}</code>")]
    if item.get("arguments"):
        facts.append(
            ("arguments", f'<code class="block" tabindex="0">{_block(item["arguments"])}</code>')
        )
    return f"{_facts(facts)}{painter.diff(item.get('python'), item.get('rust'))}"


def _known(known: object) -> str:
    if not isinstance(known, dict):
        return _text(known)
    issue = known.get("issue")
    shown = _text(issue, "")
    if isinstance(issue, str) and re.fullmatch(r"https?://[!-~]+", issue):
        shown = f'<a href="{shown}" rel="noopener noreferrer">{shown}</a>'
    return f"{_text(known.get('reason'))} {shown}".strip()


def _runs(runs: dict[str, Any]) -> str:
    """Returns what each run saw, as letters: equal letters for equal texts."""
    letters: dict[str, str] = {}
    parts = []
    for backend, seen in runs.items():
        for text in map(str, _list(seen)):
            number = len(letters)
            letters.setdefault(text, chr(65 + number) if number < 26 else f"#{number + 1}")
        parts.append(f"{_text(backend)} {' '.join(letters[str(t)] for t in _list(seen))}")
    return f"{'; '.join(parts)} (equal letters: equal texts)" if letters else ""


# ---- data for the page's script -----------------------------------------------------------------


def _data(summary: dict[str, Any], counts: dict[str, int]) -> str:
    """Returns what the page's script filters, as JSON that can't end the element it is in."""
    names: dict[str, int] = {
        html_page.visible(name): k for k, name in enumerate(_map(summary.get("routes")))
    }
    tests = []
    for item in map(_map, _list(summary.get("tests"))):
        test = {**item, "verdict": html_page.visible(item.get("verdict"))}
        functions = [html_page.visible(name) for name in _list(item.get("functions"))]
        test["functions"] = [names.setdefault(name, len(names)) for name in functions]
        tests.append(test)
    cards = []
    for item in map(_map, _list(summary.get("divergences"))[:_MAX_CARDS]):
        card = {
            "id": item.get("id"),
            "test": item.get("test"),
            "verdict": html_page.visible(item.get("verdict")),
            "known": bool(item.get("known")),
        }
        function = item.get("function")
        card["function"] = (
            names.setdefault(html_page.visible(function), len(names))
            if function is not None
            else None
        )
        cards.append(card)
    data = {
        "verdicts": [[name, _tone(name)] for name in counts],
        "tests": tests,
        "cards": cards,
        "names": list(names),
    }
    text = json.dumps(_plain(data), separators=(",", ":"))
    # All else that HTML or JavaScript could take for more than text is escaped as not ASCII.
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _plain(value: Any) -> Any:
    """Returns the value with visible texts and with numbers that JSON has."""
    if isinstance(value, str):
        return html_page.visible(value)
    if isinstance(value, dict):
        return {html_page.visible(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
