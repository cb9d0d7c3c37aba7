"""The results as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sky_rs_patch._bench import table

if TYPE_CHECKING:
    from collections.abc import Iterable


def render(result: dict[str, Any]) -> str:
    """The whole report."""
    parts = ["# What the routes gain\n", _list(table.facts(result))]
    parts += [f"> **Doubtful:** {_text(warning)}\n" for warning in result["warnings"]]
    parts.append(f"{table.READING}\n")
    for section in table.sections(result):
        parts.append(f"## {section.title}\n")
        parts.append(_table(section))
    for section in table.server_sections(result):
        parts.append(f"## API server: {_text(section.title)}\n")
        parts.append(_table(section))
    return "\n".join(parts)


def _list(items: Iterable[tuple[str, str]]) -> str:
    return "".join(f"* {_text(name)}: {_text(value)}\n" for name, value in items)


def _table(section: table.Section) -> str:
    rules = ["--:" if at in section.right else "---" for at in range(len(section.columns))]
    lines = [
        list(map(_text, section.columns)),
        rules,
        *([_text(c) for c in r] for r in section.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _text(value: object) -> str:
    """Text that stands for itself: no markup, no HTML, on one line."""
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    text = re.sub(r"([\\`*\[\]|~#])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
    # An underscore within a word is none of Markdown's business.
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
