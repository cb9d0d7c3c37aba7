"""One self-contained HTML page from the summary of a two-backend run.

The page holds what tests printed, which nobody vouches for. So what is written as markup here is
escaped, what the page's script shows is data that it only ever uses as text, and the page's policy
lets nothing run but the script that ships with it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources
import itertools
import json
import math
import re
import shlex
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_skyrs._report import registered as _registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MAX_CARDS = 1000
_MAX_ROWS = 1500
_MAX_TEXT = 4000
_MAX_PART = 2000
_CONTEXT = 3
_MAX_HIDDEN = 200

# Tone and meaning of each verdict. The name is always shown, too: a tone is only a colour.
_VERDICTS = {
    "diverged": ("bad", "Rust differs from Python in every run."),
    "crashed": ("bad", "The session crashed on Rust; on Python it didn't."),
    "collection-diverged": ("bad", "The test was collected on one backend only."),
    "rust-unstable": ("bad", "Rust contradicts itself; Python doesn't."),
    "flaky-control": ("warn", "Python contradicts itself, and gave Rust's result, too."),
    "inconclusive": ("warn", "It differs, but too unsteadily to say whose doing it is."),
    "not-compared": ("warn", "The test didn't run to its end on both backends."),
    "known": ("info", "It differs, and is listed as known."),
    "same-fail": ("good", "It fails, and alike on both."),
    "same": ("good", "Everything observed is equal, and Rust was reached."),
    "vacuous": ("mute", "Equal, but no call reached Rust: it proves nothing."),
}


def render(summary: dict[str, Any]) -> str:
    """Renders the page.

    Args:
        summary: the summary of a run, as it is written as JSON. Keys that are missing leave their
            part of the page out.

    Returns:
        The page, which can be encoded as UTF-8 whatever the summary holds.
    """
    package = importlib.resources.files("pytest_skyrs._report")
    style = package.joinpath("report.css").read_text(encoding="utf-8")
    script = package.joinpath("report.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    counts = _counts(summary)
    sections = [
        (key, title, body)
        for key, title, body in (
            ("divergences", "Divergences", _divergences(summary)),
            ("tests", "Tests", _TESTS),
            ("routes", "Routes", _routes(summary)),
            ("never", "Never reached", _never(summary)),
            ("resources", "Resources", _resources(summary)),
            ("normalisation", "Normalised before comparing", _normalisation(summary)),
        )
        if body
    ]
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in sections)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_title(counts)}</title>\n<style>{style}</style>\n</head>\n<body>\n",
        _header(summary),
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n',
        _filters(counts),
        *(
            f'<section aria-labelledby="{key}"><h2 id="{key}" tabindex="-1">{title}</h2>\n'
            f"{body}\n</section>\n"
            for key, title, body in sections
        ),
        f'</main>\n<script type="application/json" id="data">{_data(summary, counts)}</script>\n',
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


# ---- text ---------------------------------------------------------------------------------------


def _visible(value: object) -> str:
    """Returns a text in which everything can be seen and encoded, on one line."""
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _text(value: object, empty: str = "–") -> str:  # noqa: RUF001
    """Returns a value as escaped text; what is absent or empty as a dash."""
    if value is None or value == "":
        return empty
    if isinstance(value, float):
        return _number(value)
    return html.escape(_visible(value))


def _marked(text: str) -> str:
    r"""Escapes text so that a control character can be told from a literal ``\x1b``."""
    if text.isprintable():
        return html.escape(text)
    parts = []
    for shown, group in itertools.groupby(text, lambda c: c.isprintable() or c == "\t"):
        run = "".join(group)
        parts.append(html.escape(run) if shown else f'<span class="esc">{_visible(run)}</span>')
    return "".join(parts)


def _block(value: object) -> str:
    """Returns text of several lines, cut when long."""
    text = value if isinstance(value, str) else str(value)
    rest = len(text) - _MAX_TEXT
    lines = (_marked(line) for line in text[:_MAX_TEXT].split("\n"))
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


def _table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: str) -> str:
    """Returns a table that scrolls within itself.

    Args:
        label: what the table is, for those who can't see it.
        heads: the columns' heads.
        rows: cells that are markup already; each row starts with what it is about.
        numbers: a character a column; ``#`` is one of numbers.
    """
    classes = [' class="num"' if kind == "#" else "" for kind in numbers]
    head = "".join(f'<th scope="col"{c}>{h}</th>' for c, h in zip(classes, heads))
    body = "".join(
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(f"<td{c}>{cell}</td>" for c, cell in zip(classes[1:], cells[1:]))
        + "</tr>\n"
        for cells in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"
    )


def _badge(verdict: object) -> str:
    tone = _VERDICTS.get(str(verdict), ("mute", ""))[0]
    return f'<span class="badge {tone}">{_text(verdict)}</span>'


def _counts(summary: dict[str, Any]) -> dict[str, int]:
    """Returns how many tests have each verdict, the worst verdicts first."""
    given = {_visible(k): v for k, v in _map(summary.get("counts")).items()}
    seen = Counter(_visible(_map(test).get("verdict")) for test in _list(summary.get("tests")))
    counts = {name: given.get(name, seen.get(name, 0)) for name in [*_VERDICTS, *given, *seen]}
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def _title(counts: dict[str, int]) -> str:
    bad = [
        f"{count} {_text(name)}"
        for name, count in counts.items()
        if count and _VERDICTS.get(name, ("",))[0] == "bad"
    ]
    return f"skyrs: {', '.join(bad) or 'nothing diverged'}"


def _header(summary: dict[str, Any]) -> str:
    parts = ["<header>\n<h1>Python and Rust, test by test</h1>\n"]
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
        parts.append(_table("Arms", heads, rows, "..####.."))
    return "".join([*parts, "\n</header>\n"])


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in facts if fact)
    return f"<dl>{items}</dl>\n" if items else ""


def _filters(counts: dict[str, int]) -> str:
    chips = "".join(
        f'<button type="button" class="badge {_VERDICTS.get(name, ("mute",))[0]}"'
        f' aria-pressed="false"{"" if count else " data-empty"}>'
        f"<b>{count:,}</b> {_text(name)}</button>\n"
        for name, count in counts.items()
    )
    legend = "".join(
        f"<div><dt>{_badge(name)}</dt><dd>{meaning}</dd></div>"
        for name, (_, meaning) in _VERDICTS.items()
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
        route, shown = _map(value), _visible(name)
        seconds = _map(route.get("seconds"))
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
                _ratio(seconds.get("python"), seconds.get("rust")),
                _coverage(_map(route.get("coverage"))),
            )
        )
    heads = (
        *("function", "state", "Rust calls", "Python calls", "declined", "tests"),
        *("speed-up", "the original's coverage"),
    )
    return _table("Routes", heads, rows, "..##.##.") if rows else ""


def _ratio(python: object, rust: object) -> str:
    if isinstance(python, (int, float)) and isinstance(rust, (int, float)) and rust > 0:
        return f'<span title="{python:.3g} s and {rust:.3g} s">{python / rust:.1f}×</span>'  # noqa: RUF001
    return _text(None)


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
    return _table("Resources", heads, rows, "..##") if rows else ""


def _amount(what: object, value: object) -> str:
    if what == "memory" and isinstance(value, (int, float)):
        return f"{value / (1 << 20):,.1f} MiB"
    return _number(value)


def _normalisation(summary: dict[str, Any]) -> str:
    rows = [(_text(k), _number(v)) for k, v in _map(summary.get("normalisation")).items()]
    return _table("Normalisation", ("what", "times"), rows, ".#") if rows else ""


# ---- divergences --------------------------------------------------------------------------------


def _divergences(summary: dict[str, Any]) -> str:
    items = [_map(item) for item in _list(summary.get("divergences"))]
    if not items:
        return "<p>None.</p>"
    painter = _Painter()
    cards = [_card(item, painter, is_open=len(items) == 1) for item in items[:_MAX_CARDS]]
    more = len(items) - len(cards)
    if more:
        cards.append(f'<p class="alert">{more:,} more are only in the JSON report.</p>')
    cards.append('<p><button type="button" id="more" hidden>Show more</button></p>')
    return "\n".join(cards)


def _card(item: dict[str, Any], painter: _Painter, is_open: bool) -> str:
    known, function = item.get("known"), item.get("function")
    facts = [("test", f"<code>{_text(item.get('test'))}</code>")]
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
        f'<span class="test">{_text(item.get("test"))}</span></summary>\n'
        f"{_facts(facts)}{painter.diff(item.get('python'), item.get('rust'))}</details>"
    )


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


class _Painter:
    """Draws the page's diffs, with bounds on the work and the room that all of them take."""

    def __init__(self) -> None:
        self._work = 10_000_000
        self._room = 12_000_000

    def diff(self, python: object, rust: object) -> str:
        """Returns two texts side by side, or why they aren't shown."""
        if self._room <= 0:
            return "<p>The page is full: the texts are only in the JSON report.</p>"
        left, right = _lines(python), _lines(rust)
        note = ""
        if left is None or right is None:
            absent = " and ".join(n for n, x in (("Python", left), ("Rust", right)) if x is None)
            note = f"<p>Nothing was recorded on {absent}.</p>"
        elif left == right:
            note = "<p>The texts are equal.</p>"
        if not left and not right:
            return note
        body = "".join(self._bodies(left or [], right or []))
        self._room -= len(body)
        return (
            f'{note}<div class="scroll diff" role="region" tabindex="0" aria-label="Difference">'
            '<table><colgroup><col class="n"><col><col class="n"><col></colgroup>'
            '<thead><tr><th scope="col" colspan="2">Python</th>'
            f'<th scope="col" colspan="2">Rust</th></tr></thead>\n{body}</table></div>'
        )

    def _bodies(self, a: list[str], b: list[str]) -> Iterator[str]:
        """Yields bodies of the table; those of equal lines far from a change are folded."""
        room = _MAX_ROWS
        opcodes = self._opcodes(a, b)
        for number, (tag, i1, i2, j1, j2) in enumerate(opcodes):
            size = i2 - i1
            if tag == "equal":
                head = _CONTEXT if number else 0
                tail = _CONTEXT if number < len(opcodes) - 1 else 0
                hidden = size - head - tail
                if hidden <= _CONTEXT:
                    yield _body(_equal_rows(a, i1, j1, size))
                else:
                    rows = _equal_rows(a, i1 + head, j1 + head, min(hidden, _MAX_HIDDEN + 1))
                    yield _body(_equal_rows(a, i1, j1, head))
                    yield _fold(f"{hidden:,} equal lines", rows if hidden <= _MAX_HIDDEN else [])
                    yield _body(_equal_rows(a, i2 - tail, j2 - tail, tail))
                    size = head + tail
                room -= size
                continue
            pairs = list(_pairs(a[i1:i2], b[j1:j2]))
            rows = []
            for i, j in pairs[: max(room, 0)]:
                left = None if i is None else (i1 + i, a[i1 + i])
                right = None if j is None else (j1 + j, b[j1 + j])
                if left and right and left[1] == right[1]:
                    rows += _equal_rows(a, left[0], right[0], 1)
                else:
                    rows.append(self._changed_row(left, right))
            yield _body(rows)
            if len(rows) < len(pairs):
                rest = len(pairs) - len(rows) + max(len(a) - i2, len(b) - j2)
                yield _fold(f"{rest:,} more lines are only in the JSON report")
                return
            room -= len(rows)

    def _changed_row(self, old: tuple[int, str] | None, new: tuple[int, str] | None) -> str:
        """Returns a row of two lines, each with its index, or of one that has no counterpart."""
        left, right = [], []
        if old and new:
            opcodes = self._opcodes(old[1], new[1])
            for tag, i1, i2, j1, j2 in opcodes:
                if tag == "equal":
                    same = old[1][i1:i2]
                    # A line's end is only shown where it is what differs.
                    same = same.rstrip("\n") if i2 == len(old[1]) else same
                    left.append(_shortened(same))
                    right.append(_shortened(same))
                if tag != "equal" and i1 < i2:
                    left.append(f"<del>{_shortened(old[1][i1:i2])}</del>")
                if tag != "equal" and j1 < j2:
                    right.append(f"<ins>{_shortened(new[1][j1:j2])}</ins>")
        elif old:
            left.append(_alone(old[1]))
        elif new:
            right.append(_alone(new[1]))
        return (
            f"<tr>{_cell(old and old[0], '−', 'old', ''.join(left))}"  # noqa: RUF001
            f"{_cell(new and new[0], '+', 'new', ''.join(right))}</tr>\n"
        )

    def _opcodes(self, a: Sequence[str], b: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
        """Returns difflib's opcodes, or coarser ones where those would take too long."""
        shorter = min(len(a), len(b))
        start = next((k for k in range(shorter) if a[k] != b[k]), shorter)
        shorter -= start
        end = next((k for k in range(shorter) if a[-1 - k] != b[-1 - k]), shorter)
        x, y = a[start : len(a) - end], b[start : len(b) - end]
        middle: list[tuple[str, int, int, int, int]] = []
        if x or y:
            tag = "replace" if x and y else "delete" if x else "insert"
            middle = [(tag, 0, len(x), 0, len(y))]
        if x and y:
            have = Counter(y)
            work = len(x) + len(y) + sum(n * have[item] for item, n in Counter(x).items())
            if work <= min(self._work, 200_000):
                self._work -= work
                matcher = SequenceMatcher(None, x, y, autojunk=work > 40_000)
                middle = list(matcher.get_opcodes())
                if isinstance(a, str):
                    middle = _calm(middle, len(x), len(y))
        whole = [("equal", 0, start, 0, start)] if start else []
        whole += [(tag, p + start, q + start, r + start, s + start) for tag, p, q, r, s in middle]
        if end:
            whole.append(("equal", len(a) - end, len(a), len(b) - end, len(b)))
        return whole


def _calm(
    opcodes: list[tuple[str, int, int, int, int]], old: int, new: int
) -> list[tuple[str, int, int, int, int]]:
    """Joins changes that only a few letters part: confetti is harder to read than a word."""
    same = sum(i2 - i1 for tag, i1, i2, _, _ in opcodes if tag == "equal")
    if same * 4 < max(old, new):
        return [("replace", 0, old, 0, new)]
    joined: list[tuple[str, int, int, int, int]] = []
    for tag, i1, i2, j1, j2 in opcodes:
        # What is trimmed off beforehand starts and ends with a change, so these have neighbours.
        kind = "change" if tag != "equal" or i2 - i1 < 3 else "equal"
        if joined and joined[-1][0] == kind == "change":
            joined[-1] = ("change", joined[-1][1], i2, joined[-1][3], j2)
        else:
            joined.append((kind, i1, i2, j1, j2))
    return joined


def _pairs(a: list[str], b: list[str]) -> Iterator[tuple[int | None, int | None]]:
    """Yields the indices of the changed lines that stand side by side."""
    n, m = len(a), len(b)
    if n == m or n * m > 150:
        yield from itertools.zip_longest(range(n), range(m))
        return
    # best[i][j]: how alike the lines from i and j on can be made to look.
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    alike = [[_likeness(a[i], b[j]) for j in range(m)] for i in range(n)]
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], alike[i][j] + best[i + 1][j + 1])
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and alike[i][j] and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif i < n and (j == m or best[i][j] == best[i + 1][j]):
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def _likeness(old: str, new: str) -> float:
    ratio = SequenceMatcher(None, old[:200], new[:200], autojunk=False).quick_ratio()
    return ratio if ratio > 0.5 else 0.0


