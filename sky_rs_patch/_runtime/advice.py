"""Advice on each reason for which a route isn't served: the table behind the status and the docs.

``docs/reference.md`` shows it; a test holds both against the reasons that the code can give.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Advice(NamedTuple):
    """What helps against reasons of one kind.

    Attributes:
        pattern: a regular expression, searched in the reason.
        reason: the kind, in words.
        help: what would help; ``None`` where the reason says it, or nothing does.
    """

    pattern: str
    reason: str
    help: str | None


#: The first that matches counts.
ADVICE: tuple[Advice, ...] = (
    Advice(r"^opt-in: |^not exact in effect: ", "an opt-in route that nobody asked for", None),
    Advice(
        r"unknown code|^no native function covers",
        "SkyPilot's code is another than the known one",
        "`python -m sky_rs_patch fingerprints` shows what changed, docs/new-skypilot.md how it "
        "becomes known",
    ),
    Advice(
        r"PyYAML has no libyaml",
        "PyYAML was built without libyaml",
        "reinstall PyYAML's wheel: pip install --force-reinstall --no-build-isolation PyYAML",
    ),
    Advice(
        r"(PyYAML|libyaml|psutil|jsonschema|attrs|referencing)\b.* (is|are) not known"
        r"|hasn't the known|isn't one that is known",
        "a library of another release than the known ones",
        "install a release that docs/routes.md names, or a newer sky-rs-patch",
    ),
    Advice(
        r"free-threaded|subinterpreters",
        "an interpreter that can't be served",
        "run SkyPilot in the main interpreter of a CPython with the GIL",
    ),
    Advice(
        r"extension|built for",
        "the extension doesn't fit, or failed",
        "reinstall sky-rs-patch with this interpreter's own pip",
    ),
    Advice(r"^wrapt ", "wrapt is missing or unfit", "pip install 'wrapt>=1.17,!=2.2.0'"),
    Advice(
        r"is not a switch value|no opt-in route is called",
        "a variable has a value that nobody knows",
        None,
    ),
    Advice(r"keeps every call on Python", "the switch is off", "unset SKYPILOT_USE_RUST"),
    Advice(
        r"^not enabled$",
        "nothing is enabled in this process",
        "sky_rs_patch.enable(), or run it with python -m sky_rs_patch.activate",
    ),
    Advice(
        r"is not imported$|can't be imported",
        "SkyPilot's module isn't imported",
        "import it; if that fails, mend SkyPilot's installation",
    ),
    Advice(
        r"^there is no sky|^\S+ has no \S+$",
        "this SkyPilot doesn't have the function",
        "nothing; in a route of your own, correct the name",
    ),
    Advice(
        r"^(entry point|register\(\))|can't be called",
        "a registered candidate can't be had",
        "mend the package that registers it",
    ),
    Advice(r"its route was taken away", "it was unregistered", "register it again"),
    Advice(
        r"gc\.(freeze|callbacks)|gc\b.*elsewhere",
        "other code steers the garbage collector",
        "docs/release-memory.md says who may",
    ),
    Advice(
        r"log record factory|^loggers are",
        "a program has changed how log records are made",
        "logging.setLogRecordFactory and setLoggerClass as they were",
    ),
    Advice(r"there is no MD5", "the system forbids MD5", "nothing: the original is as forbidden"),
    Advice(
        r"os\.cpu_count\(\)|PYTHON_CPU_COUNT",
        "the number of processors isn't the system's",
        "unset PYTHON_CPU_COUNT, and leave out -X cpu_count",
    ),
    Advice(
        r"PROCFS_PATH|answers on \w+ are not known",
        "psutil reads elsewhere than in Linux's /proc",
        "psutil.PROCFS_PATH as it was, on Linux",
    ),
    Advice(
        r"no plain function",
        "something else wraps the function",
        "switch the other patch or tracer off, or enable sky_rs_patch before it",
    ),
    Advice(
        r"was replaced|was changed|was patched|is missing|is another|has another|has other"
        r"|hides a builtin|in another way|lacks a method|has path resolvers|were changed"
        r"|is not known|could not be derived|can't be derived|not resolved yet",
        "something that the original reads was replaced",
        "put it back: the next call looks again",
    ),
)


def of(reason: str) -> Advice | None:
    """The advice on a reason of the status."""
    return next((advice for advice in ADVICE if re.search(advice.pattern, reason)), None)


def on(reason: str) -> str | None:
    """What would help against a reason, if anything."""
    advice = of(reason.removeprefix("on Python for now: "))
    return advice.help if advice is not None else None
