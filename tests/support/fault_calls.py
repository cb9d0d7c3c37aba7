"""One call of each route that Rust answers: what the tests of faults and of leaks are made with."""

import importlib
import os

import applicability
import psutil

from sky_rs_patch._routes.table import ROUTES

_COMMON = "sky.utils.common_utils"
_SUBPROCESS = "sky.utils.subprocess_utils"
_YAML = "sky.utils.yaml_utils"

_SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "nodes": {"type": "integer", "minimum": 1}},
}
_TASK = {"name": "train", "nodes": 2, "envs": {"A": "1", "B": None}, "run": ["a", 1.5, True]}
_TEXT = "name: train\nnodes: 2\nenvs: {A: '1'}\nrun: |\n  echo\n"


def calls(directory):
    """Arguments by target, for every target that the installed SkyPilot is served for.

    Args:
        directory: where files may be made.
    """
    file = directory / "file.log"
    file.write_text("".join(f"line {number} é\n" for number in range(500)))
    arguments = {
        f"{_COMMON}.read_last_n_lines": (str(file), 20),
        f"{_COMMON}.hash_file": (str(file), "sha256"),
        f"{_COMMON}.find_free_port": (39000,),
        f"{_COMMON}.base36_encode": ("deadbeef",),
        f"{_COMMON}.format_float": (3.14159, 3),
        f"{_COMMON}.truncate_long_string": ("some words of a long description é" * 3,),
        f"{_COMMON}.get_cpu_count": (),
        f"{_COMMON}.get_mem_size_gb": (),
        f"{_SUBPROCESS}.get_parallel_threads": ("kubernetes",),
        f"{_SUBPROCESS}.get_max_workers_for_file_mounts": ({"/remote": str(directory)},),
        f"{_SUBPROCESS}.is_process_alive": (os.getpid(),),
        f"{_SUBPROCESS}._safe_children": (psutil.Process(),),
        f"{_COMMON}.validate_schema": (_TASK, _SCHEMA, "prefix"),
        f"{_COMMON}.is_valid_user_hash": ("0123abcd",),
        f"{_COMMON}.get_user_hash": (),
        f"{_COMMON}.make_cluster_name_on_cloud": ("a-cluster", 30),
        f"{_COMMON}.check_cluster_name_is_valid": ("a-cluster",),
        f"{_COMMON}.is_valid_env_var": ("HOME",),
        f"{_COMMON}.remove_color": ("\x1b[31mred\x1b[0m and é",),
        f"{_COMMON}._redact_secrets_values": (["launch", "--secret", "A=b", "--secret=C=é"],),
        f"{_YAML}.check_no_duplicate_keys": (_TEXT,),
        f"{_YAML}.safe_load": (_TEXT,),
        f"{_YAML}.read_yaml_str": (_TEXT,),
        f"{_YAML}.read_yaml_all_str": (f"{_TEXT}---\n{_TEXT}",),
        f"{_YAML}.dump_yaml_str": (_TASK,),
        f"{_COMMON}.dump_yaml_str": (_TASK,),
    }
    return {
        route.target: arguments[route.target]
        for route in ROUTES
        if route.opt_in is None and applicability.reason(route.target) is None
    }


def target_of(name):
    """The target of that short name, of the installed SkyPilot; the test is skipped without."""
    applicability.require(name)
    return next(t for t in applicability.targets(name) if applicability.reason(t) is None)


def native_of(target):
    """The name of the native function that answers for a target's present original."""
    from sky_rs_patch._runtime import implementation

    route = next(route for route in ROUTES if route.target == target)
    original = function(target)
    original = getattr(original, "__wrapped__", original)
    return route.natives[implementation.known_variant(original, target)]


def function(target):
    """What stands in the module now."""
    module, _, name = target.rpartition(".")
    return vars(importlib.import_module(module))[name]


def plain(value):
    """A result in a form that can be compared."""
    if hasattr(value, "hexdigest"):
        return value.name, value.hexdigest()
    return type(value), value
