"""What users wait for: loading tasks, importing SkyPilot, starting Python, tailing a large log.

Each is done with and without the shim, by turns.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

from sky_rs_patch._bench import children, timing
from sky_rs_patch._bench.corpus import Corpus

_LOG_BYTES = 1 << 30
_LINE = b"I 11-21 12:00:00.000 PID=1 server.py:1] request " + b"x" * 280 + b"\n"
_STATES = ("without", "with")
_ACTIVE = "SKY_RS_PATCH_ACTIVE"

_LOAD = """
import sys
import sky
sky.Task.from_yaml(sys.argv[1])
"""

_TAIL = """
import json, sys, time
import sky_rs_patch
sky_rs_patch.enable()
from sky.utils import common_utils
path, counts = sys.argv[1], json.loads(sys.argv[2])
common_utils.read_last_n_lines(path, 1)
times = []
for count in counts:
    for _ in range(5):
        start = time.perf_counter()
        common_utils.read_last_n_lines(path, count)
        times.append(time.perf_counter() - start)
print(json.dumps(times))
"""
_TAILS = (10, 1000, 100_000)


def measure(
    *, home: Path, quick: bool, tasks: str | None, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Measures all of it.

    Args:
        home: home directory of the children.
        quick: fewer runs.
        tasks: folder of task files, or ``None`` for the package's own.
        progress: is told what comes next.
    """
    measurements: tuple[tuple[str, Callable[[], list[dict[str, Any]]]], ...] = (
        ("loading tasks", lambda: _tasks(home, quick, tasks)),
        ("programs from their start", lambda: _cold(home, quick)),
        ("tail of a large log", lambda: _tail(home, quick)),
    )
    rows = []
    for what, measurement in measurements:
        progress(what)
        try:
            rows += measurement()
        except (RuntimeError, OSError, ValueError) as error:
            rows.append({"what": what, "note": f"not measured: {error}"})
    return rows


def row(
    what: str, without: list[float], with_shim: list[float], note: str | None = None
) -> dict[str, Any]:
    """One row of the section; the values are seconds, those of a round at the same place."""
    return {
        "what": what,
        "without": timing.spread(without)._asdict(),
        "with": timing.spread(with_shim)._asdict(),
        "ratio": timing.spread([a / b for a, b in zip(without, with_shim)])._asdict(),
        "note": note,
    }


def _run(command: list[str], env: dict[str, str], text: str | None = None) -> str:
    done = subprocess.run(command, env=env, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"a child ended with exit code {done.returncode}: {last}")
    return done.stdout


# ---- Task.from_yaml -----------------------------------------------------------------------------


def _tasks(home: Path, quick: bool, tasks: str | None) -> list[dict[str, Any]]:
    results = []
    for _ in range(1 if quick else 3):
        out = _run(
            children.python("-m", "sky_rs_patch._bench.end_to_end"),
            children.environment(home),
            json.dumps({"tasks": tasks, "rounds": 3 if quick else 9}),
        )
        results.append(json.loads(out.splitlines()[-1]))
    first = results[0]
    without = [v for result in results for v in result["without"]]
    routed = [v for result in results for v in result["with"]]
    count = first["files"]
    note = f"{count} files, seconds for each"
    if first["skipped"]:
        names = ", ".join(f"{name}: {why}" for name, why in first["skipped"].items())
        note += f"; left out: {names}"
    rows = [
        row(
            "loading tasks: Task.from_yaml and pipelines",
            [v / count for v in without],
            [v / count for v in routed],
            note,
        )
    ]
    for name, times in sorted(first["single"].items()):
        rows.append(row(f"loading one task: {name}", times["without"], times["with"]))
    return rows


