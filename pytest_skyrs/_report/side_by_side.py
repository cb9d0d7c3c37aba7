"""Side-by-side differences of two texts as HTML tables, in bounded time and room."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from sky_rs_patch._testing import html_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAX_ROWS = 1500
#: Characters of a line, or of a changed part of one.
_MAX_PART = 2000
#: Equal lines that are shown on either side of a change.
_CONTEXT = 3
#: Equal lines that are in the page, though folded.
_MAX_HIDDEN = 200
_Opcode = tuple[str, int, int, int, int]


class Painter:
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

    def _opcodes(self, a: Sequence[str], b: Sequence[str]) -> list[_Opcode]:
        """Returns difflib's opcodes, or coarser ones where those would take too long."""
        shorter = min(len(a), len(b))
        start = next((k for k in range(shorter) if a[k] != b[k]), shorter)
        shorter -= start
        end = next((k for k in range(shorter) if a[-1 - k] != b[-1 - k]), shorter)
        x, y = a[start : len(a) - end], b[start : len(b) - end]
        middle: list[_Opcode] = []
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


def _calm(opcodes: list[_Opcode], old: int, new: int) -> list[_Opcode]:
    """Joins changes that only a few letters part: confetti is harder to read than a word."""
    same = sum(i2 - i1 for tag, i1, i2, _, _ in opcodes if tag == "equal")
    if same * 4 < max(old, new):
        return [("replace", 0, old, 0, new)]
    joined: list[_Opcode] = []
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
        return html_page.marked(text)
    half = _MAX_PART // 2
    gap = f'<span class="esc">… {rest:,} characters …</span>'
    return f"{html_page.marked(text[:half])}{gap}{html_page.marked(text[-half:])}"


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
