"""``python -m sky_rs_patch bench``: starts the workers, gathers what they measured, prints it."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sky_rs_patch._bench import children, machine, timing
from sky_rs_patch._bench.gathered import Gathered
from sky_rs_patch._bench.workloads import WORKLOADS, OpenSSL

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of the JSON object. Keys are added without a new number; a changed or lost one gets one.
SCHEMA = 1
KIND = "sky_rs_patch bench"
INSTALL = "pip install 'pyperf>=2.6' psutil"

EPILOG = """\
examples:
  python -m sky_rs_patch bench --quick                       rough, in less than a minute
  python -m sky_rs_patch bench --json b.json --html b.html   for later, and to look at
  python -m sky_rs_patch bench --only 'get_*' --rounds 20
"""


class Problem(Exception):
    """The benchmark can't go on; the message says why.

    Attributes:
        code: the command's exit code.
    """

    code = 1


class Misuse(Problem):
    """The user must mend the command, or what is installed; nothing was measured."""

    code = 2


class _Plan:
    """How long to measure."""

    def __init__(self, options: argparse.Namespace) -> None:
        quick = options.quick
        self.processes = options.processes or (1 if quick else 3)
        self.rounds = options.rounds or (5 if quick else 9)
        self.cpu_time = bool(options.cpu_time)
        self.seconds = options.seconds or (0.004 if quick else 0.02)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the command's options."""
    parser.add_argument("--quick", action="store_true", help="rough, in less than a minute")
    parser.add_argument("--json", metavar="F", help="write the results as JSON")
    parser.add_argument("--html", metavar="F", help="write a page, as `report` does")
    parser.add_argument("--pyperf", metavar="F", help="write pyperf's own JSON, for its tools")
    parser.add_argument(
        "--only", metavar="GLOB", action="append", help="functions, e.g. 'get_*' (repeatable)"
    )
    parser.add_argument("--tasks", metavar="DIR", help="task YAMLs in the place of the package's")
    parser.add_argument(
        "--end-to-end", action="store_true", help="also task loading, imports, starts, a 1 GiB tail"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    parser.add_argument("--processes", metavar="N", type=_positive_int, help="worker processes")
    parser.add_argument("--rounds", metavar="N", type=_positive_int, help="values in a process")
    parser.add_argument("--seconds", metavar="S", type=_positive_float, help="length of one value")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="of the routes count processor time: steadier where others use the machine, too",
    )
    parser.add_argument(
        "--server", metavar="F", help="add the results of tools/bench/server_bench.py, JSON"
    )
    parser.add_argument("--peers", metavar="DIR", help=argparse.SUPPRESS)


def _positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, at most 60")
    return value


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns its exit code."""
    try:
        result = collect(options)
        if options.json:
            write(options.json, json.dumps(result, indent=1) + "\n")
        if options.html:
            from sky_rs_patch._bench import page

            write(options.html, page.render(result))
    except Problem as problem:
        print(f"sky_rs_patch bench: error: {problem}", file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        print("sky_rs_patch bench: interrupted", file=sys.stderr)
        return 130
    return 0


def write(name: str, text: str) -> None:
    """Writes a file of results."""
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(name, error) from None


def _unwritable(name: str, error: OSError) -> Problem:
    return Problem(f"{name} can't be written: {error.strerror}")


def collect(options: argparse.Namespace, *, out: TextIO | None = None) -> dict[str, Any]:
    """Measures, and prints the tables.

    Args:
        options: those of `add_options`.
        out: where the tables go; by default stdout.

    Raises:
        Problem: what the user must mend.
    """
    chosen = _check(options)
    server = read_server(options.server)
    plan = _Plan(options)
    from sky_rs_patch._binding import extension

    facts = machine.facts()
    warnings = machine.noise(
        load=facts["load"], spread=machine.spin_spread(), governed=facts["governor"]
    )
    machine.warn(warnings)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": KIND,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": facts,
        "versions": machine.versions(),
        "build": extension.build_info(),
        "settings": {"quick": options.quick, **vars(plan)},
        "warnings": warnings,
        "end_to_end": [],
        "server": server,
    }
    versions = result["versions"]
    print(
        f"Python {versions['python']}, SkyPilot {versions['skypilot']}, "
        f"{result['build']['rustc']}, {facts['cpu']}, {facts['kernel']}\n",
        file=out,
    )
    with tempfile.TemporaryDirectory(prefix="sky-rs-bench-home-") as folder:
        home = Path(folder)
        gathered = Gathered(chosen)
        for number in range(plan.processes):
            _say(f"process {number + 1} of {plan.processes}")
            for message in _worker(options, plan, chosen, home):
                gathered.add(message)
        if not gathered.complete():
            raise Problem("a worker ended before it was done")
        result["routes"] = gathered.rows(_rates(chosen, options.quick, plan.cpu_time))
        machine.warn(gathered.problems)
        warnings += gathered.problems
        result["calls"] = gathered.calls()
        result["metadata"] = gathered.metadata
        result["memory"] = [] if options.no_memory else _memory(options, chosen, home)
        if options.end_to_end:
            from sky_rs_patch._bench import end_to_end

            result["end_to_end"] = end_to_end.measure(
                home=home, quick=options.quick, tasks=options.tasks, progress=_say
            )
        _say("")
    if options.pyperf:
        try:
            gathered.write_pyperf(options.pyperf)
        except OSError as error:
            raise _unwritable(options.pyperf, error) from None
    from sky_rs_patch._bench import table

    print(table.render(result), end="", file=out)
    return result


def _say(what: str) -> None:
    """Shows on a terminal what is going on."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def _check(options: argparse.Namespace) -> list[int]:
    """Finds everything that is wrong before anything is measured; lists the workloads."""
    import importlib.util

    try:
        timing.check_release_build()
    except RuntimeError as error:
        raise Misuse(str(error)) from None
    if importlib.util.find_spec("pyperf") is None:
        raise Misuse(f"pyperf isn't installed: {INSTALL}")
    if importlib.util.find_spec("sky") is None:
        raise Misuse(f"SkyPilot isn't installed beside sky_rs_patch, in {sys.prefix}")
    if options.tasks is not None:
        options.tasks = str(Path(options.tasks).absolute())
        folder = Path(options.tasks)
        if not folder.is_dir():
            raise Misuse(f"--tasks {options.tasks}: no such directory")
        if not any(p.suffix in {".yaml", ".yml"} for p in folder.rglob("*.y*ml")):
            raise Misuse(f"--tasks {options.tasks}: no *.yaml or *.yml there")
    check_files(options, "json", "html", "pyperf")
    if options.peers is not None and not Path(options.peers, "peers.json").is_file():
        raise Misuse(f"--peers {options.peers}: no peers.json there")
    chosen = list(range(len(WORKLOADS)))
    for glob in options.only or ():
        if not any(fnmatch.fnmatchcase(w.function, glob) for w in WORKLOADS):
            names = ", ".join(sorted({w.function for w in WORKLOADS}))
            raise Misuse(f"--only {glob}: no such function; there are {names}")
    if options.only:
        chosen = [
            index
            for index in chosen
            if any(fnmatch.fnmatchcase(WORKLOADS[index].function, glob) for glob in options.only)
        ]
    return chosen


