"""``make demo``: a real SkyPilot API server, started through the shim, and what it was served.

The server, its client and their children are the real ones, in a home directory of their own
and on a free port of the loopback interface. Everything is ended and removed afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from sky_rs_patch._base import processes as _processes
from sky_rs_patch._base.child_environment import child_environment
from sky_rs_patch._bench import simple
from sky_rs_patch._binding import counters
from sky_rs_patch._cli import queue_port
from sky_rs_patch._runtime import status

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACTIVATE = (sys.executable, "-m", "sky_rs_patch.activate")
_START_SECONDS = 120
_COMMAND_SECONDS = 180

_TAIL_AND_HASH = """
import sys
from sky.utils import common_utils
log = sys.argv[1]
for line in common_utils.read_last_n_lines(log, 5):
    print("   |", common_utils.truncate_long_string(line.rstrip(), 100))
print("   sha256", common_utils.hash_file(log, "sha256").hexdigest())
"""


class _Failed(Exception):
    """The demo can't go on; the message says why."""


EPILOG = """\
examples:
  python -m sky_rs_patch demo                  about a minute; leaves nothing
  python -m sky_rs_patch demo --home /tmp/d    keeps the server's log and database there
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the command's options."""
    parser.add_argument("--home", metavar="DIR", help="use this home directory, and keep it")


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns its exit code."""
    home = options.home
    if home is not None:
        problem = _unusable(home)
        if problem is not None:
            print(f"demo: error: --home {home}: {problem}", file=sys.stderr)
            return 2
    folder = Path(home or tempfile.mkdtemp(prefix="sky-rs-demo-"))
    start = time.monotonic()
    # There is a server to end, however this one ends.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    try:
        _Demo(folder.resolve(), start).play()
    except queue_port.Taken as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 2
    except _Failed as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _unusable(home: str) -> str | None:
    """Why a directory can't be the server's home; it is made if it isn't there."""
    if not home:
        return "that is no name of a directory"
    try:
        Path(home).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return None
    except OSError as error:
        return error.strerror or str(error)


class _Demo:
    def __init__(self, home: Path, start: float) -> None:
        self._home = home
        self._start = start
        if queue_port.claim():
            self._say(
                f"port {queue_port.PORT} is taken: the demo's server gets a network of its own"
            )
        self._port = _free_port()
        self._log = home / "server.log"
        self._stats = {name: home / f"counters-{name}" for name in ("server", "client")}
        self._environment = child_environment(
            without=("SKYPILOT_USE_RUST", "SKYPILOT_DEBUG"),
            home=home,
            SKYPILOT_API_SERVER_ENDPOINT=f"http://127.0.0.1:{self._port}",
            SKYPILOT_DISABLE_USAGE_COLLECTION="1",
        )

    def play(self) -> None:
        _processes.adopt_orphans()
        with self._server():
            self._command("sky", "api", "info")
            self._command("sky", "status")
            self._say("tailing and hashing the server's log, with SkyPilot's own functions")
            self._call([*_ACTIVATE, "-c", _TAIL_AND_HASH, str(self._log)], indent="")
            for name, title in (("server", "inside the server"), ("client", "in its clients")):
                self._show_counters(name, title)
        self._say("timing the originals against the routes, in one process")
        print(f"\n{simple.HEADER}")
        simple.run(lambda line: print(line, flush=True))
        print(
            "\nOn your own SkyPilot: python -m sky_rs_patch.activate, once, then use it as ever."
            "\nRead on: README.md, docs/routes.md (what is declined and why), docs/speed.md."
        )
        self._say("done")

    def _say(self, what: str) -> None:
        print(f"\n[{time.monotonic() - self._start:5.1f} s] {what}", flush=True)

    @contextlib.contextmanager
    def _server(self) -> Iterator[None]:
        command = [*_ACTIVATE, "-m", "sky.server.server", "--host", "127.0.0.1"]
        command += ["--port", str(self._port)]
        self._say(f"starting the API server: python {' '.join(command[1:])}")
        with self._log.open("wb") as log:
            server = subprocess.Popen(
                command,
                env={**self._environment, counters.VARIABLE: str(self._stats["server"])},
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_for(server)
            yield
        finally:
            self._say("ending the server and everything that it started")
            server.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            print(f"   {len(_processes.end_descendants())} processes had outlived it")

    def _wait_for(self, server: subprocess.Popen[bytes]) -> None:
        url = f"http://127.0.0.1:{self._port}/api/health"
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise _Failed(
                    f"the server ended with exit code {server.returncode}:\n{self._last_lines()}"
                )
            try:
                with urllib.request.urlopen(url, timeout=5):
                    self._say("the server is healthy")
                    return
            except OSError:
                # Not listening yet, or not healthy: urllib's errors are OSErrors.
                pass
            time.sleep(0.5)
        raise _Failed(f"the server isn't healthy after {_START_SECONDS} s:\n{self._last_lines()}")

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def _command(self, program: str, *arguments: str) -> None:
        self._say(f"{program} {' '.join(arguments)}")
        script = Path(sys.executable).parent / program
        if not script.is_file():
            raise _Failed(f"{script} doesn't exist: is SkyPilot installed beside sky_rs_patch?")
        self._call([*_ACTIVATE, str(script), *arguments], indent="   | ")

    def _call(self, command: list[str], indent: str) -> None:
        try:
            done = subprocess.run(
                command,
                env={**self._environment, counters.VARIABLE: str(self._stats["client"])},
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _Failed(f"{' '.join(command)} took more than {_COMMAND_SECONDS} s") from None
        for line in done.stdout.splitlines():
            print(f"{indent}{line}")
        if done.returncode != 0:
            raise _Failed(f"{' '.join(command)} ended with exit code {done.returncode}")

    def _show_counters(self, name: str, title: str) -> None:
        processes = counters.read(str(self._stats[name])) if self._stats[name].is_dir() else []
        self._say(f"calls {title}, by backend ({len(processes)} processes)")
        print(status.table(counters.total(processes), states=False))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
