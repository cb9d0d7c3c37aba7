"""Where an arm lives, and what must not be there before: folders, environment, ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_skyrs._model.settings import FOLDER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_skyrs._model.settings import ArmSettings


def make(settings: ArmSettings, cache: Path | None) -> None:
    """Makes an arm's folders; pytest's cache is copied, so that ``--lf`` selects alike."""
    for folder in (settings.home, settings.temporary, settings.stats):
        folder.mkdir(parents=True)
    if cache is not None and cache.is_dir():
        shutil.copytree(cache, settings.cache, symlinks=True, ignore=shutil.ignore_patterns("d"))


def environment(
    settings: ArmSettings, hash_seed: str, *, measures_coverage: bool = False
) -> dict[str, str]:
    """The environment of an arm's processes.

    Args:
        settings: of the arm.
        hash_seed: PYTHONHASHSEED.
        measures_coverage: the Python arm's coverage data is the session's, and so is their place.
    """
    from sky_rs_patch import _testing

    variables = {
        "TMPDIR": str(settings.temporary),
        "PYTHONHASHSEED": hash_seed,
        "HYPOTHESIS_STORAGE_DIRECTORY": str(settings.path / "hypothesis"),
        "COVERAGE_FILE": str(settings.path / "coverage"),
        _testing.COUNTERS_VARIABLE: str(settings.stats),
        FOLDER_VARIABLE: settings.folder,
    }
    made = _testing.child_environment(home=settings.home, **variables)
    if measures_coverage and settings.is_the_sessions:
        made.pop("COVERAGE_FILE")
        if "COVERAGE_FILE" in os.environ:
            made["COVERAGE_FILE"] = os.environ["COVERAGE_FILE"]
    return made


def end_processes(settings: ArmSettings) -> list[str]:
    """Kills what still runs of an arm whose supervisor is gone, found by its environment.

    Returns:
        The processes.
    """
    import psutil

    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(FOLDER_VARIABLE) == settings.folder:
                command = " ".join(process.cmdline())[:100].strip() or process.name()
                process.kill()
                ended.append(f"{command} (pid {process.pid})")
    return ended


def listeners(ports: Iterable[int]) -> Mapping[int, str]:
    """Who listens on these ports of the loopback, by port."""
    found = {}
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found[port] = _owner(port)
    return found


def has_namespaces() -> bool:
    """Whether a process may have a network of its own here: one tries."""
    code = "from sky_rs_patch import _testing; _testing.isolate_network()"
    command = [sys.executable, "-c", code]
    path = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False
    )
    return done.returncode == 0


def _owner(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("inet"):
            address = connection.laddr
            if (
                connection.status == psutil.CONN_LISTEN
                and address
                and address.port == port
                and connection.pid
            ):
                process = psutil.Process(connection.pid)
                command = " ".join(process.cmdline())[:100].strip() or process.name()
                return f"{command} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "a process that can't be named"
