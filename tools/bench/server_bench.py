"""What a real SkyPilot API server spends on a request, without the shim and with it.

    python tools/bench/server_bench.py [--rounds 3] [--status 200] [--launches 20] [--json FILE]
    python tools/bench/server_bench.py --memory 10000

Each round starts one server per configuration, one after the other, offline, in a home directory
of its own and, where the kernel lets it, in a network namespace of its own: SkyPilot's request
queue can't be told to use another port. Requests are sent over HTTP, with the bodies that
SkyPilot's client sends.

CPU seconds are those of the server, of everything that it started and of what that left behind,
from the end of the warm-up to the last answer plus `SETTLE` seconds, for SkyPilot collects garbage
after it has answered. They say more than requests a second, which include the client's share and
whatever else the machine does. What SkyPilot does in the background is in them, the more the
longer the requests take; the column "less idle" takes off what an idle server spent in ``--idle``
seconds. On a busy machine that is a large number, measured badly: look at both.

With ``--memory REQUESTS`` a plugin in the executors leaves reference cycles behind at every status
request, some of them only after they survived a few requests, and the table shows the resident
memory of the executors. ``--direct`` leaves out the server: one process with its modules does what
an executor does in and after a status request, which is faster.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import psutil

from sky_rs_patch._base import processes
from sky_rs_patch._base.child_environment import child_environment
from sky_rs_patch._binding import counters as _counters
from sky_rs_patch._binding import extension
from sky_rs_patch._runtime import status as _status

PORT = 46580
QUEUE_PORT = 50011
START_SECONDS = 180
#: Longer than the collection after a request.
SETTLE = 2.0
INSIDE = "SERVER_BENCH_INSIDE"
TARGET = "sky.utils.common_utils.release_memory"

CONFIGURATIONS = {
    "without": None,
    "exact routes": "",
    "and release_memory": "release_memory",
}

TASK = """\
name: bench
resources:
  cpus: 2+
num_nodes: 1
envs:
  MODEL: small
setup: |
  echo setup
run: |
  echo run $MODEL
