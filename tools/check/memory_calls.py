"""Drives every native function under valgrind, and reports what is wrong below the extension.

    python tools/check/memory_calls.py            # memcheck over the calls below
    python tools/check/memory_calls.py --calls    # the calls themselves

SkyPilot isn't imported: that takes an hour under valgrind. The native functions are called as the
extension offers them, and one route with a proxy, guards and a candidate is made by hand. What
valgrind finds in CPython and in other libraries, where no frame of the extension is on the stack,
is counted and left out; nothing is suppressed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "nodes": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "envs": {"type": "object", "patternProperties": {"^[A-Z]+$": {"type": ["string", "null"]}}},
        "run": {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
    },
}
TASK = {"name": "train", "nodes": 2, "envs": {"A": "1", "B": "é"}, "run": ["a", 1.5, True]}
TEXT = "name: train\nnodes: 2\nenvs: {A: '1', B: \"\\u00e9\"}\nrun: |\n  echo\n  done\n"
WIDE = ["plain", "é", "\u20ac", "\U0001f600", "\ud800", ""]


def arguments(directory: Path) -> dict[str, list[tuple]]:
    """Calls by native function: answered and declined ones."""
    file = directory / "file"
    file.write_bytes(b"some \xff words\r\n\n" * 3000 + b"end")
    empty = directory / "empty"
    empty.touch()
    paths = [str(file), str(empty), "/proc/self/stat", "/proc/meminfo", "/nowhere", str(directory)]
    odd = [None, 3, 2**70, -1, b"bytes", 1.5, [], object(), "\0"]
    texts = [*WIDE, *("x" * 50 + text * 40 for text in WIDE)]
    colors = [f"\x1b[1m{text}\x1b[0m{text}" for text in texts]
    documents = [
        TEXT,
        "",
        "a: [1, {b: c}, 0x1f, .inf]\n",
        f"{TEXT}---\n{TEXT}",
        "a: &b\n",
        "[",
        "a: 1\na: 2\n",
    ]
    nested: list = []
    nested.append(nested)
    return {
        "base36_encode": [(text,) for text in ("ff", "f" * 5000, "-1", "g", *WIDE)],
        "format_float": [
            (number, *rest)
            for number in (0.0, -1.5, 1e300, 5e-324, float("nan"), 3, True, 2**80)
            for rest in ((), (0,), (64,), (65,))
        ],
        "truncate_long_string": [
            (text, length, middle)
            for text in texts
            for length in (-3, 0, 5, 90)
            for middle in (True, False)
        ],
        "truncate_long_string_end": [(text,) for text in texts],
        "read_last_n_lines": [(path, count) for path in paths for count in (0, 1, 7, 10**6)],
        "hash_file": [
            (path, name) for path in paths for name in ("md5", "sha512", "blake2b", "none")
        ],
        "estimate_fd_for_directory": [(path,) for path in paths],
        "find_free_port": [(1024,), (65535,), (70000,)],
        "find_free_port_silent": [(1024,)],
        "get_cpu_count": [()],
        "get_mem_size_gb": [()],
        "get_mem_size_gb_only": [()],
        "get_parallel_threads": [(), ("kubernetes",), ("é",)],
        "get_max_workers_for_file_mounts": [({"a": path},) for path in paths] + [({},)],
        "check_no_duplicate_keys": [(text,) for text in (*documents, *texts)],
        "validate_schema": [
            (value, schema, "prefix")
            for value in (TASK, {**TASK, "name": 3}, {}, {**TASK, "nodes": None}, nested, {3: 4})
            for schema in (
                SCHEMA,
                {},
                True,
                {"$ref": "#"},
                {"enum": [1, TASK]},
                {"not": {"type": "array"}},
            )
        ],
        "is_process_alive": [(1,), (os.getpid(),), (0,), (2**31,)],
        "dump_yaml_str": [
            (value,) for value in (TASK, [TASK, TASK], nested, texts, {"a": texts}, {1, 2}, 2**70)
        ],
        "safe_load": [(text,) for text in (*documents, *texts)],
        "read_yaml_str": [(text,) for text in documents],
        "read_yaml_all_str": [(text,) for text in documents],
        "is_valid_user_hash": [("0123abcd",), (None,), *((text,) for text in WIDE)],
        "get_user_hash": [()],
        "make_cluster_name_on_cloud": [
            (text, length) for text in ("a-b", "A_b.c" * 9, *WIDE) for length in (3, 30, None)
        ],
        "check_cluster_name_is_valid": [("a-b",), ("-",), *((text,) for text in WIDE)],
        "is_valid_env_var": [("HOME",), ("1",), *((text,) for text in WIDE)],
        "remove_color": [(text,) for text in (*colors, *texts)],
        "_redact_secrets_values": [
            (["--secret", f"A={text}", f"--secret=B={text}\n", text],) for text in texts
        ],
        "_safe_children": [],
        "": [(value,) for value in odd],
    }


def make_calls() -> None:
    """All of them, and a route that is made by hand."""
    import gc
    import types

    from sky_rs_patch import _native
    from sky_rs_patch._binding import proxies

    with tempfile.TemporaryDirectory() as directory:
        table = arguments(Path(directory))
        odd = table.pop("")
        counts = {"answered": 0, "declined": 0}
        for name, calls in table.items():
            native = getattr(_native, name)
            for given in [*calls, *odd, (), (1, 2, 3, 4, 5, 6)]:
                for keywords in ({}, {"no_such": 1}):
                    try:
                        native(*given, **keywords)
                        counts["answered"] += 1
                    except _native.Declined:
                        counts["declined"] += 1
    module = types.ModuleType("a_module")
    exec("def target(number, *, by=1):\n    return number + by", vars(module))
    kind = proxies.kind().cls
    for round_ in range(20):
        guards = _native.GuardBuilder()
        guards.expect_absent(vars(module), "other", "a_module.other")
        if round_ % 2:
            guards.freeze(vars(module), "a_module")
        route = _native.Route(
            "a_module.target",
            module.target,
            [lambda number: number, lambda number: 1 / 0][round_ % 2],
            lambda: guards,  # noqa: B023
        )
        proxy = kind(route)
        if round_ % 3 == 0:
            route.observer = lambda *call: lambda *end: None
        assert proxy(round_) in (round_, round_ + 1)
        assert proxy(round_, by=2) == round_ + 2
        vars(module)["other"] = round_
        assert proxy(round_) == round_ + 1
        del vars(module)["other"]
        module.itself = proxy
        route.share_counts(memoryview(bytearray(8 * _native.COUNTER_BLOCK)).cast("Q"))
        del module.itself, proxy, route
        gc.collect()
    print(f"{counts['answered']} answered, {counts['declined']} declined")


def main() -> int:
    """1 if valgrind finds anything with the extension on the stack."""
    if sys.argv[1:] == ["--calls"]:
        make_calls()
        return 0
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        # What is never freed are tables that an import makes once: `leaks.py` looks for more.
        options = ["--leak-check=no", "--num-callers=40", "--error-limit=no"]
        command = [
            "valgrind",
            "--tool=memcheck",
            *options,
            f"--log-file={log}",
            sys.executable,
            __file__,
            "--calls",
        ]
        done = subprocess.run(command, env={**os.environ, "PYTHONMALLOC": "malloc"}, check=False)
        lines = [line.partition("== ")[2] for line in log.read_text().splitlines()]
    reports = [report for report in "\n".join(lines).split("\n\n") if " 0x" in report]
    ours = [report for report in reports if "_native" in report]
    for report in ours:
        print(report, end="\n\n")
    print(f"{len(reports)} reports, {len(ours)} with the extension on the stack")
    return 1 if ours or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
