"""The routes against their originals in this very process, without pyperf: what the demo shows."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Callable

from sky_rs_patch._bench import timing
from sky_rs_patch._bench.corpus import Corpus
from sky_rs_patch._bench.workloads import WORKLOADS
from sky_rs_patch._routes.registry import registry

HEADER = f"{'function':<32}{'workload':<22}{'original':>10}{'routed':>10}{'ratio':>9}"
_SECONDS = 0.02
_ROUNDS = 7


def run(tell: Callable[[str], None]) -> None:
    """Measures every workload that has a route here.

    Args:
        tell: is given a line for each.

    Raises:
        RuntimeError: if the extension is missing or no release build.
    """
    import sky_rs_patch

    timing.check_release_build()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sky-rs-bench-"))
        stack.enter_context(sky_rs_patch.enabled())
        corpus = stack.enter_context(Corpus(Path(folder), quick=True))
        for workload in WORKLOADS:
            with timing.variables(workload.environment):
                found = timing.find(workload.function)
                # A workload may come before its route.
                if found is None or registry.get(found.target) is None:
                    continue
                if found.proxy is None:
                    tell(f"{workload.function:<32}{workload.what:<22}  no route: {found.why}")
                    continue
                arguments = workload.arguments(corpus)
                timers = {
                    name: timing.timer(function, arguments)
                    for name, function in (("original", found.original), ("routed", found.proxy))
                }
                before = found.proxy._self_route.counts()
                _, values = timing.interleaved(timers, seconds=_SECONDS, rounds=_ROUNDS)
            original, routed = (timing.spread(values[name]).median for name in timers)
            ratios = [a / b for a, b in zip(values["original"], values["routed"])]
            after = found.proxy._self_route.counts()
            left = after[1] > before[1]
            note = (
                f"  the original answers, {timing.declined(found.proxy, before[2])}" if left else ""
            )
            tell(
                f"{workload.function:<32}{workload.what:<22}"
                f"{timing.seconds_text(original):>10}{timing.seconds_text(routed):>10}"
                f"{timing.spread(ratios).median:>8.1f}x{note}"
            )
