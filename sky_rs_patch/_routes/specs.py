"""The routes that this project brings: which original, which native function, what it reads.

``docs/routes.md`` says for each what the native function declines and why.
"""

from __future__ import annotations

import importlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from sky_rs_patch._contracts import (
    json_schema,
    logger_calls,
    preconditions,
    yaml_compose,
    yaml_dump,
    yaml_load,
)
from sky_rs_patch._routes import release_memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import FunctionType

    from sky_rs_patch._guards.walk import Walk

_COMMON = "sky.utils.common_utils"
_SUBPROCESS = "sky.utils.subprocess_utils"
_YAML = "sky.utils.yaml_utils"


class OptIn(NamedTuple):
    """What makes a route one that isn't exact in effect, and has to be asked for.

    Attributes:
        name: what it is asked for by; see ``_opt_in.py``.
        document: where it is written in what it isn't exact.
        make: makes what answers, from the original. Its exceptions are the call's.
        withdraw: undoes what the calls have left in the process.
        problem: why the original runs for good although the route is there, or ``None``.
    """

    name: str
    document: str
    make: Callable[[FunctionType], Callable[..., Any]]
    withdraw: Callable[[], None]
    problem: Callable[[], str | None]


class Sample(NamedTuple):
    """A call that the native function answers wherever the route is served.

    Attributes:
        arguments: its arguments, or what makes them in an empty directory.
        environment: variables that are set meanwhile.
    """

    arguments: tuple[Any, ...] | Callable[[Path], tuple[Any, ...]] = ()
    environment: Mapping[str, str] = MappingProxyType({})

    def make(self, folder: Path) -> tuple[Any, ...]:
        """The arguments."""
        return self.arguments if isinstance(self.arguments, tuple) else self.arguments(folder)


class RouteSpec(NamedTuple):
    """A route before its target is known to exist.

    Attributes:
        target: dotted name of the SkyPilot function.
        natives: variant letter of the original (see ``known_variants.py``) -> native function.
        sample: what ``status --exercise`` calls.
        callees: functions of the same module that the native function speaks for as well, each
            with the letters of those variants for which it does.
        context: names, as the original's module sees them, of objects that the native function
            works with, in its order; ``globals()`` is the module's dictionary.
        reads: dotted names that the original reads beyond what its code shows.
        elsewhere: the same for functions of other SkyPilot modules, by their dotted names; not
            every release has all of them.
        precondition: says what about this machine or these libraries the native function can't
            vouch for, or ``None``.
        examine: watches, beyond that, what no code shows, and returns further objects for
            ``context``; raises ``Suspect`` if something was replaced.
        pure: a call has no effects but its result.
        opt_in: there is no native function; the variants are those that `OptIn.make` takes.
    """

    target: str
    natives: Mapping[str, str]
    sample: Sample
    callees: Mapping[str, str] = MappingProxyType({})
    context: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = MappingProxyType({})
    precondition: Callable[[], str | None] | None = None
    examine: Callable[[Walk, FunctionType], tuple[object, ...]] | None = None
    pure: bool = True
    opt_in: OptIn | None = None


_CGROUP = {"_is_cgroup_v2": "A"}
#: Where `re.match` and its like lead.
_REGEX_READS = ("re._compile",)
#: Where `re.sub` leads with a template; which of them there are depends on the Python.
_TEMPLATE_READS = (*_REGEX_READS, "re._subx", "re._compile_repl", "re._compile_template")
#: Where reading a text file leads.
_TEXT_FILE_READS = ("encodings.utf_8.IncrementalDecoder.decode",)
#: Context of what reads the user's hash.
_USER_HASH = ("os.environ._data", "constants.USER_ID_ENV_VAR", "USER_HASH_FILE")

_USER_ID = {"SKYPILOT_USER_ID": "a1b2c3d4"}
_TASK = """\
name: train
resources:
  accelerators: A100:8
envs:
  EPOCHS: "3"
run: |
  python train.py
"""
_TASK_CONFIG = {
    "name": "train",
    "resources": {"accelerators": "A100:8"},
    "envs": {"EPOCHS": "3"},
    "run": "python train.py\n",
}


def _log(folder: Path) -> str:
    path = folder / "run.log"
    path.write_text("".join(f"step {number}\n" for number in range(100)))
    return str(path)


def _process_with_children(_: Path) -> tuple[Any, ...]:
    import psutil

    # A process that has children: this one's parent.
    return (psutil.Process(os.getppid() or os.getpid()),)


