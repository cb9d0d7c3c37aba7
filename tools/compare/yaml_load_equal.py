"""Compares `safe_load`, `read_yaml_str` and `read_yaml_all_str` with their originals on very many
texts.

    .venv/bin/python tools/compare/yaml_load_equal.py --documents 300000 [--seed 1]
        [--corpus FILE ...]

Texts are generated (`yaml_texts.py`, `yaml_scalars.py` and `yaml_merges.py` of tests/support);
`--corpus` adds those of wheels, sdists and YAML files: every YAML file and template in them, every
string of their Python files that might be YAML, and mutated ones. Where Rust answers, its answer
must be the original's: the same values of the same types, dictionaries in the same order, and no
exception.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import pathlib
import random
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import yaml_keys_equal
import yaml_merges
import yaml_scalars
import yaml_texts

import sky_rs_patch
from sky_rs_patch import _native

NAMES = ("safe_load", "read_yaml_str", "read_yaml_all_str")


class Tally:
    """What came of the comparisons."""

    def __init__(self) -> None:
        sky_rs_patch.enable()
        from sky.utils import yaml_utils

        proxies = {name: getattr(yaml_utils, name) for name in NAMES}
        self._originals: dict[str, Any] = {
            name: getattr(proxy, "__wrapped__", proxy) for name, proxy in proxies.items()
        }
        self.counts: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self.wrong: list[tuple[str, str, object, object]] = []
        self.declined: dict[str, list[str]] = {}

    def compare(self, kind: str, text: str) -> None:
        for name, original in self._originals.items():
            try:
                actual = getattr(_native, name)(text)
                verdict = "answered"
            except _native.Declined:
                actual, verdict = None, "declined"
                if name == "read_yaml_str":
                    # It differs from the first in what is made of its answer only.
                    continue
            try:
                expected = original(text)
                outcome = "a value"
            except Exception as error:
                expected, outcome = error, "an exception"
            self.counts[kind, outcome, verdict] += 1
            if verdict == "declined" and outcome == "a value" and len(text) > 60:
                self.declined.setdefault(kind, []).append(text)
            if verdict == "answered" and (
                outcome != "a value" or not yaml_scalars.same(expected, actual)
            ):
                self.wrong.append((name, text, expected, actual))

    def report(self) -> None:
        print(f"{'texts':<28}{'original':<16}{'Rust':<10}{'number':>10}")
        for (kind, expected, verdict), count in sorted(self.counts.items()):
            print(f"{kind:<28}{expected:<16}{verdict:<10}{count:>10}")
        for kind in sorted({kind for kind, _, _ in self.counts}):
            answered = self.counts[kind, "a value", "answered"]
            proper = answered + self.counts[kind, "a value", "declined"]
            if proper:
                share = answered / proper
                print(f"{kind}: Rust answered {answered} of {proper} that it might ({share:.1%})")
        print(f"{sum(self.counts.values())} calls, {len(self.wrong)} different answers")
        for name, text, expected, actual in self.wrong[:20]:
            print(f"{name}({text!r}): the original {expected!r}, Rust {actual!r}")


def run(tally: Tally, real: dict[str, str], documents: int, rng: random.Random) -> None:
    for text, kind in real.items():
        tally.compare(kind, text)
    short = [text for text in real if 20 < len(text) < 3000]
    for number in range(documents):
        if short and number % 4 == 0:
            tally.compare("mutated real text", yaml_texts.mutated(rng, rng.choice(short)))
        elif number % 4 == 1:
            tally.compare("scalars", yaml_scalars.text(rng))
        elif number % 4 == 2:
            tally.compare("merge keys", yaml_merges.text(rng))
        else:
            tally.compare("generated", yaml_texts.text(rng))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--declined", help="show declined texts of this kind")
    options = parser.parse_args()
    tally = Tally()
    # What was compared until then counts.
    with contextlib.suppress(KeyboardInterrupt):
        real = yaml_keys_equal.corpus(options.corpus)
        run(tally, real, options.documents, random.Random(options.seed))
    tally.report()
    for text in tally.declined.get(options.declined, [])[:20]:
        print("declined:", repr(text[:400]))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
