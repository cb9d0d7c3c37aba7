"""Takes out of texts what differs from run to run: explicit rules, each of them counted.

Only texts (output, log records, warnings, messages of tests' exceptions). Results of routed calls
are compared as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple


class Rule(NamedTuple):
    """A kind of text that depends on the run.

    Attributes:
        kind: its name; texts of a numbered kind get a number each, so that it still shows where
            the same text stands twice.
        pattern: with a group named ``x`` around what is taken out.
        numbered: see above.
    """

    kind: str
    pattern: re.Pattern[str]
    numbered: bool = False


def _rule(kind: str, pattern: str, *, numbered: bool = False) -> Rule:
    return Rule(kind, re.compile(pattern), numbered)


RULES: tuple[Rule, ...] = (
    _rule("ansi", r"(?P<x>\x1b\[[0-9;?]*[A-Za-z])"),
    _rule("uuid", r"\b(?P<x>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", numbered=True),
    _rule(
        "cluster",
        r"\b(?:sky|dryrun)-(?!20\d\d-\d\d-\d\d)(?P<x>[0-9a-f]{4,8})(?=-|\b)",
        numbered=True,
    ),
    _rule("address", r"\b(?P<x>0x[0-9a-fA-F]{6,16})\b", numbered=True),
    _rule(
        "pid",
        r"(?i)\b(?:(?:p?pid|process id)[ =:'\"]{1,4}|process[ =:'\"]{1,4}(?=\d\d))(?P<x>\d+)\b",
        numbered=True,
    ),
    _rule("task", r"\b(?P<x>Task-\d+)\b", numbered=True),
    _rule("worker", r"\b(?P<x>(?:popen-)?gw\d+)\b"),
    _rule("tempfile", r"(?<=[/'\"])(?P<x>tmp[a-z0-9_]{8})\b", numbered=True),
    _rule(
        "datetime",
        r"\b(?P<x>(?:\d{4}-)?\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
        r"(?:Z|[+-]\d{2}:?\d{2})?)(?!\d)",
    ),
    _rule("date", r"\b(?P<x>20\d{2}-\d{2}-\d{2}(?:-\d{2}-\d{2}-\d{2}-\d+)?)\b"),
    _rule("time", r"\b(?P<x>\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?)\b"),
    _rule("timestamp", r"\b(?P<x>1[6-9]\d{8}(?:\.\d+)?)\b", numbered=True),
    _rule(
        "duration",
        r"(?P<x>(?<![\w.])\d+\.\d+(?:e-?\d+)?) ?(?:ns|us|µs|ms|s|secs?|seconds?|minutes?)\b",
    ),
    _rule("ratio", r"(?<![\w.])(?P<x>\d+\.\d+)x(?!\w)"),
    _rule(
        "port",
        r"(?i)(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[?::1?\]?|\bport)"
        r"[\]'\",:= ]{1,3}(?P<x>\d{4,5})\b",
        numbered=True,
    ),
)


def normalise(text: str, counts: Counter[str]) -> str:
    """The text with a placeholder for each thing that a rule takes out.

    Args:
        text: any text.
        counts: gets the number of replacements by kind.
    """
    for rule in RULES:
        seen: dict[str, int] = {}

        def replace(match: re.Match[str], rule: Rule = rule, seen: dict[str, int] = seen) -> str:
            counts[rule.kind] += 1
            number = str(seen.setdefault(match["x"], len(seen) + 1)) if rule.numbered else ""
            start = match.start()
            before, after = match[0][: match.start("x") - start], match[0][match.end("x") - start :]
            return f"{before}<{rule.kind.upper()}{number}>{after}"

        text = rule.pattern.sub(replace, text)
    return text
