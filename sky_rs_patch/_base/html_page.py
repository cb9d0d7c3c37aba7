"""Self-contained HTML pages: document with a strict policy, escaped text, tables.

Nobody vouches for what the pages show. So all text is escaped, and a page's policy lets nothing
apply but the style and the script that are given here.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence


def document(
    *,
    title: str,
    style: str,
    header: str,
    sections: Iterable[tuple[str, str, str]],
    before: str = "",
    data: str | None = None,
    script: str | None = None,
) -> str:
    """A whole page. Its parts, but for the style and the script, are markup already.

    Args:
        title: the document's title.
        style: the page's CSS.
        header: the contents of the page's header.
        sections: key, title and body of each section; empty bodies are left out.
        before: what stands above the sections.
        data: what the script reads, as JSON that can't end the element it is in.
        script: the page's JavaScript.

    Returns:
        The page, complete.
    """
    shown = [section for section in sections if section[2]]
    policy = ["default-src 'none'", f"style-src '{digest(style)}'"]
    if script is not None:
        policy.append(f"script-src '{digest(script)}'")
    policy += ["base-uri 'none'", "form-action 'none'"]
    if script is not None:
        policy.append("require-trusted-types-for 'script'")
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _ in shown)
    # A script may move the focus to a section.
    focus = "" if script is None else ' tabindex="-1"'
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header>\n{header}\n</header>\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{before}',
        *(
            f'<section aria-labelledby="{key}"><h2 id="{key}"{focus}>{name}</h2>\n'
            f"{body}\n</section>\n"
            for key, name, body in shown
        ),
        "</main>\n",
    ]
    if data is not None:
        parts.append(f'<script type="application/json" id="data">{data}</script>\n')
    if script is not None:
        parts.append(f"<script>{script}</script>\n")
    return "".join([*parts, "</body>\n</html>\n"])


def digest(text: str) -> str:
    """The source of a policy that allows this text alone."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def visible(value: object) -> str:
    """A text in which everything can be seen and encoded, on one line."""
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def escaped(value: object) -> str:
    """A value as visible text, on one line, in which nothing is markup."""
    return html.escape(visible(value))


def marked(text: str) -> str:
    r"""Escapes text so that a control character can be told from a literal ``\x1b``."""
    if text.isprintable():
        return html.escape(text)
    parts = []
    for shown, group in itertools.groupby(text, lambda c: c.isprintable() or c == "\t"):
        run = "".join(group)
        parts.append(html.escape(run) if shown else f'<span class="esc">{visible(run)}</span>')
    return "".join(parts)


def table(
    label: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numeric: Container[int] = (),
    bad: Container[tuple[int, int]] = (),
) -> str:
    """A table that scrolls within itself.

    Args:
        label: what the table is, for those who can't see it.
        heads: the columns' heads.
        rows: cells that are markup already; each row starts with what it is about.
        numeric: the columns of numbers, from 0.
        bad: row and column, from 0, of each cell that shows something bad.
    """

    def classes(row: int, column: int) -> str:
        names = ["num"] if column in numeric else []
        names += ["bad"] if (row, column) in bad else []
        return f' class="{" ".join(names)}"' if names else ""

    # No cell of the head is bad.
    head = "".join(
        f'<th scope="col"{classes(-1, column)}>{name}</th>' for column, name in enumerate(heads)
    )
    body = "".join(
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(
            f"<td{classes(row, column)}>{cell}</td>" for column, cell in enumerate(cells[1:], 1)
        )
        + "</tr>\n"
        for row, cells in enumerate(rows)
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"
    )


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """The items of a list of terms and what is said of each, both markup already."""
    return "".join(f"<div><dt>{term}</dt><dd>{said}</dd></div>" for term, said in pairs)
