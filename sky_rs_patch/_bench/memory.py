"""Peak memory of a call: a fresh process for each backend."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sky_rs_patch._bench import children
from sky_rs_patch._bench.workloads import WORKLOADS


def measure(index: int, *, home: Path, quick: bool, tasks: str | None) -> dict[str, Any]:
    """Bytes by which a process grows at its peak, by backend.

    Args:
        index: which workload.
        home: home directory of the children.
        quick: smaller inputs.
        tasks: folder of task files, or ``None`` for the package's own.
    """
    workload = WORKLOADS[index]
    row: dict[str, Any] = {"function": workload.function, "workload": workload.what}
    with tempfile.TemporaryDirectory(prefix="sky-rs-bench-") as folder:
        for backend, switch in (("original", "0"), ("routed", "1")):
            job = {"index": index, "folder": folder, "quick": quick, "tasks": tasks}
            done = subprocess.run(
                children.python("-m", "sky_rs_patch._bench.memory"),
                input=json.dumps(job),
                env=children.environment(home, SKYPILOT_USE_RUST=switch),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                row["note"] = (done.stderr.strip().splitlines() or ["no output"])[-1]
                return row
            row.update(json.loads(done.stdout.splitlines()[-1]), **{backend: 0})
            row[backend] = row.pop("grown")
    return row


def _peak() -> int:
    # Not ru_maxrss: that one starts with the parent's peak.
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", text)
    if found is None:
        raise RuntimeError("/proc/self/status has no VmHWM")
    return int(found[1]) * 1024


def _forget_peak() -> None:
    # Where that is forbidden the growth beyond the earlier peak is what there is.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _child() -> int:
    from sky_rs_patch import enable
    from sky_rs_patch._bench import timing
    from sky_rs_patch._bench.corpus import Corpus

    job = json.load(sys.stdin)
    workload = WORKLOADS[job["index"]]
    enable()
    tasks = Path(job["tasks"]) if job["tasks"] else None
    folder = Path(tempfile.mkdtemp(dir=job["folder"]))
    with Corpus(folder, tasks=tasks, quick=job["quick"]) as corpus:
        found = timing.find(workload.function)
        if found is None or found.proxy is None:
            print(json.dumps({"grown": None, "note": "no route"}))
            return 0
        arguments = workload.arguments(corpus)
        small = next(w for w in WORKLOADS if w.function == workload.function)
        # What the first call imports and derives is no part of it.
        found.proxy(*small.arguments(corpus))
        _forget_peak()
        before = _peak()
        result = found.proxy(*arguments)
        print(json.dumps({"grown": _peak() - before}))
        del result
    return 0


if __name__ == "__main__":
    sys.exit(_child())
