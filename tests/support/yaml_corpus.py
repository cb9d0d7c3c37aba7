"""Real texts: the YAML files and templates of wheels, sdists and folders, and Python's strings."""

from __future__ import annotations

import ast
import pathlib
import re
import tarfile
import textwrap
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def texts(paths: list[pathlib.Path]) -> list[str]:
    """All texts of files, folders, wheels and sdists that may be YAML, each once."""
    found: dict[str, None] = {}
    for path in paths:
        for name, content in members(path):
            text = content.decode("utf-8", "replace")
            if re.search(r"\.ya?ml(\.j2)?$", name):
                found[text] = None
            elif name.endswith(".py"):
                found.update(dict.fromkeys(strings(text)))
    return list(found)


def members(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive or a folder, or the file itself."""
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)
    elif path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                if file is not None:
                    yield member.name, file.read()
    elif path.is_dir():
        for inner in sorted(filter(pathlib.Path.is_file, path.rglob("*"))):
            yield str(inner), inner.read_bytes()
    else:
        yield str(path), path.read_bytes()


def strings(source: str) -> Iterator[str]:
    """What may be YAML of a Python file's strings."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and any(mark in value for mark in (": ", ":\n", "- ")):
            yield textwrap.dedent(value)
