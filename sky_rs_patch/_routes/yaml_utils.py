"""The routes of ``sky.utils.yaml_utils``."""

from __future__ import annotations

from sky_rs_patch._contracts import yaml_compose, yaml_dump, yaml_load
from sky_rs_patch._routes.spec import RouteSpec, Sample

MODULE = "sky.utils.yaml_utils"

_TASK = """\
name: train
resources:
  accelerators: A100:8
envs:
  EPOCHS: "3"
run: |
  python train.py
"""
#: The same as an object.
TASK_CONFIG = {
    "name": "train",
    "resources": {"accelerators": "A100:8"},
    "envs": {"EPOCHS": "3"},
    "run": "python train.py\n",
}


def dump_yaml_str(module: str) -> RouteSpec:
    """The route of a function that moved here from ``common_utils`` after SkyPilot 0.10.0."""
    return RouteSpec(
        f"{module}.dump_yaml_str",
        {"A": "dump_yaml_str"},
        Sample((TASK_CONFIG,)),
        answers=(
            "exact `dict`, `list`, `tuple`, `str`, `int`, `float`, `bool` and `None`, "
            "up to 64 levels deep, shared objects and those that hold themselves "
            "included; PyYAML 6.0 to 6.0.4"
        ),
        declines=(
            "all other types (`bytes`, `set`, dates, subclasses), more levels, integers "
            "that Python doesn't print, a recursion limit below 1,000, other versions "
            "of PyYAML"
        ),
        reads=yaml_dump.READS,
        examine=yaml_dump.examine,
    )


ROUTES: tuple[RouteSpec, ...] = (
    dump_yaml_str(MODULE),
    RouteSpec(
        f"{MODULE}.check_no_duplicate_keys",
        {"A": "check_no_duplicate_keys"},
        Sample((_TASK,)),
        answers=(
            "exact `str` of up to 4 Mi code points that surely parses and surely has no key "
            "twice: below"
        ),
        declines="everything else, duplicates above all",
        reads=yaml_compose.READS,
        precondition=yaml_compose.known_pyyaml,
        examine=yaml_compose.examine,
    ),
    *(
        # Up to SkyPilot 0.10.0 they were elsewhere, and libyaml had no part in them.
        RouteSpec(
            f"{MODULE}.{name}",
            {"A": name},
            Sample((_TASK,)),
            answers=(
                f"exact `str` of up to 4 Mi code points{also} that libyaml and PyYAML's scanner "
                "surely take in the same way, and that holds plain data: below"
            ),
            declines=declines,
            callees=callees,
            reads=yaml_load.READS,
            precondition=yaml_load.known_pyyaml,
            examine=yaml_load.examine,
        )
        for name, callees, also, declines in (
            (
                "safe_load",
                {},
                ", or a text file of up to 4 MiB that is open for reading UTF-8,",
                "other streams, more than one document, everything else",
            ),
            ("read_yaml_str", {"safe_load": "A"}, "", "more than one document, everything else"),
            ("read_yaml_all_str", {"safe_load_all": "A"}, "", "everything else"),
        )
    ),
)
