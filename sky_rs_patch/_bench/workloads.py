"""What is measured, and what bounds it. A route that has nothing here is measured by its sample.

A workload of a function that this SkyPilot doesn't have, or that this build has no route for, is
shown as such; so lines may come before their routes.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from sky_rs_patch._routes.table import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sky_rs_patch._bench.corpus import Corpus
    from sky_rs_patch._routes.spec import Sample

#: Where a function of a workload may live, the likeliest first.
HOMES = (
    "sky.utils.common_utils",
    "sky.utils.subprocess_utils",
    "sky.utils.yaml_utils",
    "sky.utils.rust_fallback",
)


class Bound(NamedTuple):
    """What no implementation gets below: a function of the extension, called by the same loop.

    Attributes:
        what: said in the report.
        native: name of a function of the extension.
        arguments: its arguments; ``None`` for those of the workload.
    """

    what: str
    native: str
    arguments: Callable[[Corpus], tuple[Any, ...]] | None = None


class OpenSSL(NamedTuple):
    """The time that OpenSSL's own benchmark takes for that many bytes."""

    algorithm: str
    size: Callable[[Corpus], int]

    @property
    def what(self) -> str:
        """Said in the report."""
        return f"openssl speed of {self.algorithm} alone"


class Workload(NamedTuple):
    """One way in which SkyPilot calls a function.

    Attributes:
        function: its name in one of `HOMES`.
        what: what this call is like.
        arguments: makes the arguments; they are the same objects at every call.
        bound: what bounds the time, or ``None`` where nobody knows.
        environment: variables that are set meanwhile.
        memory: peak memory is of interest, too.
        declined: the native function is expected to hand the call back.
    """

    function: str
    what: str
    arguments: Callable[[Corpus], tuple[Any, ...]]
    bound: Bound | OpenSSL | None = None
    environment: Mapping[str, str] = {}
    memory: bool = False
    declined: bool = False


class _Price(float):
    """Not exactly a float: native code leaves it to the original."""


def _always(*arguments: Any) -> Callable[[Corpus], tuple[Any, ...]]:
    return lambda _: arguments


def _task(size: str) -> Callable[[Corpus], tuple[Any, ...]]:
    return lambda corpus: (corpus.task(size),)


def _document(size: str) -> Callable[[Corpus], tuple[Any, ...]]:
    return lambda corpus: (corpus.document(size),)


def _validation(size: str) -> Callable[[Corpus], tuple[Any, ...]]:
    def arguments(corpus: Corpus) -> tuple[Any, ...]:
        schemas = importlib.import_module("sky.utils.schemas")
        return corpus.document(size), schemas.get_task_schema(), "Invalid task YAML: "

    return arguments


def _resources(corpus: Corpus) -> tuple[Any, ...]:
    schemas = importlib.import_module("sky.utils.schemas")
    documents = (corpus.document(size) for size in ("median", "largest", "recipe", "smallest"))
    resources = next((d["resources"] for d in documents if "resources" in d), {"cpus": "4+"})
    return resources, schemas.get_resources_schema(), "Invalid resources YAML: "


def _process_tree(corpus: Corpus) -> tuple[Any, ...]:
    import psutil

    return (psutil.Process(corpus.process_tree),)


_EMPTY = Bound("an empty native call", "floor_empty")
_COPY = Bound("a copy of the text", "floor_copy")
_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_SENTENCE = " ".join(f"word{number}" for number in range(100))
_COLOURED = "".join(f"\x1b[1m\x1b[3{n % 8}mline {n}\x1b[0m: launched\n" for n in range(50))
_PLAIN = "I 11-21 12:00:00 provisioner.py:76] Launching on Kubernetes.\n"
_ARGV = ["sky", "launch", "-c", "dev", "--env", "A=b", "--secret", "HF_TOKEN=hf_01", "task.yaml"]


def _tail(lines: Callable[[Corpus], int], what: str, *, memory: bool = False) -> Workload:
    return Workload(
        "read_last_n_lines",
        what,
        lambda corpus: (corpus.log, lines(corpus)),
        Bound(
            "the copy of the bytes out of the page cache",
            "floor_read_end",
            lambda corpus: (corpus.log, lines(corpus) * corpus.line_bytes),
        ),
        memory=memory,
    )


def _hash(size: str, algorithm: str) -> Workload:
    big = size == "large"
    return Workload(
        "hash_file",
        f"{'a large file' if big else '4 KiB'}, {algorithm}",
        lambda corpus: (corpus.big if big else corpus.small, algorithm),
        OpenSSL(algorithm, lambda corpus: corpus.big_bytes if big else 4096),
        memory=big and algorithm == "sha256",
    )


_LIST = Bound(
    "open, getdents to the end, close", "floor_list_entries", lambda corpus: (corpus.directory,)
)
_BIND = Bound("socket, bind, close", "floor_bind_port", lambda _: (30001,))