def check_files(options: argparse.Namespace, *names: str) -> None:
    """Sees that files of results can be written, before hours are spent on what is in them.

    Raises:
        Misuse: if one can't be.
    """
    for name in names:
        path = getattr(options, name)
        if path is None or path == "-":
            continue
        existed = os.path.lexists(path)
        try:
            with Path(path).open("ab"):
                pass
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise Misuse(f"--{name} {path}: {why}") from None
        if not existed:
            Path(path).unlink()


def read_server(name: str | None) -> Any:
    """Reads what the benchmark of the API server wrote; it goes into the report as it is."""
    if name is None:
        return None
    try:
        return json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise Misuse(f"--server {name}: {error.strerror}") from None
    except ValueError as error:
        raise Misuse(f"--server {name}: no JSON: {error}") from None


def _worker(
    options: argparse.Namespace, plan: _Plan, chosen: list[int], home: Path
) -> Iterator[dict[str, Any]]:
    job = {
        "quick": options.quick,
        "seconds": plan.seconds,
        "rounds": plan.rounds,
        "cpu_time": plan.cpu_time,
        "tasks": options.tasks,
        "workloads": chosen,
        "calls": not options.only,
        "peers": options.peers,
    }
    worker = subprocess.Popen(
        children.python("-m", "sky_rs_patch._bench.worker"),
        env=children.environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None and worker.stdout is not None and worker.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(worker.stderr or ()))
    reader.start()
    try:
        # A child that has ended already says why on stderr.
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(json.dumps(job))
            worker.stdin.close()
        for line in worker.stdout:
            message = json.loads(line)
            if "index" in message:
                workload = WORKLOADS[message["index"]]
                _say(f"{workload.function} {workload.what}")
            yield message
        code = worker.wait()
    finally:
        worker.kill()
        worker.wait()
        reader.join()
        worker.stdout.close()
        worker.stderr.close()
    if code != 0:
        said = "".join(errors[-15:]).strip()
        raise Problem(f"a worker ended with exit code {code}:\n{said}")


def _rates(
    chosen: list[int], quick: bool, cpu_time: bool
) -> dict[str, tuple[float | None, str | None]]:
    """What OpenSSL does, by algorithm and size."""
    from sky_rs_patch._bench.corpus import Corpus

    rates: dict[str, tuple[float | None, str | None]] = {}
    corpus = Corpus(Path(os.devnull), quick=quick)
    for index in chosen:
        bound = WORKLOADS[index].bound
        if isinstance(bound, OpenSSL):
            size = bound.size(corpus)
            _say(bound.what)
            # It can't be interleaved with the rest, so it gets its best of several tries. Above
            # a few KiB the block's size doesn't matter to it.
            tries = [
                machine.openssl_rate(bound.algorithm, min(size, 64 * 1024), cpu_time=cpu_time)
                for _ in range(1 if quick else 3)
            ]
            rates[f"{bound.algorithm} {size}"] = max(tries, key=lambda t: t[0] or 0)
    return rates


def _memory(options: argparse.Namespace, chosen: list[int], home: Path) -> list[dict[str, Any]]:
    from sky_rs_patch._bench import memory

    rows: list[dict[str, Any]] = []
    for index in chosen:
        workload = WORKLOADS[index]
        if workload.memory and not (options.quick and rows):
            _say(f"memory of {workload.function}")
            row = memory.measure(index, home=home, quick=options.quick, tasks=options.tasks)
            rows.append(row)
    return rows
