"""Counts the instructions of hot calls, first calls and a start; compares with a baseline.

    python tools/bench/instructions.py [--update] [--bound 10] [--json FILE]

callgrind counts them. Instructions don't depend on how busy a machine is, so this may fail a build
where times may not. A start is the import of SkyPilot's three routed modules (`cold_start.py`),
without what it takes where there is no shim.
Two numbers a call are held against ``instructions.json``: those in the extension, and all of them,
the interpreter's included. Either is compared only where it can be: with the same rustc, and with
the same interpreter. What can't be compared is said.

Of each hot call it is counted as well what it takes where a global of the original's module is set
before it: no more than `CHANGING` times what the original takes, unless the baseline has it so.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Callable, NamedTuple

sys.path.append(str(pathlib.Path(__file__).parents[2] / "tests" / "support"))
sys.path.append(str(pathlib.Path(__file__).parent))

import cold_start

BASELINE = pathlib.Path(__file__).with_suffix(".json")
#: A start's name in the table.
START = "a start: import of the three modules"
CALLS = 200
WARM = 20
#: Calls where a namespace changes before each: the originals are slow.
FEW = 20
CHANGING = 1.1


class Workload(NamedTuple):
    """A call that is made often."""

    module: str
    function: str
    what: str
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        return f"{self.function}: {self.what}" if self.what else self.function


LOG = ("x" * 63 + "\n") * 128


class Material:
    """What the `hot` of a `RouteCases` is put together of; ``log`` is a file of `LOG`."""

    SENTENCE = " ".join(f"word{number}" for number in range(100))
    ARGV = ["sky", "launch", "--env", "A=b", "--secret", "HF_TOKEN=hf_01", "task.yaml"]  # noqa: RUF012
    TASK = {  # noqa: RUF012
        "name": "train",
        "resources": {"accelerators": "A100:8", "cpus": "16+", "use_spot": True, "ports": [8080]},
        "num_nodes": 2,
        "envs": {"MODEL": "llama", "EPOCHS": "3", "EMPTY": ""},
        "file_mounts": {"/data": "s3://bucket/data", "~/code": "./src"},
        "setup": "pip install -r requirements.txt\nnvidia-smi\n",
        "run": "torchrun --nproc_per_node 8 train.py --model $MODEL # the whole of it\n",
    }
    TEXT = """\
name: train
resources:
  accelerators: A100:8  # or H100
  cpus: 16+
  use_spot: true
  ports: [8080]
num_nodes: 2
envs: {MODEL: llama, EPOCHS: "3", EMPTY: ''}
file_mounts:
  /data: s3://bucket/data
  ~/code: ./src
setup: |
  pip install -r requirements.txt
  nvidia-smi
run: |
  torchrun --nproc_per_node 8 train.py --model $MODEL # the whole of it
