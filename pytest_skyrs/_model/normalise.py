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
        aligned: what is taken out is a multiple of this number.
    """

    kind: str
    pattern: re.Pattern[str]
    numbered: bool = False
    aligned: int = 1


def _rule(kind: str, pattern: str, *, numbered: bool = False, aligned: int = 1) -> Rule:
    return Rule(kind, re.compile(pattern), numbered, aligned)


#: Where a word begins; ``\b`` isn't that after an underscore.
_START = r"(?<![A-Za-z0-9])"
#: What Linux gives out from the top of the address space, on x86-64 and on AArch64, in decimal.
_HIGH = r"(?:1(?:3[89]|40)|281)\d{12}"

RULES: tuple[Rule, ...] = (
    _rule("ansi", r"(?P<x>\x1b\[[0-9;?]*[A-Za-z])"),
    _rule(
        "uuid",
        # Without dashes it is told from a digest by the digits that say which kind it is.
        _START + r"(?P<x>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        r"|[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15})\b",
        numbered=True,
    ),
    _rule(
        "cluster",
        r"\b(?:sky|dryrun)-(?!20\d\d-\d\d-\d\d)(?P<x>[0-9a-f]{4,8})(?=-|\b)",
        numbered=True,
    ),
    _rule("address", _START + r"(?P<x>0x[0-9a-fA-F]{6,16})\b", numbered=True),
    # By itself a number is an id only where programs have no numbers of their own.
    _rule("id", r"<\w*Mock(?: [^\n]{0,200}?)? id='(?P<x>\d{8,15})'>", numbered=True),
    _rule("id", r"<[^<>\n]*, started (?:daemon )?(?P<x>\d{8,15})\)>", numbered=True),
    _rule("id", rf"(?<![\w.+-])(?P<x>{_HIGH})(?![\w.])", numbered=True, aligned=16),
    _rule(
        "pid",
        rf"(?i)(?:{_START}(?:p?pid|pgid|process[ _]id)[ =:'\"]{{1,4}}"
        rf"|{_START}process[ =:'\"]{{1,4}}(?=\d\d)"
        r"|\bsubprocess (?=\d+ is still running)|/proc/(?=\d+\b))(?P<x>\d+)\b",
        numbered=True,
    ),
    _rule("pid", r"<\w*Process name=[^\n]{0,200}? parent=(?P<x>\d+)\b", numbered=True),
    # Whether a process that lives is on the processor; a zombie is something else.
    _rule(
        "state",
        r"\bpsutil\.\w+\([^\n]{0,200}?\bstatus='(?P<x>running|sleeping|disk-sleep|idle)'",
    ),
    _rule("descriptor", r"<[\w.]*[Ss]ocket(?: \[\w+\])? fd=(?P<x>\d+)\b", numbered=True),
    _rule("descriptor", r"<_io\.\w+ name=(?P<x>\d+)\b", numbered=True),
    _rule("task", r"\b(?P<x>Task-\d+)\b", numbered=True),
    _rule(
        "thread name",
        r"\b(?P<x>(?:Thread|Dummy|ThreadPoolExecutor|(?:Fork|Spawn|ForkServer)Process"
        r"|(?:Fork|Spawn|ForkServer)PoolWorker)-\d+(?:_\d+)?)\b",
        numbered=True,
    ),
    _rule("worker", r"\b(?P<x>(?:popen-)?gw\d+)\b"),
    _rule(
        "tempfile",
        r"(?<=[/'\"])(?P<x>(?:tmp|(?:pymp|listener)-)[a-z0-9_]{8})\b",
        numbered=True,
    ),
    _rule(
        "datetime",
        _START + r"(?P<x>(?:\d{4}-)?\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
        r"(?:Z|[+-]\d{2}:?\d{2})?)(?!\d)",
    ),
    _rule("date", _START + r"(?P<x>20\d{2}-\d{2}-\d{2}(?:-\d{2}-\d{2}-\d{2}-\d+)?)\b"),
    _rule("time", r"\b(?P<x>\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?)\b"),
    # In seconds, or the thousandth, millionth or billionth part of one.
    _rule(
        "timestamp",
        _START + r"(?P<x>1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9}|\.\d+)?)\b",
        numbered=True,
    ),
    _rule(
        "duration",
        r"(?P<x>(?<![\w.])\d+\.\d+(?:e-?\d+)?) ?(?:ns|us|µs|ms|s|secs?|seconds?|minutes?)\b",
    ),
    _rule("ratio", r"(?<![\w.])(?P<x>\d+\.\d+)x(?!\w)"),
    _rule(
        "port",
        rf"(?i)(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[?::1?\]?|{_START}port)"
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
    numbers: dict[str, dict[str, int]] = {}
    for rule in RULES:
        seen = numbers.setdefault(rule.kind, {})

        def replace(match: re.Match[str], rule: Rule = rule, seen: dict[str, int] = seen) -> str:
            if rule.aligned > 1 and int(match["x"]) % rule.aligned:
                return match[0]
            counts[rule.kind] += 1
            number = str(seen.setdefault(match["x"], len(seen) + 1)) if rule.numbered else ""
            start = match.start()
            before, after = match[0][: match.start("x") - start], match[0][match.end("x") - start :]
            return f"{before}<{rule.kind.upper()}{number}>{after}"

        text = rule.pattern.sub(replace, text)
    return text
