"""Calls of the routes of ``sky.utils.rust_fallback``."""

from __future__ import annotations

from one_call import call

from cases.case import RouteCases
from cases.material import mount

CASES = (
    RouteCases(
        "estimate_fd_for_directory",
        guards=lambda: (call(mount()),),
        memory=lambda m: [(path,) for path in m.paths],
        fuzz=lambda m: m.Description(
            {"path": m.mostly(m.entries, m.one_of(*m.files.DIRECTORIES), odd=0.03)},
            ("files", "test_estimate_fd_for_directory"),
            weight=2_500,
            around=m.hindrance,
            light=False,
            restless=True,
        ),
    ),
)