"""

PLUGIN = '''\
"""Leaves garbage behind at every status request, in the executors."""

import collections
import functools

from sky.server import plugins


class Node:
    pass


def cycle(size):
    node, other = Node(), Node()
    node.other, other.other, node.load = other, node, bytes(size)
    return node


#: Garbage only after some more requests.
later = collections.deque(maxlen=5)


class Garbage(plugins.BasePlugin):
    load_contexts = frozenset({plugins.PluginContext.EXECUTOR})

    def install(self, extension_context):
        from sky import core

        original = core.status

        @functools.wraps(original)
        def status(*args, **kwargs):
            for _ in range(1000):
                cycle(1000)
            later.append([cycle(1000) for _ in range(200)])
            return original(*args, **kwargs)

        core.status = status
'''


#: What the server's executor does around a request, without the request's way there and back.
DIRECT = """
import json, os, sys, time
import sky.server.server
from sky import core
from sky.server.requests import executor
from sky.utils import annotations, common_utils
import server_bench_plugin
server_bench_plugin.Garbage().install(None)
number = int(sys.argv[1])
page = os.sysconf("SC_PAGE_SIZE")
start, cpu = time.monotonic(), time.process_time()
for at in range(1, number + 1):
    core.status(all_users=True)
    annotations.clear_request_level_cache()
    common_utils.release_memory()
    if at % max(1, number // 200) == 0:
        with open("/proc/self/statm") as file:
            rss = int(file.read().split()[1]) * page
        print(json.dumps([time.monotonic() - start, time.process_time() - cpu, rss]), flush=True)
"""


class Failed(Exception):
    """The measurement can't go on; the message says why."""


def enter_namespace() -> str:
    """Starts this program again in a network namespace; says why that can't be."""
    if os.environ.get(INSIDE):
        return "this is one"
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    up = "import fcntl, socket, struct; s = socket.socket(); "
    up += "fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 0x49))"
    try:
        done = subprocess.run(
            [*command, sys.executable, "-c", up], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return str(error)
    if done.returncode != 0:
        return done.stderr.strip().rpartition("\n")[2]
    inner = f"{up}; import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    os.environ[INSIDE] = "1"
    return os.execvp(command[0], [*command, sys.executable, "-c", inner, *sys.argv])


def prepare(home: pathlib.Path, opt_in: str | None, *, garbage: bool) -> dict[str, str]:
    """The environment of a configuration."""
    environment = child_environment(
        without=("SKY*", "PYTHON*"),
        home=home,
        SKYPILOT_DISABLE_USAGE_COLLECTION="1",
        SKYPILOT_API_SERVER_ENDPOINT=url(""),
    )
    if opt_in is not None:
        environment["SKY_RS_PATCH_ACTIVE"] = "1"
        environment[_counters.VARIABLE] = str(home / "counters")
    if opt_in:
        environment["SKY_RS_ENABLE"] = opt_in
    if garbage:
        (home / "server_bench_plugin.py").write_text(PLUGIN)
        configuration = home / "plugins.yaml"
        configuration.write_text("plugins:\n  - class: server_bench_plugin.Garbage\n")
        environment["PYTHONPATH"] = str(home)
        environment["SKYPILOT_SERVER_PLUGINS_CONFIG"] = str(configuration)
    return environment


class Server:
    """A running API server, and what can be seen of it."""

    def __init__(self, home: pathlib.Path, opt_in: str | None, *, garbage: bool) -> None:
        self.home = home
        self.stats = home / "counters"
        self.rss: list[tuple[float, dict[int, int]]] = []
        command = [sys.executable, "-m", "sky.server.server"]
        command += ["--host", "127.0.0.1", "--port", str(PORT)]
        with (home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=prepare(home, opt_in, garbage=garbage),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._tree = psutil.Process(self._process.pid)

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), urllib.request.urlopen(url("/api/health")):
                return
            time.sleep(0.3)
        log = (self.home / "server.log").read_text(errors="replace")
        raise Failed("the server didn't start:\n" + "\n".join(log.splitlines()[-20:]))

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        processes.end_descendants()

    def _processes(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return [self._tree, *self._tree.children(recursive=True)]
        return []

    def cpu_seconds(self) -> float:
        """Of all processes that live, and of those that they have waited for."""
        total = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
        return total

    def executors(self) -> dict[int, int]:
        """Resident bytes of the executors, by process."""
        result = {}
        for process in self._processes():
            with contextlib.suppress(psutil.Error, IndexError):
                if process.cmdline()[0].startswith("SkyPilot:executor:"):
                    result[process.pid] = process.memory_info().rss
        return result

    @contextlib.contextmanager
    def sampled(self, seconds: float):
        """Takes samples of the executors' memory while a block runs."""
        stop = threading.Event()
        start = time.monotonic()

        def sample() -> None:
            while not stop.wait(seconds):
                self.rss.append((time.monotonic() - start, self.executors()))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.rss.append((time.monotonic() - start, self.executors()))

    def counts(self) -> dict[str, dict]:
        return _counters.total(_counters.read(str(self.stats))) if self.stats.is_dir() else {}


def url(path: str) -> str:
    return f"http://127.0.0.1:{PORT}{path}"


class Client:
    """Sends requests as SkyPilot's client does."""

    def __init__(self, home: pathlib.Path) -> None:
        os.environ["HOME"] = str(home)
        os.environ["SKYPILOT_DISABLE_USAGE_COLLECTION"] = "1"
        os.environ["SKYPILOT_API_SERVER_ENDPOINT"] = url("")
        from sky.server import constants
        from sky.server.requests import payloads

        version = {"X-SkyPilot-API-Version": str(constants.API_VERSION)}
        self._headers = {"Content-Type": "application/json", **version}
        status = payloads.StatusBody(summary_response=True, include_credentials=False)
        launch = payloads.LaunchBody(task=TASK, cluster_name="bench", dryrun=True)
        self._bodies = {
            "/status": status.model_dump_json().encode(),
            "/launch": launch.model_dump_json().encode(),
        }

    def send(self, path: str) -> tuple[float, str]:
        """Sends a request and waits for its end: seconds, and what came of it."""
        start = time.perf_counter()
        request = urllib.request.Request(url(path), self._bodies[path], self._headers)
        with urllib.request.urlopen(request) as response:
            name = response.headers["X-SkyPilot-Request-ID"]
        if not name:
            raise Failed(f"{path} gave no request ID")
        get = urllib.request.Request(url(f"/api/get?request_id={name}"), headers=self._headers)
        try:
            with urllib.request.urlopen(get) as response:
                answer = json.load(response)["status"]
        except urllib.error.HTTPError as error:
            detail = json.load(error).get("detail")
            raised = json.loads(detail["error"])["type"] if isinstance(detail, dict) else detail
            answer = f"{error.code} {raised}"
        return time.perf_counter() - start, answer

    def send_many(self, path: str, number: int, concurrency: int) -> tuple[list[float], set[str]]:
        with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
            results = list(pool.map(self.send, [path] * number))
        return [seconds for seconds, _ in results], {answer for _, answer in results}


@contextlib.contextmanager
def running(opt_in: str | None, *, garbage: bool = False):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="server-bench-"))
    server = Server(folder, opt_in, garbage=garbage)
    try:
        server.wait()
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def measure(client: Client, name: str, options: argparse.Namespace) -> dict:
    """One round of one configuration."""
    with running(CONFIGURATIONS[name]) as server:
        client.send_many("/status", options.warm_up, options.concurrency)
        client.send_many("/launch", min(4, options.launches), options.concurrency)
        time.sleep(SETTLE)
        before = server.cpu_seconds()
        time.sleep(options.idle)
        result = {"configuration": name, "idle": (server.cpu_seconds() - before) / options.idle}
        for path, number in (("/status", options.status), ("/launch", options.launches)):
            if not number:
                continue
            before, start = server.cpu_seconds(), time.perf_counter()
            latencies, answers = client.send_many(path, number, options.concurrency)
            elapsed = time.perf_counter() - start
            time.sleep(SETTLE)
            cpu = server.cpu_seconds() - before
            background = result["idle"] * (elapsed + SETTLE)
            result[path[1:]] = {
                "requests": number,
                "per_second": number / elapsed,
                "cpu_per_request": cpu / number,
                "cpu_without_idle": (cpu - background) / number,
                "median_latency": statistics.median(latencies),
                "answers": sorted(answers),
            }
        executors = server.executors()
        result["executors"] = len(executors)
        result["rss"] = sum(executors.values())
        result["calls"] = server.counts().get(TARGET)
    return result


def remember(client: Client, name: str, options: argparse.Namespace) -> dict:
    """The memory run of one configuration."""
    with running(CONFIGURATIONS[name], garbage=True) as server:
        client.send_many("/status", options.warm_up, options.concurrency)
        time.sleep(SETTLE)
        before = server.cpu_seconds()
        start = time.perf_counter()
        with server.sampled(options.sample):
            _, answers = client.send_many("/status", options.memory, options.concurrency)
            elapsed = time.perf_counter() - start
            time.sleep(SETTLE)
        return {
            "configuration": name,
            "requests": options.memory,
            "answers": sorted(answers),
            "per_second": options.memory / elapsed,
            "cpu_per_request": (server.cpu_seconds() - before) / options.memory,
            "rss": [[at, sample] for at, sample in server.rss],
            "calls": server.counts().get(TARGET),
        }


def remember_directly(name: str, options: argparse.Namespace) -> dict:
    """The memory run of one configuration in one process without a server around it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="server-bench-"))
    try:
        done = subprocess.run(
            [sys.executable, "-c", DIRECT, str(options.memory)],
            env=prepare(folder, CONFIGURATIONS[name], garbage=True),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"the process ended with exit code {done.returncode}")
        samples = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        counters = folder / "counters"
        counts = _counters.total(_counters.read(str(counters))) if counters.is_dir() else {}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    elapsed, cpu, _ = samples[-1]
    return {
        "configuration": name,
        "requests": options.memory,
        "per_second": options.memory / elapsed,
        "cpu_per_request": cpu / options.memory,
        "rss": [[at, {"0": rss}] for at, _, rss in samples],
        "calls": counts.get(TARGET),
    }


def mib(size: float) -> str:
    return f"{size / 2**20:.0f}"


def speed_table(results: list[dict]) -> str:
    header = ["configuration", "request", "CPU ms/request", "less idle", "requests/s", "median ms"]
    rows = [header]
    for path in ("status", "launch"):
        for name in CONFIGURATIONS:
            rounds = [
                one
                for result in results
                if result["configuration"] == name
                if (one := result.get(path))
            ]
            if not rounds:
                continue
            cpu = sorted(1000 * one["cpu_per_request"] for one in rounds)
            rows.append(
                [
                    name,
                    path,
                    f"{statistics.median(cpu):.1f} ({cpu[0]:.1f} to {cpu[-1]:.1f})",
                    f"{statistics.median(1000 * one['cpu_without_idle'] for one in rounds):.1f}",
                    f"{statistics.median(one['per_second'] for one in rounds):.1f}",
                    f"{statistics.median(1000 * one['median_latency'] for one in rounds):.0f}",
                ]
            )
    return "\n".join(_status.aligned(rows, {2, 3, 4, 5}, ruled=True))


def memory_table(results: list[dict]) -> str:
    header = ["configuration", "CPU ms/request", "requests/s"]
    header += ["largest executor at 1/4", "1/2", "3/4", "the end", "most", "all at the end"]
    rows = [header]
    for result in results:
        samples = [sample for _, sample in result["rss"] if sample]
        largest = [max(sample.values()) for sample in samples]
        places = [len(samples) * part // 4 for part in (1, 2, 3)]
        rows.append(
            [
                result["configuration"],
                f"{1000 * result['cpu_per_request']:.1f}",
                f"{result['per_second']:.1f}",
                *(mib(largest[place]) for place in places),
                mib(largest[-1]),
                mib(max(largest)),
                f"{mib(sum(samples[-1].values()))} in {len(samples[-1])}",
            ]
        )
    return "\n".join(_status.aligned(rows, set(range(1, len(header))), ruled=True))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--status", type=int, default=200, metavar="REQUESTS")
    parser.add_argument("--launches", type=int, default=20, metavar="REQUESTS")
    parser.add_argument("--memory", type=int, default=0, metavar="REQUESTS", help="the memory run")
    parser.add_argument(
        "--direct",
        action="store_true",
        help="with --memory: what an executor does around a request, in one process, no server",
    )
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=40, metavar="REQUESTS")
    parser.add_argument("--idle", type=float, default=20, metavar="SECONDS")
    parser.add_argument("--sample", type=float, default=5, metavar="SECONDS")
    parser.add_argument("--only", action="append", choices=list(CONFIGURATIONS))
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    build = extension.build_info()
    if build.get("profile") != "release":
        print("server_bench: error: not a release build: make build", file=sys.stderr)
        return 2
    problem = enter_namespace()
    for port in (PORT, QUEUE_PORT):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                print(
                    f"server_bench: error: something listens on port {port}, and there is no "
                    f"network namespace to go to: {problem}",
                    file=sys.stderr,
                )
                return 1
    processes.adopt_orphans()
    # To end as it is told to, it has a server to end.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    names = options.only or list(CONFIGURATIONS)
    results = []
    home = pathlib.Path(tempfile.mkdtemp(prefix="server-bench-client-"))
    try:
        client = Client(home)
        if options.memory:
            for name in names:
                if options.direct:
                    results.append(remember_directly(name, options))
                else:
                    results.append(remember(client, name, options))
                print(memory_table(results[-1:]), flush=True)
            table = memory_table(results)
        else:
            for number in range(options.rounds):
                # Turned round by one each time: no configuration is always the first.
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    results.append(measure(client, name, options))
                    print(json.dumps(results[-1]), flush=True)
            table = speed_table(results)
    except Failed as error:
        print(f"server_bench: error: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"\n{table}")
    if options.json:
        machine = {"python": platform.python_version(), "processors": os.cpu_count()}
        options.json.write_text(
            json.dumps({"build": build, "machine": machine, "results": results}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
