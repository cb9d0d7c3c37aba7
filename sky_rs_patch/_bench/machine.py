"""The machine that measures: what it is, how noisy it is, and what OpenSSL does on it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

#: A fixed loop that takes a few milliseconds; repeated, it shows how steady the machine is.
_SPINS = 40
_SPIN_LOOPS = 60_000
_SPREAD_LIMIT = 0.10
_LOAD_LIMIT = 0.5


def facts() -> dict[str, Any]:
    """What the machine is."""
    return {
        "cpu": _cpu_model(),
        "processors": os.cpu_count(),
        "usable_processors": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "governor": governor(),
        "load": os.getloadavg()[0],
    }


def versions() -> dict[str, str | None]:
    """What is installed."""
    from sky_rs_patch._runtime import status

    result = {"python": platform.python_version(), "skypilot": status._skypilot_version()}
    for name in ("sky-rs-patch", "wrapt", "pyperf", "pyyaml", "psutil", "jsonschema"):
        try:
            result[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            result[name] = None
    result["openssl"] = _openssl_version()
    return result


def _cpu_model() -> str | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"model name", "Model", "cpu model"}:
                return value.strip()
    return platform.processor() or None


def governor() -> str | None:
    """How the first processor's frequency is governed, where that can be read."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def spin_spread() -> float:
    """By how much a fixed loop's 90th percentile is above its best."""
    times = []
    for _ in range(_SPINS):
        start = time.perf_counter()
        for _ in range(_SPIN_LOOPS):
            pass
        times.append(time.perf_counter() - start)
    times.sort()
    return times[len(times) * 9 // 10] / times[0] - 1


def noise(*, load: float, spread: float, governed: str | None) -> list[str]:
    """What makes the times of this machine doubtful."""
    processors = os.cpu_count() or 1
    found = []
    if load > _LOAD_LIMIT * processors:
        found.append(
            f"the load average is {load:.2f} on {processors} processors: something else is running"
        )
    if spread > _SPREAD_LIMIT:
        found.append(
            f"a loop of always the same length varies by {spread:.0%}: the processor is shared, "
            "or its clock changes"
        )
    if governed not in {None, "performance"}:
        found.append(
            f"the processor's frequency is governed by {governed!r}, not 'performance' "
            "(python -m pyperf system tune)"
        )
    return found


def _openssl_version() -> str | None:
    program = shutil.which("openssl")
    if program is None:
        return None
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def openssl_rate(
    algorithm: str, block: int, *, cpu_time: bool = False
) -> tuple[float | None, str | None]:
    """Bytes a second of wall or processor time by ``openssl speed``, or why they aren't known."""
    program = shutil.which("openssl")
    if program is None:
        return None, "openssl isn't installed"
    command = [program, "speed", "-mr", "-seconds", "1", "-bytes", str(block)]
    try:
        done = subprocess.run(
            [*command, *([] if cpu_time else ["-elapsed"]), "-evp", algorithm],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"openssl speed: {error}"
    # +F:22:md5:665000000.00, bytes a second
    for line in done.stdout.splitlines():
        if line.startswith("+F:"):
            with contextlib.suppress(ValueError):
                return float(line.rpartition(":")[2]), None
    return None, f"openssl speed of {algorithm} said nothing (exit code {done.returncode})"


def warn(lines: list[str]) -> None:
    """Says on stderr what is doubtful."""
    for line in lines:
        print(f"sky_rs_patch bench: warning: {line}", file=sys.stderr)
