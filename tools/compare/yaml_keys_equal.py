"""Compares `check_no_duplicate_keys` with its original on very many texts.

    .venv/bin/python tools/compare/yaml_keys_equal.py --documents 300000 [--seed 1]
        [--corpus FILE ...]

Texts are generated (`yaml_texts.py` and `yaml_merges.py` of tests/support); `--corpus` adds those
of wheels, sdists and YAML files: every YAML file and template in them, every string of their Python
files that might be YAML, each of these with every key in the place of its neighbour, and mutated
ones. Rust must never say that a text has no duplicates of which the original says otherwise, in
any way.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import pathlib
import random
import sys
import tarfile
import textwrap
import zipfile
from typing import TYPE_CHECKING

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "support"))

import yaml
import yaml_merges
import yaml_texts

import sky_rs_patch
from sky_rs_patch import _native

if TYPE_CHECKING:
    from collections.abc import Iterator


def verdict_of_original(original: object, text: str) -> str:
    try:
        original(text)  # type: ignore[operator]
    except Exception as error:
        return type(error).__name__
    return "none"


def verdict_of_rust(text: str) -> str:
    try:
        _native.check_no_duplicate_keys(text)
    except _native.Declined:
        return "declined"
    return "none"


def members(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, or the file itself."""
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
    else:
        yield str(path), path.read_bytes()


def corpus(paths: list[pathlib.Path]) -> dict[str, str]:
    """Texts by what they are."""
    texts: dict[str, str] = {}
    for path in paths:
        for name, content in members(path):
            suffix = pathlib.PurePath(name).suffix
            if suffix in (".yaml", ".yml", ".j2"):
                kind = "template" if suffix == ".j2" else "YAML file"
                texts.setdefault(content.decode("utf-8", "replace"), kind)
            elif suffix == ".py":
                for text in strings(content.decode("utf-8", "replace")):
                    kind = "string of a test" if "/tests/" in name else "other string"
                    texts.setdefault(text, kind)
    return texts


def strings(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and any(mark in value for mark in (": ", ":\n", "- ")):
            yield textwrap.dedent(value)


class Tally:
    """What came of the comparisons."""

    def __init__(self) -> None:
        sky_rs_patch.enable()
        from sky.utils import yaml_utils

        proxy = yaml_utils.check_no_duplicate_keys
        self._original = getattr(proxy, "__wrapped__", proxy)
        self.counts: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self.wrong: list[tuple[str, str]] = []

    def compare(self, kind: str, text: str) -> None:
        expected = verdict_of_original(self._original, text)
        actual = verdict_of_rust(text)
        if expected == "none" and actual == "declined":
            expected = "none" if parses(text) else "not YAML"
        self.counts[kind, expected, actual] += 1
        if actual == "none" and expected != "none":
            self.wrong.append((expected, text))

    def report(self) -> None:
        print(f"{'texts':<28}{'original':<18}{'Rust':<10}{'number':>10}")
        for (kind, expected, actual), count in sorted(self.counts.items()):
            print(f"{kind:<28}{expected:<18}{actual:<10}{count:>10}")
        for kind in sorted({kind for kind, _, _ in self.counts}):
            answered = self.counts[kind, "none", "none"]
            proper = answered + self.counts[kind, "none", "declined"]
            if proper:
                share = answered / proper
                print(f"{kind}: Rust answered {answered} of {proper} that it might ({share:.1%})")
        print(f"{sum(self.counts.values())} texts, {len(self.wrong)} wrong answers")
        for expected, text in self.wrong[:20]:
            print(f"the original: {expected}; Rust: no duplicates in {text!r}")


def parses(text: str) -> bool:
    try:
        collections.deque(yaml.parse(text), maxlen=0)
    except yaml.YAMLError:
        return False
    return True


def run(tally: Tally, real: dict[str, str], documents: int, rng: random.Random) -> None:
    for text, kind in real.items():
        tally.compare(kind, text)
        if len(text) < 20_000:
            for one, other in yaml_texts.siblings(text)[:50]:
                tally.compare(f"{kind}, key doubled", yaml_texts.replaced(text, one, other))
    short = [text for text in real if 20 < len(text) < 3000]
    for number in range(documents):
        if short and number % 4 == 0:
            text = yaml_texts.mutated(rng, rng.choice(short))
            tally.compare("mutated real text", text)
        elif number % 4 == 1:
            tally.compare("merge keys", yaml_merges.text(rng))
        else:
            tally.compare("generated", yaml_texts.text(rng))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=pathlib.Path, nargs="*", default=[])
    options = parser.parse_args()
    tally = Tally()
    # What was compared until then counts.
    with contextlib.suppress(KeyboardInterrupt):
        run(tally, corpus(options.corpus), options.documents, random.Random(options.seed))
    tally.report()
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
