"""Runs SkyPilot's own tests with and without the shim and compares the result of every test.

    python tools/upstream.py [--work DIR] [--release 0.14.1] [-- PYTEST ARGUMENTS]

The tests come from SkyPilot's sdist; the SkyPilot under test is the one that is installed. Each
run has its own HOME. What a run leaves behind (SkyPilot's tests start a real API server whose
executors outlive them) is adopted and ended, so that the second run doesn't talk to the first
one's server. Tests that differ are run once more on both sides:
one whose result without the shim isn't the same twice says nothing about the shim.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tarfile
import time

from sky_rs_patch import _processes

TOOLS = pathlib.Path(__file__).parent
# Real clouds, or the network.
NEED_THE_NETWORK = ("test_smoke.py", "test_api_compatibility.py")
PORTS = (46580, 50011)
Outcomes = dict[str, dict[str, str]]


def fetch_tests(work: pathlib.Path, release: str) -> pathlib.Path:
    tests = work / f"skypilot-{release}" / "tests"
    if not tests.is_dir():
        archive = work / f"skypilot-{release}.tar.gz"
        if not archive.is_file():
            source_only = ["--no-deps", "--no-binary", ":all:"]
            command = [sys.executable, "-m", "pip", "download", "-q", *source_only]
            subprocess.run([*command, "-d", str(work), f"skypilot=={release}"], check=True)
        with tarfile.open(archive) as tar:
            members = [m for m in tar if m.name.startswith(f"skypilot-{release}/tests/")]
            if sys.version_info >= (3, 12):
                tar.extractall(work, members, filter="data")
            else:
                tar.extractall(work, members)
    return tests


def run(
    name: str, tests: pathlib.Path, work: pathlib.Path, prefix: list[str], arguments: list[str]
) -> Outcomes:
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                sys.exit(f"something listens on 127.0.0.1:{port}; the tests would talk to it")
    home = work / f"home-{name}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    outcomes = work / f"{name}.jsonl"
    outcomes.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(TOOLS),
        "PYTHONHASHSEED": "0",
        "SKY_RS_OUTCOMES": str(outcomes),
        "SKY_RS_PATCH_STATS_DIR": str(work / f"stats-{name}"),
    }
    shutil.rmtree(work / f"stats-{name}", ignore_errors=True)
    command = [sys.executable, *prefix, "-m", "pytest", "-p", "outcomes", "-q", "--tb=no"]
    command += ["-p", "no:cacheprovider", "-p", "no:skyrs", f"--basetemp={work / f'tmp-{name}'}"]
    command += [argument for name in NEED_THE_NETWORK for argument in ("--ignore", name)]
    start = time.monotonic()
    with (work / f"{name}.log").open("wb") as log:
        subprocess.run(
            command + arguments,
            cwd=tests,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    leftovers = _processes.end_descendants()
    found: Outcomes = {}
    for line in outcomes.read_text().splitlines() if outcomes.is_file() else []:
        nodeid, when, outcome = json.loads(line)
        found.setdefault(nodeid, {})[when] = outcome
    print(
        f"{name}: {summary(found)} in {time.monotonic() - start:.0f} s; "
        f"ended {len(leftovers)} processes that were left behind",
        flush=True,
    )
    return found


def verdict(phases: dict[str, str]) -> str:
    if phases.get("setup") == "failed" or phases.get("teardown") == "failed":
        return "error"
    return phases.get("call") or phases.get("setup") or phases.get("collect") or "lost"


def summary(outcomes: Outcomes) -> str:
    counts: dict[str, int] = {}
    for phases in outcomes.values():
        counts[verdict(phases)] = counts.get(verdict(phases), 0) + 1
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts)) or "nothing ran"


def different(plain: Outcomes, shim: Outcomes) -> list[str]:
    return sorted(
        nodeid for nodeid in plain.keys() | shim.keys() if plain.get(nodeid) != shim.get(nodeid)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(".work/upstream"))
    parser.add_argument("--release", default="0.14.1")
    parser.add_argument("arguments", nargs="*", help="for pytest")
    options = parser.parse_args()
    _processes.adopt_orphans()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    tests = fetch_tests(work, options.release)
    shim = ["-m", "sky_rs_patch.activate"]
    arguments = options.arguments or ["-n", "2", "--dist", "loadfile"]

    without = run("without-shim", tests, work, [], arguments)
    with_shim = run("with-shim", tests, work, shim, arguments)
    if not without:
        print(f"nothing ran; see {work / 'without-shim.log'}")
        return 1
    suspects = different(without, with_shim)
    real = []
    if suspects:
        print(f"{len(suspects)} tests differ; their files run once more:", *suspects, sep="\n  ")
        files = sorted({nodeid.partition("::")[0] for nodeid in suspects})
        again_without = run("without-shim-again", tests, work, [], [*arguments, *files])
        again_with = run("with-shim-again", tests, work, shim, [*arguments, *files])
        for nodeid in suspects:
            control = without.get(nodeid), again_without.get(nodeid)
            routed = with_shim.get(nodeid), again_with.get(nodeid)
            if control[0] == control[1] and control[0] not in routed:
                real.append(nodeid)
                print(f"DIFFERENT: {nodeid}: {control} without the shim, {routed} with it")
            else:
                print(f"unstable: {nodeid}: {control} without the shim, {routed} with it")
    print(f"{len(without)} tests, {len(real)} different with the shim")
    subprocess.run(
        [sys.executable, "-m", "sky_rs_patch", "status", "--from", str(work / "stats-with-shim")],
        check=False,
        cwd=work,
    )
    return 1 if real else 0


if __name__ == "__main__":
    sys.exit(main())