def _tasks_child() -> int:
    """Loads every task by turns with the routes on and off, in one process."""
    job = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import sky_rs_patch

    sky_rs_patch.enable()
    folder = Path(tempfile.mkdtemp(prefix="sky-rs-bench-", dir=os.environ["HOME"]))
    # Relative names in task files mean files beside them.
    os.chdir(folder)
    loads: dict[str, Callable[[], object]] = {}
    skipped: dict[str, str] = {}
    corpus = Corpus(folder, tasks=Path(job["tasks"]) if job["tasks"] else None)
    for task in corpus.tasks:
        for name in ("lora.yaml", "settings.json", "scripts", "prompts"):
            (folder / name).touch()
        path = folder / f"{task.name}.yaml"
        path.write_text(task.text, encoding="utf-8")
        load = loader(str(path), task.text)
        try:
            load()
            loads[task.name] = load
        except Exception as error:
            skipped[task.name] = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
    if not loads:
        raise ValueError(f"no task can be loaded: {skipped}")
    names = list(loads)
    chosen = {names[0], names[len(names) // 2], names[-1]}
    single: dict[str, dict[str, list[float]]] = {n: {"without": [], "with": []} for n in chosen}
    total: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(job["rounds"] + 1):
        for state in _STATES if number % 2 else _STATES[::-1]:
            (sky_rs_patch.enable if state == "with" else sky_rs_patch.disable)()
            whole = 0.0
            for name, load in loads.items():
                # Twice: the first call after a switch looks at the guards again.
                load()
                start = time.perf_counter()
                load()
                took = time.perf_counter() - start
                whole += took
                if name in chosen and number:
                    single[name][state].append(took)
            if number:
                total[state].append(whole)
    json.dump({**total, "single": single, "files": len(loads), "skipped": skipped}, out)
    out.flush()
    return 0


def loader(path: str, text: str) -> Callable[[], object]:
    """What loads a task file as ``sky launch`` and ``sky jobs launch`` would."""
    import sky
    from sky.utils import dag_utils

    documents = text.count("\n---\n") + (not text.startswith("---"))
    if documents > 1:
        return lambda: dag_utils.load_chain_dag_from_yaml(path)
    return lambda: sky.Task.from_yaml(path)


# ---- processes ----------------------------------------------------------------------------------


def _cold(home: Path, quick: bool) -> list[dict[str, Any]]:
    """Programs from their start to their end, in processes by turns: processor and wall time."""
    task = home / "task.yaml"
    folder = Path(tempfile.mkdtemp(prefix="sky-rs-bench-", dir=home))
    tasks = Corpus(folder, tasks=None).tasks
    task.write_text(tasks[len(tasks) // 2].text, encoding="utf-8")
    load = ["-c", _LOAD, str(task)]
    active = {_ACTIVE: "1"}
    activate = ["-m", "sky_rs_patch.activate"]
    few, many = (3, 20) if quick else (15, 100)
    programs: tuple[tuple[str, int, list[str], list[str], dict[str, str]], ...] = (
        ("python -c pass", many, ["-c", "pass"], [], active),
        ("activate -c pass", many, ["-c", "pass"], activate, {}),
        ("import sky", few, ["-c", "import sky"], [], active),
        ("import sky and load a task", few, load, [], active),
        ("the same through activate", few, load, activate, {}),
    )
    rows = []
    for what, runs, program, before, variables in programs:
        times = [_turn(home, program, before, variables, number) for number in range(runs + 1)]
        for kind, at, note in (
            ("CPU", 0, "user and system time of processes by turns"),
            ("wall", 1, None),
        ):
            without, routed = ([turn[state][at] for turn in times[1:]] for state in _STATES)
            rows.append(row(f"{what}, {kind}", without, routed, note))
    return rows


def _turn(
    home: Path, program: list[str], before: list[str], variables: dict[str, str], number: int
) -> dict[str, tuple[float, float]]:
    """Processor and wall time of a program without and with the shim, in changing order."""
    took = {}
    for state in _STATES if number % 2 else _STATES[::-1]:
        more = variables if state == "with" else {}
        command = children.python(*(before if state == "with" else []), *program)
        cpu, wall = _children_cpu(), time.perf_counter()
        _run(command, children.environment(home, **more))
        took[state] = _children_cpu() - cpu, time.perf_counter() - wall
    return took


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _tail(home: Path, quick: bool) -> list[dict[str, Any]]:
    size = _LOG_BYTES >> 4 if quick else _LOG_BYTES
    free = shutil.disk_usage(home).free
    what = f"tail of a log of {size >> 20} MiB"
    if free < 2 * size:
        return [{"what": what, "note": f"not measured: only {free >> 20} MiB free in {home}"}]
    path = home / "large.log"
    piece = _LINE * ((1 << 20) // len(_LINE))
    try:
        with path.open("wb") as file:
            for _ in range(size // len(piece)):
                file.write(piece)
        values: dict[str, list[list[float]]] = {s: [[] for _ in _TAILS] for s in _STATES}
        for number in range(2 if quick else 6):
            for state in _STATES if number % 2 else _STATES[::-1]:
                switch = "1" if state == "with" else "0"
                env = children.environment(home, SKYPILOT_USE_RUST=switch)
                command = children.python("-c", _TAIL, str(path), json.dumps(_TAILS))
                times = json.loads(_run(command, env).splitlines()[-1])
                for at, of_one in enumerate(values[state]):
                    of_one.extend(times[5 * at : 5 * at + 5])
        return [
            row(f"{what}, {lines:,} lines", values["without"][at], values["with"][at])
            for at, lines in enumerate(_TAILS)
        ]
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(_tasks_child())
