"""Calls of the routes of ``sky.utils.yaml_utils``."""

from __future__ import annotations

from one_call import call
from open_files import opened

from cases.case import RouteCases
from cases.material import CONFIG, TEXT

CASES = (
    RouteCases(
        "dump_yaml_str",
        guards=lambda: (call(CONFIG), call([CONFIG, {"a": CONFIG["on"]}])),
        memory=lambda m: [
            (value,)
            for value in (
                m.TASK,
                [m.TASK, m.TASK],
                m.nested,
                m.texts,
                {"a": m.texts},
                {1, 2},
                2**70,
            )
        ],
        hot=lambda m: {"a task": (m.TASK,)},
        fuzz=lambda m: m.Description(
            {"config": m.mostly(m.configuration, odd=0.01)},
            ("yaml_dump", "test_dump_yaml_str_of"),
            weight=6_000,
            own=0.8,
            shared=True,
            allowed=m.is_finite,
        ),
    ),
    RouteCases(
        "check_no_duplicate_keys",
        guards=lambda: (call(TEXT),),
        memory=lambda m: [(text,) for text in (*m.documents, *m.texts)],
        hot=lambda m: {"a task": (m.TEXT,)},
        fuzz=lambda m: m.Description(
            {"yaml_str": m.mostly(m.yaml_text, odd=0.01)},
            ("yaml_keys", "test_of"),
            weight=4_000,
            own=0.8,
        ),
    ),
    RouteCases(
        "safe_load",
        guards=lambda: (
            call(TEXT),
            call("a: &a {b: 1}\nc: {<<: *a}\n"),
            call(opened(TEXT, encoding="utf-8")),
        ),
        memory=lambda m: [(text,) for text in (*m.documents, *m.texts)],
        hot=lambda m: {"a task": (m.TEXT,)},
        fuzz=lambda m: m.Description(
            {"stream": m.mostly(m.yaml_text, m.yaml_text, m.yaml_file, odd=0.01)},
            ("yaml_load", "test_of"),
            weight=12_000,
            own=0.8,
        ),
    ),
    RouteCases(
        "read_yaml_str",
        guards=lambda: (call(TEXT), call("")),
        memory=lambda m: [(text,) for text in m.documents],
        fuzz=lambda m: m.Description(
            {"yaml_str": m.mostly(m.yaml_text, odd=0.01)},
            ("yaml_load", "test_of"),
            weight=5_000,
            own=0.8,
        ),
    ),
    RouteCases(
        "read_yaml_all_str",
        guards=lambda: (call(f"{TEXT}---\na: 1\n"),),
        memory=lambda m: [(text,) for text in m.documents],
        fuzz=lambda m: m.Description(
            {"yaml_str": m.mostly(m.yaml_text, odd=0.01)},
            ("yaml_load", "test_of"),
            weight=5_000,
            own=0.8,
        ),
    ),
)
