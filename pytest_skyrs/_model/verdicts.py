"""Names that users see, in a module that costs nothing to import."""

from __future__ import annotations

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

ALL = (
    *(SAME, SAME_FAIL, VACUOUS, DIVERGED, UNSTABLE, FLAKY, INCONCLUSIVE),
    *(CRASHED, COLLECTION, KNOWN, NOT_COMPARED),
)

#: Of the list of known differences.
KNOWN_FILE = "skyrs-known.yaml"
#: Where SkyPilot's API server and its queue listen.
PORTS = (46580, 50011)