def _lines(value: object) -> list[str] | None:
    """Splits at line feeds only: the other line ends are what a diff has to show."""
    if value is None:
        return None
    return re.findall(r"[^\n]*\n|[^\n]+", value if isinstance(value, str) else str(value))


def _shortened(text: str) -> str:
    rest = len(text) - _MAX_PART
    if rest <= 0:
        return _marked(text)
    half = _MAX_PART // 2
    gap = f'<span class="esc">… {rest:,} characters …</span>'
    return f"{_marked(text[:half])}{gap}{_marked(text[-half:])}"


def _alone(line: str) -> str:
    """Returns a line that has no counterpart; an empty one has to be visible, too."""
    return _shortened(line if line == "\n" else line.rstrip("\n"))


def _cell(index: int | None, sign: str, kind: str, content: str) -> str:
    if index is None:
        return '<td class="n void"></td><td class="void"></td>'
    return f'<td class="n {kind}">{index + 1} {sign}</td><td class="{kind}">{content}</td>'


def _equal_rows(lines: list[str], i: int, j: int, count: int) -> list[str]:
    rows = []
    for k in range(count):
        content = _shortened(lines[i + k].rstrip("\n"))
        rows.append(
            f'<tr><td class="n">{i + k + 1}</td><td>{content}</td>'
            f'<td class="n">{j + k + 1}</td><td>{content}</td></tr>\n'
        )
    return rows