_OWN: tuple[Workload, ...] = (
    Workload("base36_encode", "an md5", _always("d41d8cd98f00b204e9800998ecf8427e"), _EMPTY),
    Workload("base36_encode", "a sha256", _always(_SHA256), _EMPTY),
    Workload("format_float", "1.0", _always(1.0), _EMPTY),
    Workload("format_float", "3.14159", _always(3.14159), _EMPTY),
    Workload("format_float", "an int", _always(7), _EMPTY),
    Workload("format_float", "a subclass", _always(_Price(1.5)), _EMPTY, declined=True),
    Workload("truncate_long_string", "short", _always("a short string"), _EMPTY),
    Workload("truncate_long_string", "long", _always(_SENTENCE), _EMPTY),
    Workload("truncate_long_string", "long, middle", _always(_SENTENCE, 60, True), _EMPTY),
    _tail(lambda _: 10, "10 lines"),
    _tail(lambda _: 1000, "1,000 lines"),
    _tail(lambda corpus: corpus.lines, "all lines", memory=True),
    _hash("small", "md5"),
    _hash("small", "sha256"),
    _hash("large", "md5"),
    _hash("large", "sha256"),
    Workload("find_free_port", "a free one", _always(30001), _BIND),
    Workload(
        "get_cpu_count",
        "",
        _always(),
        Bound("affinity, statfs, stat, one cgroup file", "floor_processors"),
    ),
    Workload(
        "get_cpu_count",
        "by variable",
        _always(),
        _EMPTY,
        environment={"SKYPILOT_POD_CPU_CORE_LIMIT": "4"},
    ),
    Workload(
        "get_mem_size_gb",
        "",
        _always(),
        Bound("/proc/meminfo, stat, one cgroup file", "floor_memory"),
    ),
    Workload("get_parallel_threads", "", _always(), _EMPTY),
    Workload("get_parallel_threads", "kubernetes", _always("kubernetes"), _EMPTY),
    Workload(
        "is_process_alive",
        "parent",
        lambda _: (os.getppid(),),
        Bound(
            "open and close /proc/PID/stat",
            "floor_open_close",
            lambda _: (f"/proc/{os.getppid()}/stat",),
        ),
    ),
    Workload(
        "get_max_workers_for_file_mounts",
        "1,000 entries",
        lambda corpus: ({"/m": corpus.directory},),
        _LIST,
    ),
    Workload(
        "estimate_fd_for_directory", "1,000 entries", lambda corpus: (corpus.directory,), _LIST
    ),
    Workload("dump_yaml_str", "the smallest task", _document("smallest"), _EMPTY),
    Workload("dump_yaml_str", "the median task", _document("median"), _EMPTY),
    Workload("dump_yaml_str", "the largest task", _document("largest"), _EMPTY, memory=True),
    Workload("dump_yaml_str", "SkyPilot's example", _document("recipe"), _EMPTY),
    Workload("check_no_duplicate_keys", "the smallest task", _task("smallest"), _COPY),
    Workload("check_no_duplicate_keys", "the median task", _task("median"), _COPY),
    Workload("check_no_duplicate_keys", "the largest task", _task("largest"), _COPY, memory=True),
    Workload("check_no_duplicate_keys", "SkyPilot's example", _task("recipe"), _COPY),
    Workload("safe_load", "the smallest task", _task("smallest"), _COPY),
    Workload("safe_load", "the median task", _task("median"), _COPY),
    Workload("safe_load", "the largest task", _task("largest"), _COPY, memory=True),
    Workload("safe_load", "SkyPilot's example", _task("recipe"), _COPY),
    Workload("read_yaml_all_str", "the median task", _task("median"), _COPY),
    Workload("read_yaml_all_str", "the largest task", _task("largest"), _COPY),
    Workload("read_yaml_str", "the median task", _task("median"), _COPY),
    Workload("read_yaml_str", "the largest task", _task("largest"), _COPY),
    Workload("validate_schema", "the smallest task", _validation("smallest"), _EMPTY),
    Workload("validate_schema", "the median task", _validation("median"), _EMPTY),
    Workload("validate_schema", "the largest task", _validation("largest"), _EMPTY),
    Workload("validate_schema", "resources", _resources, _EMPTY),
    Workload("_safe_children", "20 children", _process_tree),
    Workload(
        "get_user_hash",
        "by variable",
        _always(),
        _EMPTY,
        environment={"SKYPILOT_USER_ID": "a1b2c3d4"},
    ),
    Workload("get_user_hash", "from its file", _always()),
    Workload("make_cluster_name_on_cloud", "fits", _always("dev", 35), _EMPTY),
    Workload(
        "make_cluster_name_on_cloud", "too long", _always("a.training_run-of-the-week", 20), _EMPTY
    ),
    Workload("is_valid_user_hash", "a valid one", _always("a1b2c3d4"), _EMPTY),
    Workload("check_cluster_name_is_valid", "a valid one", _always("dev-1"), _EMPTY),
    Workload("is_valid_env_var", "a valid one", _always("HF_TOKEN"), _EMPTY),
    Workload("remove_color", "a plain line", _always(_PLAIN), _EMPTY),
    Workload("remove_color", "50 coloured lines", _always(_COLOURED), _COPY),
    Workload("is_port_available", "a free one", _always(30001), _BIND),
    Workload("_redact_secrets_values", "sky launch", _always(_ARGV), _EMPTY),
    Workload("release_memory", "", _always()),
)


def _by_sample(function: str, sample: Sample) -> Workload:
    return Workload(
        function,
        "its sample",
        lambda corpus: sample.make(corpus.folder),
        environment=sample.environment,
    )


_MEASURED = {workload.function for workload in _OWN}
_SAMPLES = {route.target.rpartition(".")[2]: route.sample for route in ROUTES}
WORKLOADS = (
    *_OWN,
    *(_by_sample(name, made) for name, made in _SAMPLES.items() if name not in _MEASURED),
)
