"""Runs the cargo-fuzz targets of the Rust core, each for its part of the time.

    python tools/check/fuzz_core.py --minutes 5 [--seed 1] [--target NAME ...]

Where cargo-fuzz is missing it says so, and that is no failure. The toolchain of the extension does:
only sanitizers want a nightly one, and the core has no unsafe code that they would look for. What
was found stays in `.work/fuzz/corpus`; a crash is written to `.work/fuzz/artifacts`.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZ = ROOT / "rust" / "fuzz"
WORK = ROOT / ".work" / "fuzz"
CARGO = ("cargo", "fuzz")


def targets() -> list[str]:
    return re.findall(r'name = "(\w+)"\npath = "targets', (FUZZ / "Cargo.toml").read_text())


def missing() -> str | None:
    """What isn't there, if something isn't."""
    try:
        done = subprocess.run([*CARGO, "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else None


def run(target: str, seconds: int, seed: int) -> bool:
    """Runs one target; False if it found something."""
    corpus, artifacts = WORK / "corpus" / target, WORK / "artifacts" / target
    for directory in (corpus, artifacts):
        directory.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=20", "-max_len=1000"]
    options += [f"-artifact_prefix={artifacts}/", "-print_final_stats=1", "-verbosity=0"]
    started = time.monotonic()
    done = subprocess.run(
        [*CARGO, "run", "-s", "none", "--fuzz-dir", str(FUZZ), target, str(corpus), "--", *options],
        cwd=ROOT / "rust",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "rust" / "target" / "fuzz")},
    )
    runs = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    count = f"{int(runs[1]):,}" if runs else "no"
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(
        f"{target:<10} {count:>14} runs {time.monotonic() - started:6.0f} s  {verdict}", flush=True
    )
    if done.returncode:
        print(done.stderr[-6000:])
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=targets())
    options = parser.parse_args()
    reason = missing()
    if reason is not None:
        print(f"the Rust core isn't fuzzed: {reason}\n  {' '.join(CARGO)} --version")
        return 0
    chosen = options.target or targets()
    seconds = max(int(options.minutes * 60 / len(chosen)), 1)
    # All of them, whatever the first ones find.
    succeeded = [run(target, seconds, options.seed) for target in chosen]
    return 0 if all(succeeded) else 1


if __name__ == "__main__":
    sys.exit(main())
