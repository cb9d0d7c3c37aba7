"""Errors that are planted must be found: by the self-test, and on the real SkyPilot."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check" / "planted.py"


def test_the_self_test_finds_all_it_plants(tmp_path):
    command = [sys.executable, "-m", "pytest", "--skyrs-selftest", "-q", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--rootdir=.", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 passed" in done.stdout


@pytest.fixture(scope="module")
def caught(tmp_path_factory):
    """The ten planted errors and how they fared, by name."""
    spec = importlib.util.spec_from_file_location("planted", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return {row.plant: row for row in tool.measure(tmp_path_factory.mktemp("planted"))}


@pytest.mark.parametrize(
    ("plant", "verdict", "call", "rust"),
    [
        ("off by one", "diverged", "get_parallel_threads('kubernetes')", "returned "),
        ("wrong type", "diverged", "get_mem_size_gb()", "returned "),
        ("wrong exception message", "diverged", "hash_file('", "unknown hash type md6"),
        ("lost carriage return", "diverged", "read_last_n_lines('", r"' 10% 50%100%\n'"),
        ("float rounding", "diverged", "format_float(0.25)", "returned '0.3'"),
        ("wrong for non-ASCII", "diverged", "truncate_long_string('ein", "returned 'ein"),
        ("wrong above a size", "diverged", "base36_encode('abab", "returned '"),
        ("swallowed exception", "diverged", "find_free_port(65535)", "returned 65535"),
        ("extra log line", "diverged", r"remove_color('\x1b[31m", "logged INFO sky.planted"),
        ("flaky", "rust-unstable", "get_cpu_count()", "returned "),
    ],
)
def test_a_wrong_candidate_is_named_with_its_arguments(caught, plant, verdict, call, rust):
    row = caught[plant]
    assert row.verdict == verdict
    assert row.call.startswith(call)
    assert rust in row.rust
    assert row.rust != row.python


def test_a_plain_run_on_rust_catches_fewer(caught):
    assert sum(row.plain for row in caught.values()) < len(caught)
