"""A comparison of the PyYAML and libyaml of two environments, on very many texts.

    .venv/bin/python tools/check/libyaml_equal.py PYTHON PYTHON --documents 300000
        [--seed 1] [--corpus FILE ...]

Of each text: the events of libyaml's parser with their places, what ``CSafeLoader`` makes of it,
what libyaml's emitter writes of the events and of the objects, exceptions with their messages.
Texts as in `make fuzz`. What differs is counted by what the text holds that may be the
reason; nothing is judged, and the exit status is 0 but for errors.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
from typing import Any, Callable

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "support"))

ASPECTS = ("events", "objects", "written events", "written objects")
CHUNK = 200


def aspects_of(text: str) -> list[str]:
    """All that is compared of a text."""
    events: list[Any] = []
    objects: list[Any] = []
    loader: Any = yaml.CSafeLoader
    dumper: Any = yaml.CSafeDumper

    def parse() -> str:
        events.extend(yaml.parse(text, Loader=loader))
        return repr(
            [(repr(event), _mark(event.start_mark), _mark(event.end_mark)) for event in events]
        )

    def load() -> str:
        objects.extend(yaml.load_all(text, Loader=loader))
        return repr(objects)

    return [
        outcome(parse),
        outcome(load),
        outcome(lambda: yaml.emit(events, Dumper=dumper)),
        outcome(lambda: yaml.dump_all(objects, Dumper=dumper)),
    ]


def outcome(compute: Callable[[], str]) -> str:
    try:
        return f"value {compute()}"
    except Exception as error:
        return f"{type(error).__name__} {error}"


def _mark(mark: Any) -> tuple[int, int, int]:
    return mark.line, mark.column, mark.index


def work() -> None:
    """Answers a line of texts with a line of digests, or of all if there is but one text."""
    for line in sys.stdin:
        texts = json.loads(line)
        found = [aspects_of(text) for text in texts]
        if len(texts) > 1:
            found = [
                [hashlib.md5(a.encode("utf-8", "replace")).hexdigest() for a in f] for f in found
            ]
        print(json.dumps(found), flush=True)


class Worker:
    """An interpreter that answers with what it makes of texts."""

    def __init__(self, python: str) -> None:
        command = [
            python,
            "-c",
            "import yaml; print(yaml.__version__, end=' with libyaml ')\n"
            "print(yaml._yaml.get_version_string(), end='')",
        ]
        self.name = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        command = [python, str(pathlib.Path(__file__).resolve()), "--worker"]
        # Sets are shown in the order of their hashes.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, texts: list[str]) -> None:
        assert self._process.stdin is not None
        print(json.dumps(texts), file=self._process.stdin, flush=True)

    def answer(self) -> list[list[str]]:
        assert self._process.stdout is not None
        found: list[list[str]] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def texts(corpus: list[pathlib.Path], documents: int, rng: random.Random) -> Any:
    import yaml_corpus
    import yaml_merges
    import yaml_scalars
    import yaml_texts

    real = yaml_corpus.texts(corpus)
    yield from real
    short = [text for text in real if 20 < len(text) < 3000]
    for number in range(documents):
        if short and number % 4 == 0:
            yield yaml_texts.mutated(rng, rng.choice(short))
        elif number % 4 == 1:
            yield yaml_scalars.text(rng)
        elif number % 4 == 2:
            yield yaml_merges.text(rng)
        else:
            yield yaml_texts.text(rng)


def kind(text: str) -> str:
    """What a text holds that may be why it differs."""
    if "<<" in text or "merge" in text:
        return "with a merge key"
    if max(text.count("["), text.count("{"), text.count("- ")) >= 900:
        return "deep"
    return "with a ?" if "?" in text else "other"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("python", nargs=2, help="interpreter with a PyYAML")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=pathlib.Path, nargs="*", default=[])
    options = parser.parse_args()
    workers = [Worker(python) for python in options.python]
    differing: collections.Counter[tuple[str, str]] = collections.Counter()
    shown: dict[tuple[str, str], list[str]] = {}
    count = 0

    def compare(chunk: list[str]) -> None:
        for worker in workers:
            worker.ask(chunk)
        for text, first, second in zip(chunk, *(worker.answer() for worker in workers)):
            for aspect, one, other in zip(ASPECTS, first, second):
                if one != other:
                    differing[kind(text), aspect] += 1
                    shown.setdefault((kind(text), aspect), []).append(text)

    chunk: list[str] = []
    for text in texts(options.corpus, options.documents, random.Random(options.seed)):
        count += 1
        chunk.append(text)
        if len(chunk) == CHUNK:
            compare(chunk)
            chunk = []
    compare([*chunk, "", ""])
    print(f"{count} texts, {workers[0].name} and {workers[1].name}")
    for (what, aspect), number in sorted(differing.items()):
        print(f"{what}: {number} differ in their {aspect}, for instance")
        for text in sorted(shown[what, aspect], key=len)[:3]:
            print("  ", repr(text[:300]))
            for worker in workers:
                worker.ask([text])
                print("     ", worker.answer()[0][ASPECTS.index(aspect)][:300])
    for worker in workers:
        worker.end()
    return 0


if __name__ == "__main__":
    sys.exit(work() if sys.argv[1:] == ["--worker"] else main())
