"""The routes of ``sky.utils.common_utils``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sky_rs_patch._contracts import json_schema, logger_calls, preconditions
from sky_rs_patch._routes import release_memory
from sky_rs_patch._routes.spec import OptIn, RouteSpec, Sample
from sky_rs_patch._routes.yaml_utils import TASK_CONFIG, dump_yaml_str

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "sky.utils.common_utils"

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


def _log(folder: Path) -> str:
    path = folder / "run.log"
    path.write_text("".join(f"step {number}\n" for number in range(100)))
    return str(path)


def _task_and_schema(_: Path) -> tuple[Any, ...]:
    schemas = importlib.import_module("sky.utils.schemas")
    return TASK_CONFIG, schemas.get_task_schema(), "Invalid task YAML: "


ROUTES: tuple[RouteSpec, ...] = (
    RouteSpec(
        f"{MODULE}.read_last_n_lines",
        {"A": "read_last_n_lines"},
        Sample(lambda folder: (_log(folder), 10)),
        answers=(
            "exact `str` or `PosixPath` paths of regular files, n ≥ 0, UTF-8 with the "
            "handlers `replace`, `ignore`, `strict`, `backslashreplace`, `surrogateescape`"
        ),
        declines=(
            "other encodings and handlers, failing asserts, pipes and devices, files that "
            "shrink while read, undecodable text under `strict`"
        ),
    ),
    RouteSpec(
        f"{MODULE}.hash_file",
        {"A": "hash_file"},
        Sample(lambda folder: (_log(folder), "sha256")),
        answers=(
            "exact `str` or `PosixPath` paths of regular files, every algorithm that "
            "`hashlib.new` has; the result is hashlib's own object"
        ),
        declines="pipes and devices, unknown algorithms, files that shrink while read",
        context=("import:_hashlib.new", "hashlib.new"),
        reads=("_hashlib.new",),
    ),
    RouteSpec(
        f"{MODULE}.find_free_port",
        {"A": "find_free_port_silent", "B": "find_free_port"},
        Sample((30001,)),
        answers=(
            "exact `int` from 0 to 65534; busy ports are passed over while nobody would see "
            "the debug record (B)"
        ),
        declines="other numbers, no free port, a handler or filter that would see the record",
        context=("logger",),
        reads=logger_calls.READS,
        examine=logger_calls.examine,
        precondition=preconditions.plain_logger,
        pure=False,
    ),
    RouteSpec(
        f"{MODULE}.base36_encode",
        {"A": "base36_encode"},
        Sample(("d41d8cd98f00b204e9800998ecf8427e",)),
        answers="exact ASCII `str` that `int(x, 16)` takes, up to 16,384 digits",
        declines="negative numbers (the original never returns), everything else",
    ),
    RouteSpec(
        f"{MODULE}.format_float",
        {"A": "format_float"},
        Sample((3.14159,)),
        answers="exact `float`, `int`, `bool`; precision 0 to 64",
        declines="numpy scalars, subclasses, other precisions",
    ),
    RouteSpec(
        f"{MODULE}.truncate_long_string",
        {"A": "truncate_long_string_end", "B": "truncate_long_string"},
        Sample(("launching the replicas of a service", 20)),
        answers="exact `str` of any width, exact `int` limits, negative ones too",
        declines="other types",
    ),
    RouteSpec(
        f"{MODULE}.get_cpu_count",
        {"A": "get_cpu_count"},
        Sample(),
        answers=(
            "the environment's limit as ASCII text that `float()` takes; else affinity, "
            "online processors and cgroup v1 or v2"
        ),
        declines="text that raises, cgroup files of another shape than the kernel's",
        callees={"_cpu_count": "A", "_get_cgroup_cpu_limit": "A", **_CGROUP},
        context=("os.environ._data",),
        reads=(*preconditions.PROCFS_READS, *_TEXT_FILE_READS),
        precondition=preconditions.known_psutil,
    ),
    RouteSpec(
        f"{MODULE}.get_mem_size_gb",
        {"A": "get_mem_size_gb_only", "B": "get_mem_size_gb"},
        Sample(),
        answers="the environment's limits likewise; else `/proc/meminfo` and cgroup v1 or v2",
        declines="the same, and a meminfo that psutil would warn about",
        callees={"_mem_size_gb": "A", "_get_cgroup_memory_limit": "A", **_CGROUP},
        context=("os.environ._data",),
        reads=(*preconditions.PROCFS_READS, *_TEXT_FILE_READS),
        precondition=preconditions.known_psutil,
    ),
    # Up to SkyPilot 0.10.0.
    dump_yaml_str(MODULE),
    RouteSpec(
        f"{MODULE}.validate_schema",
        # A's class of validators isn't called what its module calls it.
        {"B": "validate_schema", "C": "validate_schema"},
        Sample(_task_and_schema),
        answers=(
            "objects that surely are valid: plain `dict`, `list`, `str`, numbers, `bool`, "
            "`None`, or SkyPilot's `Config` outermost; schemas of the keywords of Draft 7 "
            "and SkyPilot's two, subschemas of Draft 2020-12; patterns over ASCII texts "
            "without assertions, references and the like"
        ),
        declines=(
            "everything invalid, since messages are the original's; `$ref`, `$id`, "
            "`contains`, `additionalItems` and unknown keywords; malformed ones, as far as "
            "the object reaches them; subclasses; keys that aren't `str`; nesting beyond "
            "48; numbers that floats round; jsonschema before 4.21 or after 4.26"
        ),
        elsewhere={
            "sky.utils.validator.case_insensitive_enum": "A",
            "sky.utils.validator.case_sensitive_enum": "A",
            "sky.utils.validator.get_schema_validator": "ABC",
        },
        precondition=json_schema.known_release,
        examine=json_schema.examine,
    ),
    RouteSpec(
        f"{MODULE}.is_valid_user_hash",
        {"B": "is_valid_user_hash", "C": "is_valid_user_hash_whole"},
        Sample(("a1b2c3d4",)),
        answers="exact `str` of any width, `None`",
        declines="other types",
        reads=_REGEX_READS,
    ),
    RouteSpec(
        f"{MODULE}.get_user_hash",
        {"C": "get_user_hash"},
        Sample(environment=_USER_ID),
        answers=(
            "a valid `SKYPILOT_USER_ID`; else a valid hash in the file, ASCII and up to 1,023 bytes"
        ),
        declines=(
            "whatever would make and write a new one; special files; a replaced "
            "`os.environ`; a `SKYPILOT_USER_ID` that ends in a newline, which is valid for "
            "B of `is_valid_user_hash` only"
        ),
        callees={"is_valid_user_hash": "BC"},
        context=_USER_HASH,
        reads=(*_REGEX_READS, *_TEXT_FILE_READS),
        pure=False,
    ),
    RouteSpec(
        f"{MODULE}.make_cluster_name_on_cloud",
        {"A": "make_cluster_name_on_cloud", "B": "make_cluster_name_on_cloud"},
        Sample(("a.training_run-of-the-week", 20), _USER_ID),
        answers="exact ASCII `str`, exact `int` or `None`, and a user's hash as above",
        declines=(
            "a conversion whose debug record somebody would see, failing asserts, text "
            "beyond ASCII, systems without MD5"
        ),
        callees={"get_user_hash": "C", "is_valid_user_hash": "BC", "base36_encode": "A"},
        # Up to 0.10.0 the file's path has another name, so there is no context.
        context=(*_USER_HASH, "CLUSTER_NAME_HASH_LENGTH", "logger"),
        reads=(*_REGEX_READS, *_TEXT_FILE_READS, *logger_calls.READS),
        examine=logger_calls.examine,
        precondition=preconditions.plain_logger_and_md5,
        pure=False,
    ),
    RouteSpec(
        f"{MODULE}.check_cluster_name_is_valid",
        {"A": "check_cluster_name_is_valid"},
        Sample(("dev-1",)),
        answers="`None`, and names that are valid",
        declines="everything else: the original says what is wrong",
        reads=_REGEX_READS,
        precondition=preconditions.known_cluster_names,
    ),
    RouteSpec(
        f"{MODULE}.check_workspace_name_is_valid",
        {"A": "check_workspace_name_is_valid"},
        Sample(("team-1",)),
        answers="`None`, and names that are valid",
        declines="everything else: the original says what is wrong",
        context=("constants.WORKSPACE_NAME_VALID_REGEX", "constants.WORKSPACE_NAME_MAX_LENGTH"),
        reads=_REGEX_READS,
    ),
    RouteSpec(
        f"{MODULE}.is_valid_env_var",
        {"A": "is_valid_env_var"},
        Sample(("HF_TOKEN",)),
        answers="exact `str` of any width",
        declines="other types",
        context=("_VALID_ENV_VAR_REGEX",),
        reads=_REGEX_READS,
    ),
    RouteSpec(
        f"{MODULE}.remove_color",
        {"A": "remove_color"},
        Sample(("\x1b[31mred\x1b[0m",)),
        answers="exact `str` of any width; the text itself where it has no color",
        declines="other types, another `_COLOR_PATTERN`",
        context=("_COLOR_PATTERN", "import:re.Pattern"),
    ),
    RouteSpec(
        f"{MODULE}._redact_secrets_values",
        {"A": "_redact_secrets_values"},
        Sample((["sky", "launch", "--secret", "HF_TOKEN=hf_01", "task.yaml"],)),
        answers="exact `list` of exact `str`; what isn't redacted is the same object",
        declines="other lists, other types in it",
        reads=_TEMPLATE_READS,
    ),
    RouteSpec(
        f"{MODULE}.release_memory",
        # The original's own code runs; B returns memory in another way.
        {"A": "_release_memory", "B": "_release_memory"},
        Sample(),
        answers=(
            "the original's own code, with a collection that passes over what survived the "
            "last full one: [release-memory.md](release-memory.md)"
        ),
        declines="while others freeze, while another thread is in it, mocks of `gc`",
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
