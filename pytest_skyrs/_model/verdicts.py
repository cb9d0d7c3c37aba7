"""Verdicts and all facts of them, and other names that users see; costs nothing to import."""

from __future__ import annotations

import dataclasses

SAME = "same"
SAME_FAIL = "same-fail"
VACUOUS = "vacuous"
DIVERGED = "diverged"
UNSTABLE = "rust-unstable"
FLAKY = "flaky-control"
INCONCLUSIVE = "inconclusive"
CRASHED = "crashed"
COLLECTION = "collection-diverged"
KNOWN = "known"
NOT_COMPARED = "not-compared"

#: Whether a verdict makes the run fail.
NO = "no"
YES = "yes"
#: The test fails where pytest says so of its run in the Python arm.
AS_PYTEST = "as pytest says"
#: The test doesn't; the whole session does.
SESSION = "the session"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The facts of a verdict.

    Attributes:
        name: what users read and type.
        meaning: what it says of a test; a sentence without its full stop.
        fails: whether it makes the run fail, unless ``--skyrs-fail-on`` says otherwise.
        tone: class of its colour in the page's style; the name is always shown, too.
        severity: rank among all, 0 for the worst.
        letter: what the terminal shows of such a test; empty where pytest's own letter stays.
        quiet: whether pytest's own letter also stays where the test doesn't fail.
    """

    name: str
    meaning: str
    fails: str
    tone: str
    severity: int
    letter: str = ""
    quiet: bool = False


#: In the order in which reports count them.
TABLE = (
    Verdict(SAME, "Everything observed is equal, and Rust was reached", NO, "good", 9),
    Verdict(SAME_FAIL, "It fails, and alike on both", AS_PYTEST, "good", 8),
    Verdict(
        VACUOUS,
        "Equal, but no call reached Rust: it proves nothing",
        NO,
        "mute",
        10,
        "v",
        quiet=True,
    ),
    Verdict(DIVERGED, "Rust differs from Python in every run", YES, "bad", 0, "D"),
    Verdict(UNSTABLE, "Rust contradicts itself; Python doesn't", YES, "bad", 3, "U"),
    Verdict(FLAKY, "Python's own runs differ from each other", AS_PYTEST, "warn", 5, "~"),
    Verdict(
        INCONCLUSIVE,
        "It differs, but too unsteadily to say whose doing it is",
        AS_PYTEST,
        "warn",
        4,
        "?",
    ),
    Verdict(CRASHED, "The session crashed on Rust; on Python it didn't", YES, "bad", 1, "C"),
    Verdict(COLLECTION, "The test was collected on one backend only", YES, "bad", 2, "D"),
    Verdict(KNOWN, "It differs, and is listed as known", NO, "info", 7, "k"),
    Verdict(NOT_COMPARED, "The test didn't run to its end on both backends", SESSION, "warn", 6),
)
BY_NAME = {verdict.name: verdict for verdict in TABLE}
BY_SEVERITY = tuple(sorted(TABLE, key=lambda verdict: verdict.severity))
ALL = tuple(BY_NAME)
#: What makes a test fail by default, and can be listed as known.
FAILING = tuple(verdict.name for verdict in TABLE if verdict.fails == YES)

#: Of the list of known differences.
KNOWN_FILE = "skyrs-known.yaml"
#: Where SkyPilot's API server and its queue listen.
PORTS = (46580, 50011)