"""

    def __init__(self, log: str) -> None:
        self.log = log

    def task_schema(self) -> Any:
        try:
            from sky.utils import schemas
        except ImportError:
            # Only what is measured needs it.
            return None
        return schemas.get_task_schema()


def workloads(log: str = "") -> list[Workload]:
    """The calls; ``log`` is a file of `LOG`."""
    import cases

    material = Material(log)
    return [
        Workload(module.__name__.rpartition(".")[2], each.name, what, arguments)
        for module in cases.MODULES
        for each in module.CASES
        if each.hot is not None
        for what, arguments in each.hot(material).items()
    ]


def measured_process(folder: str) -> None:
    """Runs under callgrind, which writes its counts down at each `os.getppid`."""
    import importlib

    import sky_rs_patch

    # Slow here, but then all guards are those of a real process.
    importlib.import_module("sky")

    os.environ.pop("SKYPILOT_POD_MEMORY_GB_LIMIT", None)
    sky_rs_patch.enable()
    log = pathlib.Path(folder) / "log"
    log.write_text(LOG)
    parts: list[list[Any]] = []

    def measure(section: str, name: str, calls: int, work: Callable[[], None]) -> None:
        os.getppid()
        work()
        os.getppid()
        parts.append([section, name, calls])

    # What a program that needs them has imported by then.
    for library in ("jsonschema", "psutil", "yaml"):
        importlib.import_module(library)
    found = [
        (
            workload,
            getattr(importlib.import_module(f"sky.utils.{workload.module}"), workload.function),
        )
        for workload in workloads(str(log))
    ]
    gc.disable()
    for name, function in {each.function: function for each, function in found}.items():
        measure("first", name, 1, function._self_route.examine)
    gc.enable()
    for workload, function in found:
        loop = _loop(function, workload.arguments)
        loop(WARM)
        before = function._self_route.counts()
        measure("calls", workload.name, CALLS, lambda loop=loop: loop(CALLS))
        answered = function._self_route.counts()[0] - before[0]
        if answered != (0 if "declined" in workload.name else CALLS):
            raise RuntimeError(f"{workload.name}: Rust answered {answered} of {CALLS} calls")
        module = vars(sys.modules[function.__module__])
        for kind, callee, namespace in (
            ("routed", function, module),
            ("original", function.__wrapped__, {**module}),
        ):
            loop = _loop(callee, workload.arguments, namespace)
            loop(WARM)
            measure(kind, workload.name, FEW, lambda loop=loop: loop(FEW))
    print(json.dumps(parts))


def _loop(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    changing: dict[str, Any] | None = None,
) -> Callable[[int], None]:
    """A loop in which the arguments are locals, as they are in a program.

    Args:
        function: what it calls.
        arguments: of each call.
        changing: a namespace in which a name is set before each call.
    """
    names = "".join(f"a{at}, " for at in range(len(arguments)))
    source = (
        f"def make(function, error, arguments, changing):\n"
        f"    def loop(number):\n"
        f"        {names + '= arguments' if names else 'pass'}\n"
        f"        for _ in range(number):\n"
        f"            {'pass' if changing is None else 'changing[CHANGED] = _'}\n"
        f"            try:\n"
        f"                function({names})\n"
        f"            except error:\n"
        f"                pass\n"
        f"    return loop\n"
    )
    namespace: dict[str, Any] = {"CHANGED": "sky_rs_patch_instructions"}
    exec(source, namespace)
    loop: Callable[[int], None] = namespace["make"](function, Exception, arguments, changing)
    return loop


class Counts(NamedTuple):
    """Instructions a call."""

    own: int
    total: int


def count(folder: pathlib.Path) -> dict[str, dict[str, Counts]]:
    """Counts the instructions of calls, by section and name.

    Sections are ``calls``, ``first`` (what comes once in a process, before a route's first call),
    and ``routed`` and ``original`` (calls before each of which a namespace changes).

    Raises:
        RuntimeError: if callgrind or the measured process fails, or Rust answered other calls than
            it should.
    """
    command = ["valgrind", "--tool=callgrind", "--dump-before=getppid"]
    command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__, "--measured"]
    command += ["--folder", str(folder)]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("SKYPILOT_USE_RUST", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the measured process failed:\n{done.stdout}\n{done.stderr}")
    found: dict[str, dict[str, Counts]] = {}
    for at, (section, name, calls) in enumerate(json.loads(done.stdout.splitlines()[-1])):
        own, total = _parse((folder / f"out.{2 * at + 2}").read_text())
        found.setdefault(section, {})[name] = Counts(round(own / calls), round(total / calls))
    return found


def count_start(folder: pathlib.Path) -> Counts:
    """Counts the instructions by which the shim makes the import of SkyPilot's modules longer.

    Raises:
        RuntimeError: if callgrind or the measured process fails.
    """
    cold_start.stand_in(folder)
    counts = []
    for number, active in enumerate((None, None, "1")):
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(folder)}
        environment.pop("SKYPILOT_USE_RUST", None)
        environment.pop("SKY_RS_PATCH_ACTIVE", None)
        if active:
            environment["SKY_RS_PATCH_ACTIVE"] = active
        out = folder / f"start.{number}"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        # The first run only writes the compiled modules of the stand-in.
        command = [*command * bool(number), sys.executable, "-c", cold_start.PROGRAM]
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the measured start failed:\n{done.stdout}\n{done.stderr}")
        if number:
            counts.append(_parse(out.read_text()))
    (_, without), (own, with_shim) = counts
    return Counts(own, with_shim - without)


def _parse(profile: str) -> tuple[int, int]:
    """Instructions in the extension, and in all, from a profile in callgrind's format."""
    names: dict[str, str] = {}
    own = total = 0
    inside = inclusive = False
    for line in profile.splitlines():
        if line.startswith("ob="):
            number, _, name = line[3:].partition(" ")
            name = names.setdefault(number, name)
            inside = "_native" in pathlib.PurePath(name).name
        elif line.startswith("calls="):
            # The next line is what the callee took, which is counted where it was spent.
            inclusive = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if not inclusive:
                cost = int("".join(line.split()[1:]) or 0)
                total += cost
                own += cost if inside else 0
            inclusive = False
        elif line.startswith("cob=("):
            number, _, name = line[4:].partition(" ")
            names.setdefault(number, name)
    return own, total


def environment() -> dict[str, str]:
    """What the counts depend on."""
    from sky_rs_patch._binding import extension

    build = extension.build_info()
    return {
        "machine": platform.machine(),
        "rustc": build["rustc"],
        "profile": build["profile"],
        "python": f"{platform.python_version()} {platform.python_compiler()} "
        f"{' '.join(platform.python_build())}",
    }


def compare(
    baseline: dict[str, Any], now: dict[str, Any], bound: float
) -> tuple[list[list[str]], list[str], list[str]]:
    """Rows of a table, what is wrong, and what can't be said.

    Args:
        baseline: what ``--update`` wrote.
        now: the same for this run.
        bound: by how many percent a count may grow.
    """
    rows = [["call", "extension", "before", "all", "before"]]
    wrong, unsaid = [], []
    was, here = baseline["environment"], now["environment"]
    comparable = {
        "own": all(was[key] == here[key] for key in ("machine", "rustc", "profile")),
        "total": was == here,
    }
    for kind, what in (("own", "the extension"), ("total", "all")):
        if not comparable[kind]:
            differing = [f"{key} {was[key]!r}" for key in was if was[key] != here[key]]
            unsaid.append(f"the baseline for {what} was made with {', '.join(differing)}")
    named = [
        (f"first call of {name}" if section == "first" else name, *pair)
        for section in ("calls", "first", "start")
        for name, *pair in _both(baseline, now, section)
    ]
    for name, before, after in named:
        if before is None or after is None:
            wrong.append(f"{name}: {'no baseline' if before is None else 'no such call any more'}")
            continue
        cells = [name]
        for kind, at in (("own", 0), ("total", 1)):
            cells += [f"{after[at]:,}", f"{before[at]:,}"]
            if comparable[kind] and after[at] > before[at] * (1 + bound / 100) + 20:
                grown = (after[at] / before[at] - 1) * 100 if before[at] else float("inf")
                where = "in the extension" if kind == "own" else "in all"
                wrong.append(
                    f"{name}: {after[at]:,} instructions a call {where}, {grown:.0f} % more than "
                    f"{before[at]:,}; the bound is {bound:g} %"
                )
        rows.append(cells)
    if comparable["total"]:
        wrong += _slower_where_it_changes(baseline, now)
    return rows, wrong, unsaid


def _both(
    baseline: dict[str, Any], now: dict[str, Any], section: str
) -> list[tuple[str, Any, Any]]:
    """Names of a section with the counts of both, or None."""
    was, here = baseline.get(section, {}), now.get(section, {})
    return [(name, was.get(name), here.get(name)) for name in dict.fromkeys([*was, *here])]


def _ratio(counts: dict[str, Any], name: str) -> float:
    """All instructions of a routed call over the original's, where a namespace changes."""
    try:
        return float(counts["routed"][name][1] / counts["original"][name][1])
    except KeyError:
        return 0.0


def _slower_where_it_changes(baseline: dict[str, Any], now: dict[str, Any]) -> list[str]:
    # One that is declined costs what it costs.
    names = [name for name in now.get("routed", {}) if "declined" not in name]
    allowed = {name: max(CHANGING, _ratio(baseline, name) * 1.03) for name in names}
    return [
        f"{name}, where a namespace changes: {_ratio(now, name):.2f} times the original's "
        f"instructions; the bound is {bound:.2f}"
        for name, bound in allowed.items()
        if _ratio(now, name) > bound
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the baseline anew")
    parser.add_argument("--bound", type=float, default=10, metavar="PERCENT")
    parser.add_argument("--json", type=pathlib.Path, help="write the counts there, too")
    parser.add_argument("--measured", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measured:
        measured_process(options.folder)
        return 0
    if shutil.which("valgrind") is None:
        print("instructions.py: valgrind is missing (Debian: apt-get install valgrind)")
        return 1
    from sky_rs_patch._runtime.status import aligned

    with tempfile.TemporaryDirectory() as folder:
        counts = count(pathlib.Path(folder))
        counts["start"] = {START: count_start(pathlib.Path(folder))}
    sections = {
        section: {name: list(it) for name, it in named.items()} for section, named in counts.items()
    }
    now = {"environment": environment(), **sections}
    for path in [BASELINE] * options.update + [options.json] * bool(options.json):
        path.write_text(json.dumps(now, indent=1) + "\n")
    baseline = json.loads(BASELINE.read_text())
    rows, wrong, unsaid = compare(baseline, now, options.bound)
    print(*aligned(rows, {1, 2, 3, 4}, ruled=True), sep="\n")
    for line in unsaid:
        print(f"not compared: {line}")
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"{len(rows) - 1} calls, {len(wrong)} wrong; instructions.py --update accepts them")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
