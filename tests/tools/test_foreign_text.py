"""The search for text of other projects, on what the installed ones have."""

import ast
import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import applicability
import pytest

from sky_rs_patch._fingerprints import compute
from sky_rs_patch._fingerprints.known_variants import KNOWN

SCRIPT = Path(__file__).parents[2] / "tools" / "check" / "foreign_text.py"
COMMON = "sky.utils.common_utils"


@pytest.fixture(scope="module")
def foreign_text():
    spec = importlib.util.spec_from_file_location("foreign_text", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def origins(foreign_text):
    return foreign_text.Origins(foreign_text.installed())


def copied(name="get_cpu_count"):
    skypilot = applicability.skypilot()
    return "\n".join(skypilot.text(COMMON, skypilot.binding(COMMON, name)))


DISGUISES = {
    "as it is": lambda text: text,
    "within other text": lambda text: f"Some words\nbefore it.\n\n{text}\n\nand behind it.\n",
    "a method": lambda text: "class Own:\n" + textwrap.indent(text, "        "),
    "a string of JSON": lambda text: json.dumps({"text": text}),
    "a comment in Rust": lambda text: textwrap.indent(text, "/// "),
    "a diff": lambda text: textwrap.indent(text, "+"),
    "other quotes": lambda text: text.replace("'", '"'),
    "other layout": lambda text: " ".join(text.split()),
    "in capitals": str.upper,
    "five lines of it": lambda text: "\n".join(text.splitlines()[-5:]),
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_text_of_another_project_is_found(disguise, origins):
    found = list(origins.search(disguise(copied())))
    assert found
    assert all(finding.what.startswith("text of sky/utils/common_utils.py:") for finding in found)


@pytest.mark.parametrize(
    "package", ["yaml/representer.py", "psutil/_common.py", "jsonschema/cli.py"]
)
def test_each_project_is_known(package, origins):
    name, _, file = package.partition("/")
    source = Path(importlib.util.find_spec(name).origin).with_name(file).read_text()
    lines = source.splitlines()
    middle = "\n".join(lines[len(lines) // 2 :][:20])
    (first, *_) = origins.search(middle)
    assert f"text of {package}:" in first.what


def test_the_place_is_named(origins):
    text = "\n".join(["An own line."] * 6) + "\n" + copied()
    first = next(origins.search(text))
    assert first.line == 7
    skypilot = applicability.skypilot()
    line = skypilot.binding(COMMON, "get_cpu_count").lineno
    assert first.what.startswith(f"text of sky/utils/common_utils.py:{line} (`def get_cpu_count ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "word",
        "The number of processors, with the limits of a container.\n",
        "def get_cpu_count() -> int:\n    return 1\n",
        "from __future__ import annotations\n\nimport os\nimport re\nimport sys\n"
        "import subprocess\nimport collections\nimport functools\nimport signal\n"
        "import threading\nimport time\n"
        "from typing import Any, Dict, List, Optional, Union\n",
        "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        " ".join(map(str, range(60))),
    ],
)
def test_own_text_is_not_found(text, origins):
    assert list(origins.search(text)) == []


def test_a_function_is_known_whatever_its_docstring_and_layout(foreign_text):
    """Also one of a release that isn't installed: there are fingerprints of those."""
    name = f"{COMMON}.base36_encode"
    definition = ast.parse(copied("base36_encode")).body[0]
    assert compute.of_definition(definition) in KNOWN[name]
    definition.body[0].value.value = "Words of one's own."
    text = "class Own:\n    x = 1\n\n" + textwrap.indent(ast.unparse(definition), "    ")
    (finding,) = foreign_text.known_functions(text)
    assert finding.line == 4
    assert finding.what.startswith(f"function of {name}, variant A, SkyPilot ")
    assert list(foreign_text.known_functions(text.replace("36", "35"))) == []


def run(*arguments, where):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], cwd=where, check=False, capture_output=True, text=True
    )


def test_files_of_the_repository_are_searched(tmp_path):
    """Those that git tracks and new ones; not what is ignored, deleted, or no text."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "own.py").write_text("'''Own text.'''\n")
    (tmp_path / "deleted.py").write_text("'''Own text.'''\n")
    (tmp_path / "table.bin").write_bytes(b"\xff\xfe" * 40)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "deleted.py").unlink()
    (tmp_path / "ignored.py").write_text(copied())
    done = run(where=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / "new.md").write_text(f"Own text.\n\n{copied()}\n")
    done = run(where=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("new.md:3: text of sky/utils/common_utils.py:")
    assert done.stderr == "foreign_text: findings: 1; own words mend them\n"
