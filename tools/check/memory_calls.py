"""Drives every native function under valgrind, and reports what is wrong below the extension.

    python tools/check/memory_calls.py            # memcheck over the calls of all routes
    python tools/check/memory_calls.py --calls    # the calls themselves

SkyPilot isn't imported: that takes an hour under valgrind. The native functions are called as the
extension offers them, and one route with a proxy, guards and a candidate is made by hand. What
valgrind finds in CPython and in other libraries, where no frame of the extension is on the stack,
is counted and left out; nothing is suppressed.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

Calls = dict[str, list[tuple]]


class Material:
    """What the `memory` of a `RouteCases` is put together of: answered and declined arguments."""

    WIDE = ("plain", "é", "\u20ac", "\U0001f600", "\ud800", "")
    SCHEMA = {  # noqa: RUF012
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z]+$"},
            "nodes": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "envs": {
                "type": "object",
                "patternProperties": {"^[A-Z]+$": {"type": ["string", "null"]}},
            },
            "run": {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
        },
    }
    TASK = {"name": "train", "nodes": 2, "envs": {"A": "1", "B": "é"}, "run": ["a", 1.5, True]}  # noqa: RUF012
    TEXT = "name: train\nnodes: 2\nenvs: {A: '1', B: \"\\u00e9\"}\nrun: |\n  echo\n  done\n"

    def __init__(self, directory: Path) -> None:
        file, empty = directory / "file", directory / "empty"
        file.write_bytes(b"some \xff words\r\n\n" * 3000 + b"end")
        empty.touch()
        self.paths = [str(file), str(empty), "/proc/self/stat", "/proc/meminfo", "/nowhere"]
        self.paths.append(str(directory))
        self.texts = [*self.WIDE, *("x" * 50 + text * 40 for text in self.WIDE)]
        self.colors = [f"\x1b[1m{text}\x1b[0m{text}" for text in self.texts]
        several = f"{self.TEXT}---\n{self.TEXT}"
        odd = ("", "a: [1, {b: c}, 0x1f, .inf]\n", "a: &b\n", "[", "a: 1\na: 2\n")
        self.documents = [self.TEXT, several, *odd]
        self.nested: list = []
        self.nested.append(self.nested)


def calls(directory: Path) -> Calls:
    """Calls by native function: its own, then such as fit none."""
    from cases import CASES

    from sky_rs_patch._routes.table import ROUTES

    natives = {route.target.rpartition(".")[2]: [*route.natives.values()] for route in ROUTES}
    material = Material(directory)
    odd = [None, 3, 2**70, -1, b"bytes", 1.5, [], object(), "\0"]
    return {
        native: [
            *(cases.memory(material) if cases.memory is not None else ()),
            *((value,) for value in odd),
            (),
            (1, 2, 3, 4, 5, 6),
        ]
        for cases in CASES.values()
        if cases.name != "release_memory"
        for native in natives.get(cases.name, [cases.name])
    }


def make_calls(table: Calls) -> None:
    """All of them, and a route that is made by hand."""
    import gc
    import types

    from sky_rs_patch import _native
    from sky_rs_patch._binding import proxies

    counts = {"answered": 0, "declined": 0}
    for name, made in table.items():
        native = getattr(_native, name)
        for given in made:
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
    if len(sys.argv) > 2:
        make_calls(pickle.loads(Path(sys.argv[2]).read_bytes()))
        return 0
    with tempfile.TemporaryDirectory() as directory:
        # Made here: what the cases import would take minutes under valgrind.
        table = calls(Path(directory))
        if sys.argv[1:] == ["--calls"]:
            make_calls(table)
            return 0
        pickled = Path(directory) / "calls"
        pickled.write_bytes(pickle.dumps(table))
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
            str(pickled),
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
