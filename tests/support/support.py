"""What several test modules need."""

import ast
import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import applicability

import sky_rs_patch
from sky_rs_patch import _testing

COMMON = "sky.utils.common_utils"
SUBPROCESS = "sky.utils.subprocess_utils"

TARGETS = {
    "read_last_n_lines": COMMON,
    "hash_file": COMMON,
    "find_free_port": COMMON,
    "base36_encode": COMMON,
    "format_float": COMMON,
    "truncate_long_string": COMMON,
    "get_cpu_count": COMMON,
    "get_mem_size_gb": COMMON,
    "get_parallel_threads": SUBPROCESS,
    "get_max_workers_for_file_mounts": SUBPROCESS,
    "is_process_alive": SUBPROCESS,
}


#: Those that the installed SkyPilot has.
SERVED = [
    name for name, module in TARGETS.items() if applicability.reason(f"{module}.{name}") is None
]
#: Without the one that only SkyPilot 0.10 has.
PRESENT = [name for name in SERVED if name != "is_process_alive"]


def full_name(name):
    """The target of that short name."""
    return f"{TARGETS[name]}.{name}"


def function(name):
    """What SkyPilot's module has under a name now."""
    module = importlib.import_module(TARGETS[name])
    if name not in vars(module):
        applicability.require(name)
    return vars(module)[name]


def status_of(name):
    """A target's part of the status; whatever hasn't been looked at yet stays so."""
    return sky_rs_patch.status(examine=False)["routes"][
        (TARGETS.get(name) and full_name(name)) or name
    ]


def outcome(callee, *arguments, **keywords):
    """What a call gives, in a form that can be compared."""
    try:
        value = callee(*arguments, **keywords)
    except Exception as error:
        cause = error.__cause__
        return ("raises", type(error), str(error), type(cause), str(cause))
    if hasattr(value, "hexdigest"):
        return ("returns", type(value), value.name, value.hexdigest())
    return ("returns", type(value), value)


class Counted:
    """The calls of a target while a block ran."""

    rust = python = 0

    def __init__(self):
        self.declines = {}


@contextlib.contextmanager
def counting(name):
    """Counts the calls of a target by backend, and the declines by reason."""
    before = status_of(name)
    counted = Counted()
    yield counted
    after = status_of(name)
    counted.rust = after["calls"]["rust"] - before["calls"]["rust"]
    counted.python = after["calls"]["python"] - before["calls"]["python"]
    for reason, count in after["declines"].items():
        more = count - before["declines"].get(reason, 0)
        if more:
            counted.declines[reason] = more


def run_python(*arguments, environment=None, executable=sys.executable, **options):
    """Runs an interpreter to its end, with output as text."""
    full = _testing.child_environment(
        without=("SKYPILOT_USE_RUST*", "SKY_RS_PATCH_*", "PYTEST_*", "COV_*", "PYTHON*")
    )
    full.update(environment or {})
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    if options["stdin"] is None:
        del options["stdin"]
    return subprocess.run(
        [str(executable), *map(str, arguments)],
        env=full,
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def run_code(code, *arguments, **options):
    """Runs code in a new interpreter, which must succeed; gives what it printed."""
    done = run_python("-c", code, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


_PREAMBLE = {
    "common_utils": """\
import hashlib
import logging
import os
import socket
from typing import List, Optional, Union

import psutil

from sky.utils import ux_utils

logger = logging.getLogger(__name__)
""",
    "subprocess_utils": """\
import logging
import os
import resource
from typing import Dict, Optional

import psutil

from sky.utils import common_utils

logger = logging.getLogger(__name__)
_fd_limit_warning_shown = False
""",
}
_CALLEES = {
    "_cpu_count",
    "_mem_size_gb",
    "_is_cgroup_v2",
    "_get_cgroup_cpu_limit",
    "_get_cgroup_memory_limit",
    "_get_thread_multiplier",
}


def small_skypilot(directory, edit=lambda source: source):
    """Makes a package ``sky`` of nothing but the targets, copied from the installed SkyPilot.

    Importing all of SkyPilot takes seconds, which matters where an interpreter start is the
    subject. `edit` may change the source of the modules.
    """
    installed = Path(importlib.util.find_spec("sky").origin).parent / "utils"
    utils = Path(directory) / "sky" / "utils"
    utils.mkdir(parents=True)
    (utils.parent / "__init__.py").touch()
    (utils / "__init__.py").touch()
    (utils / "ux_utils.py").write_text(
        "import contextlib\nprint_exception_no_traceback = contextlib.nullcontext\n"
    )
    for module, preamble in _PREAMBLE.items():
        source = (installed / f"{module}.py").read_text()
        parts = [
            ast.get_source_segment(source, node)
            for node in ast.parse(source).body
            if isinstance(node, ast.FunctionDef) and node.name in {*TARGETS, *_CALLEES}
        ]
        text = "\n\n\n".join([preamble, *parts])
        (utils / f"{module}.py").write_text(edit(text) + "\n")
    return Path(directory)
