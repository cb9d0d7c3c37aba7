"""The results as one HTML page that needs nothing else: no script, no font, no picture.

What is put in comes from a JSON file, so all of it is escaped, and the page's policy allows nothing
but its own style.
"""

from __future__ import annotations

import importlib.resources
import json
import math
from collections.abc import Sequence
from typing import Any

from sky_rs_patch._base import html_page
from sky_rs_patch._base.html_page import escaped
from sky_rs_patch._bench import table
from sky_rs_patch._bench.timing import seconds_text


def render(result: dict[str, Any]) -> str:
    """Renders the page.

    Args:
        result: what ``bench --json`` writes.
    """
    package = importlib.resources.files("sky_rs_patch._bench")
    sections = [
        (s.key, escaped(s.title), _CHARTS.get(s.key, _no_chart)(result) + _table(s))
        for s in table.sections(result)
    ]
    if result.get("server") is not None:
        sections.append(("server", "API server", _server(result["server"])))
    facts = html_page.definitions(
        (escaped(name), escaped(value)) for name, value in table.facts(result)
    )
    alerts = "".join(
        f'<p class="alert" role="note"><strong>Doubtful:</strong> {escaped(warning)}</p>\n'
        for warning in result["warnings"]
    )
    return html_page.document(
        title="sky-rs-patch: what the routes gain",
        style=package.joinpath("page.css").read_text(encoding="utf-8"),
        header=(
            f"<h1>What the routes gain</h1>\n<p>{escaped(_summary(result))}</p>\n"
            f'{alerts}<dl class="facts">{facts}</dl>\n'
            f'<p class="faint">{escaped(table.READING)}</p>'
        ),
        sections=sections,
    )


def _summary(result: dict[str, Any]) -> str:
    rated = [row for row in result["routes"] if row["ratio"]]
    slower = [row for row in rated if row["ratio"]["median"] < 1]
    missing = {row["function"] for row in result["routes"] if row["state"] == "no route"}
    names = ", ".join(f"{row['function']} ({row['workload']})" for row in slower)
    parts = [
        f"{len(rated)} workloads measured on both sides; "
        f"{f'{len(slower)} slower through the route: {names}' if slower else 'none is slower'}."
    ]
    if missing:
        parts.append(f"Without a route here: {', '.join(sorted(missing))}.")
    return " ".join(parts)


def _table(section: table.Section) -> str:
    slower = {
        (at, section.columns.index("ratio"))
        for at, cells in enumerate(section.rows)
        if _is_slower(section.columns, cells)
    }
    return html_page.table(
        escaped(section.title),
        [escaped(head) for head in section.columns],
        [[escaped(cell) for cell in cells] for cells in section.rows],
        section.right,
        slower,
    )


def _is_slower(columns: Sequence[str], cells: Sequence[str]) -> bool:
    cell = dict(zip(columns, cells)).get("ratio", "")
    try:
        return float(cell.rstrip("x")) < 1
    except ValueError:
        return False


def _server(given: Any) -> str:
    """Another program's results: its tables if it has some, else what it wrote."""
    parts = []
    for section in table.server_sections({"server": given}):
        parts.append(f"<h3>{escaped(section.title)}</h3>\n{_table(section)}\n")
    if not parts:
        parts.append(f'<div class="scroll"><pre>{_block(json.dumps(given, indent=1))}</pre></div>')
    return "".join(parts)


def _block(text: str) -> str:
    return "\n".join(escaped(line) for line in text.split("\n"))


# ---- charts -------------------------------------------------------------------------------------


class _Scale:
    """A logarithmic scale, in per cent of the width."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low = math.floor(math.log10(min(values)) * 3) / 3
        self.high = max(math.ceil(math.log10(max(values)) * 3) / 3, self.low + 1 / 3)

    def at(self, value: float) -> float:
        """Where a value is, within the scale's ends."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return 100 * min(1.0, max(0.0, share))

    def ticks(self) -> list[float]:
        """Powers of ten; with 2 and 5 of them where there are few."""
        first, last = math.floor(self.low), math.ceil(self.high)
        steps = (1,) if self.high - self.low > 2.5 else (1, 2, 5)
        ticks = [s * 10.0**p for p in range(first, last + 1) for s in steps]
        return [t for t in ticks if self.low - 1e-9 <= math.log10(t) <= self.high + 1e-9]


def _line(kind: str, x: float, y1: float = 0, y2: float = 100) -> str:
    return f'<line class="{kind}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{y1}%" y2="{y2}%"/>'


_MINOR = ' class="minor"'


def _axis(scale: _Scale, labels: Sequence[tuple[float, str]]) -> str:
    # On a narrow screen there is no room for labels between the powers of ten.
    marks = "".join(
        f'<text{"" if label.startswith("1") else _MINOR} x="{scale.at(value):.2f}%" y="14" '
        f'text-anchor="middle">{escaped(label)}</text>'
        for value, label in labels
    )
    return (
        '<li class="axis" aria-hidden="true"><span class="name"></span>'
        f'<svg>{marks}</svg><span class="value"></span></li>\n'
    )


