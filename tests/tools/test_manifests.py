"""Files that Cargo manifests name: each is tracked by git, or a clone couldn't be built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
MANIFESTS = ("rust", "rust/core", "rust/core/benches", "rust/binding", "rust/fuzz")
TARGETS = ("lib", "bin", "bench", "test", "example")
DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies")


def tracked(root: Path) -> set[str]:
    if not (root / ".git").exists():
        pytest.skip(f"no git checkout: there is no {root / '.git'}")
    command = ["git", "ls-files", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return set(done.stdout.split("\0")[:-1])


def listed(entry: list[dict[str, Any]] | dict[str, Any]) -> list[dict[str, Any]]:
    return entry if isinstance(entry, list) else [entry]


def named(folder: Path) -> list[Path]:
    """What the manifest of a folder names, a dependency or a member by its own manifest."""
    manifest = tomllib.loads((folder / "Cargo.toml").read_text(encoding="utf-8"))
    workspace = manifest.get("workspace", {})
    targets = [entry for kind in TARGETS for entry in listed(manifest.get(kind, []))]
    files = [entry["path"] for entry in targets if "path" in entry]
    package = manifest.get("package", {})
    files += [package[key] for key in ("build", "readme", "license-file") if key in package]
    tables = [manifest, workspace, *manifest.get("target", {}).values()]
    folders = list(workspace.get("members", []))
    for table in tables:
        for dependencies in DEPENDENCIES:
            entries = table.get(dependencies, {}).values()
            folders += [
                item["path"] for item in entries if isinstance(item, dict) and "path" in item
            ]
    files += [f"{name}/Cargo.toml" for name in folders]
    return [folder / name for name in (*files, "Cargo.toml")]


def untracked(folder: Path, root: Path) -> list[str]:
    known = tracked(root)
    names = [path.resolve().relative_to(root.resolve()).as_posix() for path in named(folder)]
    return [name for name in names if name not in known]


def test_all_manifests_are_looked_at():
    manifests = [name for name in tracked(ROOT) if name.endswith("Cargo.toml")]
    assert sorted(manifests) == sorted(f"{folder}/Cargo.toml" for folder in MANIFESTS)


@pytest.mark.parametrize("folder", MANIFESTS)
def test_what_a_manifest_names_is_tracked(folder):
    assert untracked(ROOT / folder, ROOT) == []


def test_the_fuzz_targets_are_among_them():
    names = [path.name for path in named(ROOT / "rust/fuzz")]
    assert {"yaml_load.rs", "texts.rs", "Cargo.toml"} <= set(names)
    assert ROOT / "rust/fuzz/../core/Cargo.toml" in named(ROOT / "rust/fuzz")


@pytest.mark.parametrize(
    "line",
    [
        '[[bin]]\nname = "a"\npath = "targets/a.rs"',
        '[[bench]]\nname = "a"\npath = "targets/a.rs"',
        '[lib]\npath = "targets/a.rs"',
        '[package]\nname = "a"\nbuild = "targets/a.rs"',
        '[dev-dependencies]\na = { path = "targets" }',
        '[target."cfg(unix)".dependencies]\na = { path = "targets" }',
        '[workspace.dependencies]\na = { path = "targets" }',
        '[workspace]\nmembers = ["targets"]',
    ],
)
def test_an_ignored_file_is_noticed(line, tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("target*/\n")
    (tmp_path / "Cargo.toml").write_text(line)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "a.rs").write_text("")
    (tmp_path / "targets" / "Cargo.toml").write_text("")
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    expected = "targets/a.rs" if "a.rs" in line else "targets/Cargo.toml"
    assert untracked(tmp_path, tmp_path) == [expected]
