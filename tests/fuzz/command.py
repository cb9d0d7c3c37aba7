"""The command: what is run, for how long, and what is said of it."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import logging
import os
import pathlib
import signal
import sys
import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fuzz.engine import Subject

#: Calls of all routes in turn, between two looks at the clock.
ROUND = 20_000
#: Seconds after which a call is thought not to come back.
PATIENCE = 300
#: Differences of one route that are shown.
SHOWN = 5


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m fuzz")
    made.add_argument("--minutes", type=float, help="how long to run (5 without --calls)")
    made.add_argument("--calls", type=int, help="how many calls to compare, over all routes")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--route", action="append", help="only these routes")
    made.add_argument("--case", type=int, help="only the case of that number")
    made.add_argument("--examples", type=int, help="examples of each property test to recombine")
    made.add_argument(
        "--corpus",
        type=pathlib.Path,
        nargs="+",
        default=[],
        help="YAML files, folders, wheels and sdists whose texts the YAML routes are called with",
    )
    made.add_argument("--record", type=pathlib.Path, help="a JSON file to add the run to")
    return made


def prepare() -> None:
    """A SkyPilot whose files are the runner's own, and which is silent."""
    for variable in ("SKYPILOT_USE_RUST", "SKY_RS_ENABLE", "SKY_RS_PATCH_ACTIVE"):
        os.environ.pop(variable, None)
    os.environ["SKYPILOT_DISABLE_USAGE_COLLECTION"] = "1"
    # What jsonschema is built on panics where it nests too deep.
    os.environ["RUST_BACKTRACE"] = "0"
    if os.access("/dev/shm", os.W_OK):
        # Files come and go by the hundred thousand.
        tempfile.tempdir = "/dev/shm"
    from differential import enable
    from one_call import scratch

    os.environ["HOME"] = str(scratch())
    from sky.utils import common_utils

    # Before a first call: what the guards are derived with is what SkyPilot's file is called.
    common_utils.USER_HASH_FILE = str(scratch() / "user" / "user_hash")
    import test_properties_users as users

    users.HASH_FILE = common_utils.USER_HASH_FILE
    enable()
    # Of the patterns that are made up.
    warnings.simplefilter("ignore")
    for handler in logging.getLogger("sky").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open(os.devnull, "w"))  # noqa: SIM115, PTH123


def chosen(options: argparse.Namespace) -> list[Subject]:
    import applicability

    from fuzz import descriptions
    from fuzz.descriptions import DESCRIPTIONS
    from fuzz.engine import EXAMPLES, Subject

    descriptions.CORPUS[:] = options.corpus
    present = [each for each in DESCRIPTIONS if applicability.applies(each.name)]
    known = [description.name for description in present]
    unknown = set(options.route or ()) - set(known)
    if unknown:
        sys.exit(f"no route is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [
        Subject(
            description, options.seed, EXAMPLES if options.examples is None else options.examples
        )
        for description in present
        if not options.route or description.name in options.route
    ]


class Run:
    """Subjects in turn, each by its weight."""

    def __init__(self, subjects: list[Subject], options: argparse.Namespace) -> None:
        self.subjects = subjects
        self.differences: list[Any] = []
        self._total = sum(subject.description.weight for subject in subjects)
        self._next = dict.fromkeys(range(len(subjects)), 0)
        self._calls = options.calls
        minutes = options.minutes or (None if options.calls else 5)
        self._end = None if minutes is None else time.monotonic() + 60 * minutes
        self._current = subjects[0]
        signal.signal(signal.SIGALRM, self._stuck)

    def _stuck(self, *_: object) -> None:
        number = self._current.running
        print(f"NOT BACK after {PATIENCE} s: {self._current.description.name}, case {number}")
        print(f"  again: {self._current.command(number)}", flush=True)
        os._exit(2)

    def over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def rounds(self) -> Any:
        """Runs round after round, and gives nothing after each."""
        while not self.over():
            left = 0
            for index, subject in enumerate(self.subjects):
                share = subject.description.weight / self._total
                count = max(1, round(ROUND * share))
                if self._calls is not None:
                    count = min(count, round(self._calls * share) - subject.counts["compared"])
                left += max(count, 0)
                if count > 0 and not self.over():
                    self._chunk(index, subject, count)
            yield
            if not left:
                return

    def _chunk(self, index: int, subject: Subject, count: int) -> None:
        self._current = subject
        signal.alarm(PATIENCE)
        for number, found in subject.run(self._next[index], count):
            self._next[index] = number
            signal.alarm(PATIENCE)
            if found is not None:
                self.differences.append(found)
                subject.counts["different"] += 1
                if subject.counts["different"] <= SHOWN:
                    print(found, flush=True)
        signal.alarm(0)


def one_case(subject: Subject, number: int) -> int:
    """Shows a case, and compares it both ways."""
    from fuzz.engine import FAMILY

    family = subject.family(number - number % FAMILY)
    given, full = next(
        ((call, full) for case, call, full in family if case == number), (None, False)
    )
    if given is None:
        print(f"there is no case {number}")
        return 0
    print(f"{subject.description.name}{given}")
    found = subject.in_full(number, given)
    if found is None and not full:
        found = next(subject.lightly([(number, given)]), None)
    print(found or f"the same; {dict(subject.counts)}")
    return 0 if found is None else 1


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    absent = [str(path) for path in options.corpus if not path.exists()]
    if absent:
        sys.exit(f"--corpus: there is no {', '.join(absent)}")
    if options.case is not None and len(options.route or ()) != 1:
        sys.exit("--case needs one --route")
    prepare()
    from fuzz import record

    subjects = chosen(options)
    if options.case is not None:
        return one_case(subjects[0], options.case)
    run = Run(subjects, options)
    entry = record.Entry(options.seed, ["-m", "fuzz", *sys.argv[1:]])
    try:
        for _ in run.rounds():
            if options.record:
                entry.save(options.record, subjects)
    except KeyboardInterrupt:
        # What was compared until then counts.
        print("interrupted")
    made = entry.made(subjects)
    if options.record:
        entry.save(options.record, subjects)
    print(record.table([made]))
    print(record.summary([made]))
    return 1 if run.differences else 0