def _body(rows: list[str]) -> str:
    return f"<tbody>{''.join(rows)}</tbody>" if rows else ""


def _fold(label: str, rows: Sequence[str] = ()) -> str:
    """Returns a row that stands for others; with rows, a button that shows them."""
    shown, hidden = label, ""
    if rows:
        shown = f'<button type="button" class="unfold" aria-expanded="false">{label}</button>'
        hidden = f"<tbody hidden>{''.join(rows)}</tbody>"
    return f'<tbody class="fold"><tr><td colspan="4">{shown}</td></tr></tbody>{hidden}'


# ---- data for the page's script -----------------------------------------------------------------


def _data(summary: dict[str, Any], counts: dict[str, int]) -> str:
    """Returns what the page's script filters, as JSON that can't end the element it is in."""
    names: dict[str, int] = {
        _visible(name): k for k, name in enumerate(_map(summary.get("routes")))
    }
    tests = []
    for item in map(_map, _list(summary.get("tests"))):
        test = {**item, "verdict": _visible(item.get("verdict"))}
        functions = [_visible(name) for name in _list(item.get("functions"))]
        test["functions"] = [names.setdefault(name, len(names)) for name in functions]
        tests.append(test)
    cards = []
    for item in map(_map, _list(summary.get("divergences"))[:_MAX_CARDS]):
        card = {
            "id": item.get("id"),
            "test": item.get("test"),
            "verdict": _visible(item.get("verdict")),
            "known": bool(item.get("known")),
        }
        function = item.get("function")
        card["function"] = (
            names.setdefault(_visible(function), len(names)) if function is not None else None
        )
        cards.append(card)
    data = {
        "verdicts": [[name, _VERDICTS.get(name, ("mute",))[0]] for name in counts],
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
        return _visible(value)
    if isinstance(value, dict):
        return {_visible(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
