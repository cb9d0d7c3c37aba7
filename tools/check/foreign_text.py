"""Search for text of other projects in this repository, so that all of it is its own.

    python tools/check/foreign_text.py [FILE...]

Compares every file that git tracks, or would, with SkyPilot's modules that have routes, PyYAML,
psutil and jsonschema as they are installed. A finding is a run of `RUN` words that both have in the
same order, whatever stands between the words: another layout, other quotes or a comment sign before
each line make no difference. Import statements don't count, nor does a run with few different
words, such as the list of YAML's booleans. Functions of releases that aren't installed are known by
their fingerprints.

Own words are what mends a finding, or the text of the installed package, taken at run time.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sky_rs_patch._fingerprints import compute
from sky_rs_patch._fingerprints.known_variants import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Words in a row; the longest run of idioms and interfaces that this tree shares has 13.
RUN = 14
#: Different ones among them that aren't numbers; the names and tags of YAML's types have 9.
DIFFERENT = 10
SKYPILOT = ("common_utils", "subprocess_utils", "yaml_utils", "validator")
OTHERS = ("yaml", "psutil", "jsonschema")
_WORD = re.compile(r"\w+")
_IMPORT = re.compile(r"\s*(import [\w., ]+|from [\w.]+ import\b.*)$")
#: Stands where a line was left out; no word is like it.
_BREAK = "\n"


class Word(NamedTuple):
    """A word of a text, with the number of its line."""

    text: str
    line: int


class Finding(NamedTuple):
    """Text that this repository has from elsewhere."""

    line: int
    what: str


def words(text: str) -> list[Word]:
    """The words of a text, in lower case."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if _IMPORT.match(line):
            found.append(Word(_BREAK, number))
            continue
        # Within JSON and string literals a line's end is written as these two characters.
        plain = line.replace("\\n", " ")
        found += [Word(word.lower(), number) for word in _WORD.findall(plain)]
    return found


class Origins:
    """Runs of words of other projects.

    Args:
        files: their sources, each with the name that a finding has for it.
    """

    def __init__(self, files: Iterable[tuple[str, Path]]) -> None:
        self._runs: dict[tuple[str, ...], str] = {}
        self._pairs: set[tuple[str, str]] = set()
        for name, path in files:
            found = words(path.read_text("utf-8"))
            texts = [word.text for word in found]
            self._pairs.update(zip(texts, texts[1:]))
            for start in range(len(texts) - RUN + 1):
                run = tuple(texts[start : start + RUN])
                self._runs.setdefault(run, f"{name}:{found[start].line}")

    def search(self, text: str) -> Iterator[Finding]:
        """Looks for runs of words that are in one of the sources."""
        found = words(text)
        texts = [word.text for word in found]
        following = 0
        is_told = False
        for at in range(1, len(texts)):
            # A run of known words has known pairs only: most places are done with here.
            if texts[at] == _BREAK or (texts[at - 1], texts[at]) not in self._pairs:
                following = 0
                is_told = False
                continue
            following += 1
            if following < RUN - 1 or is_told:
                continue
            start = at - RUN + 1
            run = tuple(texts[start : at + 1])
            different = {word for word in run if not word.isdigit()}
            if run in self._runs and len(different) >= DIFFERENT:
                is_told = True
                first = " ".join(run[:6])
                yield Finding(found[start].line, f"text of {self._runs[run]} (`{first} …`)")


def known_functions(source: str) -> Iterator[Finding]:
    """Looks for functions that a release of SkyPilot has, docstring and layout apart."""
    prints = {
        fingerprint: f"{name}, variant {letter}, SkyPilot {first}"
        for name, variants in KNOWN.items()
        for fingerprint, (letter, first, _) in variants.items()
    }
    names = {name.rpartition(".")[2] for name in KNOWN}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            origin = prints.get(compute.of_definition(node))
            if origin is not None:
                yield Finding(node.lineno, f"function of {origin}")


def installed() -> Iterator[tuple[str, Path]]:
    """The sources that are compared with.

    Raises:
        SystemExit: if a package isn't installed.
    """
    for package in ("sky", *OTHERS):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"foreign_text: error: {package} isn't installed here: `make build`")
        folder = Path(spec.origin).parent
        if package == "sky":
            paths = [folder / "utils" / f"{module}.py" for module in SKYPILOT]
        else:
            paths = sorted(folder.rglob("*.py"))
        for path in paths:
            yield path.relative_to(folder.parent).as_posix(), path


def tracked() -> list[str]:
    """The files of the repository, new ones that aren't ignored among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.split("\0") if name and Path(name).is_file()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: the whole repository")
    names = parser.parse_args().files or tracked()
    origins = Origins(installed())
    count = 0
    for name in names:
        try:
            text = Path(name).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        findings = list(origins.search(text))
        if name.endswith(".py"):
            findings += known_functions(text)
        for finding in sorted(findings):
            print(f"{name}:{finding.line}: {finding.what}")
        count += len(findings)
    if count:
        print(f"foreign_text: findings: {count}; own words mend them", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