def _rows(axis: str, rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Rows of name, what of it, drawing and value."""
    items = "".join(
        f'<li><span class="name">{escaped(name)} <span>{escaped(what)}</span></span>'
        f'{drawing}<span class="value">{escaped(value)}</span></li>\n'
        for name, what, drawing, value in rows
    )
    return f'<ul class="chart">\n{axis}{items}</ul>\n'


def _ratios(rows: Sequence[tuple[str, str, dict[str, float]]]) -> str:
    """A bar from 1 to each ratio, with its quartiles."""
    if not rows:
        return ""
    ends = [spread[end] for _, _, spread in rows for end in ("low", "high")]
    scale = _Scale([*ends, 0.9, 2.0])
    grid = "".join(_line("grid", scale.at(tick)) for tick in scale.ticks())
    one = scale.at(1)
    drawn = []
    for name, what, spread in rows:
        at = scale.at(spread["median"])
        tone = "bad" if spread["median"] < 1 else "good"
        left, width = min(one, at), max(abs(at - one), 0.3)
        low, high = scale.at(spread["low"]), scale.at(spread["high"])
        value = table.ratio(spread)
        drawing = (
            f'<svg role="img" aria-label="{value}"><title>{value}, quartiles '
            f"{table.quartiles(spread)}</title>{grid}{_line('one', one)}"
            f'<rect class="{tone}" x="{left:.2f}%" width="{width:.2f}%" y="20%" height="60%"/>'
            f'<line class="whisker" x1="{low:.2f}%" x2="{high:.2f}%" y1="50%" y2="50%"/>'
            f"{_line('whisker', low, 32, 68)}{_line('whisker', high, 32, 68)}</svg>"
        )
        drawn.append((name, what, drawing, value))
    axis = _axis(scale, [(tick, f"{tick:g}x") for tick in scale.ticks()])
    return f"<h3>How many times as fast</h3>\n{_rows(axis, drawn)}"


def _route_charts(result: dict[str, Any]) -> str:
    rated = [row for row in result["routes"] if row["ratio"]]
    ratios = _ratios([(row["function"], _with_reason(row), row["ratio"]) for row in rated])
    return f"{ratios}{_times(rated)}<h3>All of it</h3>\n"


def _with_reason(row: dict[str, Any]) -> str:
    """A workload's name, and why Rust didn't answer it if so: its ratio says nothing else."""
    reason = "" if row["answered"] else row["note"] or "not answered"
    return " — ".join(part for part in (str(row["workload"]), reason) if part)


def _times(rows: Sequence[dict[str, Any]]) -> str:
    """Original, routed and limit of each workload, on one scale of time."""
    if not rows:
        return ""
    shown = ("original", "routed", "limit")
    medians = [
        {name: row["seconds"][name]["median"] for name in shown if row["seconds"].get(name)}
        for row in rows
    ]
    scale = _Scale([value for each in medians for value in each.values()])
    grid = "".join(_line("grid", scale.at(tick)) for tick in scale.ticks())
    drawn = []
    for row, each in zip(rows, medians):
        said = ", ".join(f"{name} {seconds_text(value)}" for name, value in each.items())
        places = [scale.at(value) for value in each.values()]
        dots = "".join(
            f'<circle class="{name}" cx="{scale.at(value):.2f}%" cy="50%" r="{_RADIUS[name]}"/>'
            for name, value in each.items()
        )
        drawing = (
            f'<svg role="img" aria-label="{said}"><title>{said}</title>{grid}'
            f'<line class="span" x1="{min(places):.2f}%" x2="{max(places):.2f}%" y1="50%" '
            f'y2="50%"/>{dots}</svg>'
        )
        drawn.append((row["function"], row["workload"], drawing, seconds_text(each["routed"])))
    axis = _axis(scale, [(tick, seconds_text(tick)) for tick in scale.ticks()])
    key = "".join(
        f'<svg class="key" aria-hidden="true"><circle class="{name}" cx="50%" cy="50%" '
        f'r="{_RADIUS[name]}"/></svg>{name}'
        for name in shown
    )
    return f'<h3>Time of a call</h3>\n<p class="faint">{key}</p>\n{_rows(axis, drawn)}'


_RADIUS = {"original": 5, "routed": 5, "limit": 6}


def _end_charts(result: dict[str, Any]) -> str:
    rows = [(row["what"], "", row["ratio"]) for row in result["end_to_end"] if row.get("ratio")]
    return _ratios(rows)


def _peer_charts(result: dict[str, Any]) -> str:
    """Each workload that has a peer: the route, then its peers."""
    rows = []
    for row in result["routes"]:
        if row["peers"] and row["ratio"]:
            rows.append((row["function"], f"{row['workload']}: routed", row["ratio"]))
        for name, peer in row["peers"].items():
            rows.append((row["function"], f"{row['workload']}: {name}", peer["ratio"]))
    return _ratios(rows)


def _memory_charts(result: dict[str, Any]) -> str:
    rows = [
        row for row in result["memory"] if row.get("original") and row.get("routed") is not None
    ]
    if not rows:
        return ""
    most = max(max(row["original"], row["routed"]) for row in rows)
    drawn = []
    for row in rows:
        for backend in ("original", "routed"):
            value = table.mebibytes(row[backend])
            width = max(100 * row[backend] / most, 0.3)
            drawing = (
                f'<svg role="img" aria-label="{value}"><title>{backend}: {value}</title><rect '
                f'class="{backend}" x="0" width="{width:.2f}%" y="20%" height="60%"/></svg>'
            )
            drawn.append((row["function"], f"{row['workload']}: {backend}", drawing, value))
    return _rows("", drawn)


def _no_chart(_: dict[str, Any]) -> str:
    return ""


_CHARTS = {
    "routes": _route_charts,
    "peers": _peer_charts,
    "memory": _memory_charts,
    "end": _end_charts,
}
