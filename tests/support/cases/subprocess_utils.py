"""Calls of the routes of ``sky.utils.subprocess_utils``."""

from __future__ import annotations

import logging
import os

from one_call import Call, call

from cases.case import RouteCases
from cases.material import leader, mount, process_of

CASES = (
    RouteCases(
        "get_parallel_threads",
        guards=lambda: (call("kubernetes"), call()),
        memory=lambda m: [(), ("kubernetes",), ("é",)],
        hot=lambda m: {"": ()},
        fuzz=lambda m: m.Description(
            {
                "cloud_str": m.sometimes(
                    m.mostly(m.one_of(*m.CLOUDS), m.written("kubernetesKUBERNETES"), m.values.text),
                    0.95,
                )
            },
            ("system", "test_get_parallel_threads"),
            weight=20_000,
        ),
    ),
    RouteCases(
        "get_max_workers_for_file_mounts",
        guards=lambda: (Call(({"/remote": mount()},), log_level=logging.INFO),),
        memory=lambda m: [({"a": path},) for path in m.paths] + [({},)],
        fuzz=lambda m: m.Description(
            {
                "common_file_mounts": m.mostly(m.mounts, odd=0.02),
                "cloud_str": m.sometimes(m.mostly(m.one_of(*m.CLOUDS))),
            },
            ("system", "test_get_max_workers"),
            weight=2_500,
            around=m.workers,
            levels=(m.SILENT, m.SILENT, logging.DEBUG, None),
            light=False,
        ),
    ),
    RouteCases(
        "is_process_alive",
        guards=lambda: (call(os.getpid()), call(2**22 + 1)),
        memory=lambda m: [(1,), (os.getpid(),), (0,), (2**31,)],
        fuzz=lambda m: m.Description(
            {"pid": m.mostly(m.pid, m.values.integer, lambda rng: rng.randrange(2**31))},
            ("system", "test_is_process_alive"),
            weight=6_000,
            restless=True,
        ),
    ),
    RouteCases(
        "_safe_children",
        guards=lambda: (call(process_of(leader())),),
        fuzz=lambda m: m.Description(
            {"process": m.mostly(m.tree, m.any_process, odd=0.01)},
            ("processes", "test_safe_children_of_anything"),
            weight=100,
            light=False,
            restless=True,
        ),
    ),
)
