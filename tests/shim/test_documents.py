"""What the documents show works when it is pasted, and their tables are those of the code."""

import re
import sys
from pathlib import Path

import pytest
from support import run_python

import sky_rs_patch
from sky_rs_patch._binding import extension
from sky_rs_patch._runtime.advice import ADVICE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
TARGET = "sky.utils.common_utils.removeprefix"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_code_of_the_readme(code, tmp_path):
    program = tmp_path / "pasted.py"
    program.write_text(code)
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert done.stdout.splitlines() == promised != []


def test_the_entry_point_of_the_readme(tmp_path):
    [table] = blocks("toml")
    [name] = re.findall(r'entry-points\."(.*)"\]', table)
    [(target, value)] = re.findall(r'^"(.*)" = "(.*)"$', table, re.MULTILINE)
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{name}]\n{target} = {value}\n")
    [code] = blocks("python")
    (tmp_path / "my_package.py").write_text(code.partition("\n\n\nsky_rs_patch.register")[0])
    done = run_python(
        "-c",
        "import sky_rs_patch; sky_rs_patch.enable()\n"
        "from sky.utils import common_utils\n"
        "assert common_utils.removeprefix('sky-cluster', 'sky-') == 'cluster'\n"
        f"print(sky_rs_patch.status()['routes']['{target}']['calls'])",
        environment={"PYTHONPATH": str(tmp_path)},
    )
    assert (done.stdout, done.stderr) == ("{'rust': 1, 'python': 0}\n", "")


def commands():
    """Every command of ours that a document shows, with the options that it shows of it."""
    shown = {}
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        pattern = r"python -m (sky_rs_patch(?:\.\w+)?)(?: ([a-z]+))?([^#\n`|]*)"
        for module, command, rest in re.findall(pattern, path.read_text()):
            if module == "sky_rs_patch" and command:
                options = re.findall(r"--[a-z-]+", rest)
                shown.setdefault(command, set()).update(options)
    return shown


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_documents(command):
    done = run_python("-m", "sky_rs_patch", command, "--help")
    assert done.returncode == 0, done.stderr
    assert {option for option in commands()[command] if option not in done.stdout} == set()


def rows(heading):
    """The rows of the first table below a heading of the reference."""
    section = REFERENCE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_the_reasons_of_declines():
    named = [row[0].strip("`") for row in rows("Why a call goes to Python")]
    assert sorted(named) == sorted(extension.load().module.DECLINE_REASONS)


def test_the_reasons_of_routes():
    assert rows("Why a route isn't served") == [
        [advice.reason, advice.help or "the reason says it"] for advice in ADVICE
    ]


def test_the_variables():
    named = {name for row in rows("Variables") for name in re.findall(r"`(\w+)`", row[0])}
    used = set()
    for folder in ("sky_rs_patch", "pytest_skyrs", "rust/binding"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".rs"):
                text = path.read_text()
                used |= set(re.findall(r"\b(SKYPILOT_USE_RUST|SKY_?RS_[A-Z_]*[A-Z])\b", text))
    assert named == used


def test_the_python_that_runs_this_has_the_wheel():
    assert not Path(sky_rs_patch.__file__).is_relative_to(ROOT / "sky_rs_patch"), sys.path