def _task_and_schema(_: Path) -> tuple[Any, ...]:
    schemas = importlib.import_module("sky.utils.schemas")
    return _TASK_CONFIG, schemas.get_task_schema(), "Invalid task YAML: "


ROUTES: tuple[RouteSpec, ...] = (
    RouteSpec(
        f"{_COMMON}.read_last_n_lines",
        {"A": "read_last_n_lines"},
        Sample(lambda folder: (_log(folder), 10)),
    ),
    RouteSpec(
        f"{_COMMON}.hash_file",
        {"A": "hash_file"},
        Sample(lambda folder: (_log(folder), "sha256")),
        context=("import:_hashlib.new", "hashlib.new"),
        reads=("_hashlib.new",),
    ),
    RouteSpec(
        f"{_COMMON}.find_free_port",
        {"A": "find_free_port_silent", "B": "find_free_port"},
        Sample((30001,)),
        context=("logger",),
        reads=logger_calls.READS,
        examine=logger_calls.examine,
        precondition=preconditions.plain_logger,
        pure=False,
    ),
    RouteSpec(
        f"{_COMMON}.base36_encode",
        {"A": "base36_encode"},
        Sample(("d41d8cd98f00b204e9800998ecf8427e",)),
    ),
    RouteSpec(f"{_COMMON}.format_float", {"A": "format_float"}, Sample((3.14159,))),
    RouteSpec(
        f"{_COMMON}.truncate_long_string",
        {"A": "truncate_long_string_end", "B": "truncate_long_string"},
        Sample(("launching the replicas of a service", 20)),
    ),
    RouteSpec(
        f"{_COMMON}.get_cpu_count",
        {"A": "get_cpu_count"},
        Sample(),
        callees={"_cpu_count": "A", "_get_cgroup_cpu_limit": "A", **_CGROUP},
        context=("os.environ._data",),
        reads=(*preconditions.PROCFS_READS, *_TEXT_FILE_READS),
        precondition=preconditions.known_psutil,
    ),
    RouteSpec(
        f"{_COMMON}.get_mem_size_gb",
        {"A": "get_mem_size_gb_only", "B": "get_mem_size_gb"},
        Sample(),
        callees={"_mem_size_gb": "A", "_get_cgroup_memory_limit": "A", **_CGROUP},
        context=("os.environ._data",),
        reads=(*preconditions.PROCFS_READS, *_TEXT_FILE_READS),
        precondition=preconditions.known_psutil,
    ),
    RouteSpec(
        f"{_SUBPROCESS}.get_parallel_threads",
        {"A": "get_parallel_threads"},
        Sample(("kubernetes",)),
        callees={"_get_thread_multiplier": "A"},
        precondition=preconditions.unforced_cpu_count,
    ),
    RouteSpec(
        f"{_SUBPROCESS}.get_max_workers_for_file_mounts",
        {"A": "get_max_workers_for_file_mounts"},
        Sample(lambda folder: ({"/data": str(folder)},)),
        callees={"get_parallel_threads": "A", "_get_thread_multiplier": "A"},
        context=("logger", "globals()"),
        reads=logger_calls.READS,
        examine=logger_calls.examine,
        precondition=preconditions.plain_logger_and_cpu_count,
        pure=False,
    ),
    RouteSpec(
        f"{_SUBPROCESS}.is_process_alive",
        {"A": "is_process_alive"},
        Sample(lambda _: (os.getpid(),)),
        reads=preconditions.PSUTIL_ALIVE_READS,
        precondition=preconditions.known_psutil,
    ),
    # It moved from common_utils to yaml_utils after SkyPilot 0.10.0.
    *(
        RouteSpec(
            f"{module}.dump_yaml_str",
            {"A": "dump_yaml_str"},
            Sample((_TASK_CONFIG,)),
            reads=yaml_dump.READS,
            examine=yaml_dump.examine,
        )
        for module in (_COMMON, _YAML)
    ),
    RouteSpec(
        f"{_YAML}.check_no_duplicate_keys",
        {"A": "check_no_duplicate_keys"},
        Sample((_TASK,)),
        reads=yaml_compose.READS,
        precondition=yaml_compose.known_pyyaml,
        examine=yaml_compose.examine,
    ),
    *(
        # Up to SkyPilot 0.10.0 they were elsewhere, and libyaml had no part in them.
        RouteSpec(
            f"{_YAML}.{name}",
            {"A": name},
            Sample((_TASK,)),
            callees=callees,
            reads=yaml_load.READS,
            precondition=yaml_load.known_pyyaml,
            examine=yaml_load.examine,
        )
        for name, callees in (
            ("safe_load", {}),
            ("read_yaml_str", {"safe_load": "A"}),
            ("read_yaml_all_str", {"safe_load_all": "A"}),
        )
    ),
    RouteSpec(
        f"{_COMMON}.validate_schema",
        # A's class of validators isn't called what its module calls it.
        {"B": "validate_schema", "C": "validate_schema"},
        Sample(_task_and_schema),
        elsewhere={
            "sky.utils.validator.case_insensitive_enum": "A",
            "sky.utils.validator.case_sensitive_enum": "A",
            "sky.utils.validator.get_schema_validator": "ABC",
        },
        precondition=json_schema.known_release,
        examine=json_schema.examine,
    ),
    RouteSpec(
        f"{_COMMON}.is_valid_user_hash",
        {"B": "is_valid_user_hash", "C": "is_valid_user_hash_whole"},
        Sample(("a1b2c3d4",)),
        reads=_REGEX_READS,
    ),
    RouteSpec(
        f"{_COMMON}.get_user_hash",
        {"C": "get_user_hash"},
        Sample(environment=_USER_ID),
        callees={"is_valid_user_hash": "BC"},
        context=_USER_HASH,
        reads=(*_REGEX_READS, *_TEXT_FILE_READS),
        pure=False,
    ),
    RouteSpec(
        f"{_COMMON}.make_cluster_name_on_cloud",
        {"A": "make_cluster_name_on_cloud", "B": "make_cluster_name_on_cloud"},
        Sample(("a.training_run-of-the-week", 20), _USER_ID),
        callees={"get_user_hash": "C", "is_valid_user_hash": "BC", "base36_encode": "A"},
        # Up to 0.10.0 the file's path has another name, so there is no context.
        context=(*_USER_HASH, "CLUSTER_NAME_HASH_LENGTH", "logger"),
        reads=(*_REGEX_READS, *_TEXT_FILE_READS, *logger_calls.READS),
        examine=logger_calls.examine,
        precondition=preconditions.plain_logger_and_md5,
        pure=False,
    ),
    RouteSpec(
        f"{_COMMON}.check_cluster_name_is_valid",
        {"A": "check_cluster_name_is_valid"},
        Sample(("dev-1",)),
        reads=_REGEX_READS,
        precondition=preconditions.known_cluster_names,
    ),
    RouteSpec(
        f"{_COMMON}.is_valid_env_var",
        {"A": "is_valid_env_var"},
        Sample(("HF_TOKEN",)),
        context=("_VALID_ENV_VAR_REGEX",),
        reads=_REGEX_READS,
    ),
    RouteSpec(
        f"{_COMMON}.remove_color",
        {"A": "remove_color"},
        Sample(("\x1b[31mred\x1b[0m",)),
        context=("_COLOR_PATTERN", "import:re.Pattern"),
    ),
    RouteSpec(
        f"{_COMMON}._redact_secrets_values",
        {"A": "_redact_secrets_values"},
        Sample((["sky", "launch", "--secret", "HF_TOKEN=hf_01", "task.yaml"],)),
        reads=_TEMPLATE_READS,
    ),
    RouteSpec(
        f"{_SUBPROCESS}._safe_children",
        # They differ in what they say of processes that may not be looked at.
        {"A": "_safe_children", "B": "_safe_children"},
        Sample(_process_with_children),
        context=(
            "psutil.Process",
            "psutil.NoSuchProcess",
            "psutil.ZombieProcess",
            "import:psutil.__dict__",
            "import:psutil._pslinux.ppid_map",
        ),
        reads=preconditions.PSUTIL_CHILDREN_READS,
        precondition=preconditions.known_children,
        pure=False,
    ),
    RouteSpec(
        f"{_COMMON}.release_memory",
        # The original's own code runs; B returns memory in another way.
        {"A": "_release_memory", "B": "_release_memory"},
        Sample(),
        reads=("gc.freeze", "gc.unfreeze", "gc.get_freeze_count", "gc.get_objects"),
        pure=False,
        opt_in=OptIn(
            "release_memory",
            "docs/release-memory.md",
            release_memory.make,
            release_memory.withdraw,
            release_memory.problem,
        ),
    ),
)
