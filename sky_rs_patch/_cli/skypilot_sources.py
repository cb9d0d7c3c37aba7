"""Sources of a SkyPilot, read from where it is or from a release that pip fetches.

Nothing of SkyPilot is imported: a release can be looked at that doesn't run here.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = "a wheel, an sdist, a folder with sky in it, or a version, which pip fetches"
_VERSION = re.compile(r"v?\d+(\.\d+)+([-_.]?(a|b|rc|dev|post)[-_.]?\d+)*", re.IGNORECASE)
_UNREADABLE = (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


class NoSkypilot(Exception):
    """There is no SkyPilot to look at; the message says where it was looked for."""


class Skypilot:
    """The sources of one SkyPilot.

    Args:
        read: gives the content of a file by its name, such as ``sky/__init__.py``.
        files: all names.
        place: where that is, for people.
    """

    def __init__(self, read: Callable[[str], bytes], files: list[str], place: str) -> None:
        self._read = read
        self._files = files
        self.place = place
        self._trees: dict[str, ast.Module | None] = {}

    @property
    def version(self) -> str | None:
        """What ``sky/__init__.py`` says, the only place that all kinds have."""
        text = (self.source("sky") or b"").decode("utf-8", "replace")
        found = re.search(r"^__version__ = ['\"]([^'\"]+)", text, re.MULTILINE)
        return found[1] if found else None

    def source(self, module: str) -> bytes | None:
        """The source of a module; ``None`` if there is none."""
        path = module.replace(".", "/")
        for name in (f"{path}.py", f"{path}/__init__.py"):
            try:
                return self._read(name)
            except (KeyError, OSError):
                continue
        return None

    def binding(self, module: str, name: str) -> ast.stmt | None:
        """The last statement of a module that binds a name.

        Raises:
            SyntaxError: if this Python can't parse the module.
        """
        if module not in self._trees:
            source = self.source(module)
            self._trees[module] = None if source is None else ast.parse(source)
        tree = self._trees[module]
        found = None
        for statement in tree.body if tree else ():
            if any(_binds(node, name) for node in _at_top_level(statement)):
                found = statement
        return found

    def text(self, module: str, statement: ast.stmt) -> list[str]:
        """The lines of a statement of a module as they were written, its decorators included."""
        lines = re.split("\r\n|\r|\n", (self.source(module) or b"").decode("utf-8", "replace"))
        return lines[first_line(statement) - 1 : statement.end_lineno]

    def homes(self, name: str) -> list[str]:
        """Modules in which a function of that name is defined at the top level."""
        pattern = re.compile(rf"^(async )?def {re.escape(name)}\(".encode(), re.MULTILINE)
        return sorted(
            file[: -len(".py")].replace("/", ".")
            for file in self._files
            if file.startswith("sky/") and file.endswith(".py") and pattern.search(self._read(file))
        )


def first_line(statement: ast.stmt) -> int:
    """The number of the line on which a statement, or its first decorator, begins."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(node.lineno for node in decorators)])


def _at_top_level(statement: ast.stmt) -> Iterable[ast.AST]:
    """A statement, and those within its branches, as far as they bind names of the module."""
    yield statement
    if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                yield from _at_top_level(child)
            elif isinstance(child, ast.ExceptHandler):
                for inner in child.body:
                    yield from _at_top_level(inner)


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name == name
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name) == name for alias in node.names)
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and node.target.id == name
    return False


def installed() -> Skypilot:
    """The SkyPilot that an import would find.

    Raises:
        NoSkypilot: if there is none.
    """
    spec = importlib.util.find_spec("sky")
    homes = list(spec.submodule_search_locations or ()) if spec else []
    if not homes:
        raise NoSkypilot("SkyPilot isn't installed here")
    return _in_folder(Path(homes[0]).parent)


def at(place: str) -> Skypilot:
    """The SkyPilot at a place, or of a version.

    Args:
        place: one of `PLACES`.

    Raises:
        NoSkypilot: if there is none.
    """
    if place and os.path.lexists(place):
        return _at_path(Path(place))
    if not _VERSION.fullmatch(place):
        raise NoSkypilot(f"{place!r} is no file, no folder, and no version such as 0.14.1")
    return _fetched(place)


def _at_path(path: Path) -> Skypilot:
    try:
        if path.is_dir():
            return _in_folder(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _of_files(
                    {name: archive.read(name) for name in archive.namelist() if _is_source(name)},
                    path,
                )
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive_:
                files = {}
                for member in archive_:
                    content = archive_.extractfile(member) if _is_source(member.name) else None
                    if content is not None:
                        files[member.name] = content.read()
                return _of_files(files, path)
    except _UNREADABLE as error:
        raise NoSkypilot(f"{path} can't be read: {error}") from None
    raise NoSkypilot(f"{path} is no wheel, no sdist, and no folder with sky in it")


def _is_source(name: str) -> bool:
    return name.endswith(".py") and "sky" in name.split("/")[:2]


def _in_folder(path: Path) -> Skypilot:
    if not (path / "sky" / "__init__.py").is_file():
        raise NoSkypilot(f"there is no folder sky, with an __init__.py, in {path}")
    files = [file.relative_to(path).as_posix() for file in path.glob("sky/**/*.py")]
    return Skypilot(lambda name: (path / name).read_bytes(), files, str(path))


def _of_files(files: dict[str, bytes], path: Path) -> Skypilot:
    """What is in an archive; the names in an sdist begin with a folder of its own."""
    found = (re.fullmatch(r"((?:[^/]+/)?)sky/__init__\.py", name) for name in files)
    root = min((match[1] for match in found if match), key=len, default=None)
    if root is None:
        raise NoSkypilot(f"there is no folder sky, with an __init__.py, in {path}")
    inner = {name[len(root) :]: files[name] for name in files if name.startswith(root)}
    return Skypilot(inner.__getitem__, list(inner), str(path))


def _fetched(version: str) -> Skypilot:
    """A release, by pip from wherever the user's pip gets its packages."""
    package = "skypilot-nightly" if "dev" in version.lower() else "skypilot"
    requirement = f"{package}=={version}"
    if importlib.util.find_spec("pip") is None:
        raise NoSkypilot(
            f"{requirement} can't be fetched, there is no pip in {sys.prefix}: give a file"
        )
    with tempfile.TemporaryDirectory(prefix="sky_rs_patch-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        # Its sources are read, not run, so it may be one for another Python.
        command += ["--ignore-requires-python", "--no-input", "--disable-pip-version-check"]
        command += ["--retries=1", "--timeout=20", "--dest", folder, requirement]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise NoSkypilot(f"{requirement} can't be fetched: {_reason(done.stderr)}")
        found = _at_path(wheels[0])
    found.place = wheels[0].name
    return found


def _reason(stderr: str) -> str:
    """What pip said, in one line."""
    versions = re.search(r"\(from versions: (.+?)\)", stderr)
    if versions and versions[1] != "none":
        newest = versions[1].split(", ")[-3:]
        return f"pip finds no wheel of it; the newest it finds are {', '.join(newest)}"
    broken = re.search(r"connection broken by '(.+)': /", stderr)
    if broken:
        return f"the package index can't be reached: {broken[1]}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line[len("ERROR: ") :] for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["pip said nothing"])[0]
