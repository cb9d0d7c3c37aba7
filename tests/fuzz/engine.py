"""Makes a route's calls from seed and number, and compares them."""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import logging
import random
import re
import shlex
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Callable, NamedTuple
from unittest import mock

import differential
import hypothesis
from differential import compare, proxy_of, switch
from hypothesis import HealthCheck, Phase, errors, settings
from one_call import Call, Fresh, short

from fuzz import values
from fuzz.descriptions import CORPUS
from fuzz.lightly import Watch, unlike

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuzz.descriptions import Description

DEBUG = logging.DEBUG
#: One in so many calls of those that are compared lightly is compared in full as well.
SAMPLE = 200
#: How many calls are made before the other side's turn.
BATCH = 100
#: How many calls that are compared lightly come of one: itself, and such as differ in one argument
#: or two. To make one anew takes longer than to compare it.
FAMILY = 8


class Difference(NamedTuple):
    """What was found, and how to see it again."""

    route: str
    seed: int
    number: int
    call: str
    what: str
    command: str

    def __str__(self) -> str:
        return (
            f"DIFFERENT: {self.route}, seed {self.seed}, case {self.number}\n"
            f"  call: {self.call}\n  {self.what}\n  again: {self.command}"
        )


class Gathered(list[Call]):
    """Takes the place of `compare` in a property test, and keeps the calls of a route."""

    def __init__(self, route: str) -> None:
        super().__init__()
        self._route = route

    def __call__(self, name: str, given: Call) -> None:
        if name == self._route:
            self.append(given)


def gathered(description: Description, seed: int, examples: int) -> list[Call]:
    """Calls that the property tests of a route would compare: the same for a seed."""
    found = Gathered(description.name)
    if not examples:
        return found
    module = importlib.import_module(f"test_properties_{description.properties[0]}")
    chosen = settings(
        settings.get_profile("default"),
        max_examples=examples,
        derandomize=False,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    for name, test in sorted(vars(module).items()):
        if not name.startswith(description.properties[1]) or not hasattr(test, "body"):
            continue

        with mock.patch.dict(test.body.__globals__, compare=found):
            hypothesis.seed(seed)(chosen(hypothesis.given(test.strategy)(forgiving(test.body))))()
    return found


def forgiving(body: Callable[[Any], None]) -> Callable[[Any], None]:
    """A test's body that may want to see an outcome: its call has been kept by then."""

    def run(drawn: Any) -> None:
        try:
            body(drawn)
        except errors.UnsatisfiedAssumption:
            raise
        except Exception:
            return

    return run


class Subject:
    """A route in a run.

    Attributes:
        description: what it is called with.
        counts: calls "compared", of them "in full", and answered by "rust"; "declined: …".
        running: the number of the case that runs.
    """

    def __init__(self, description: Description, seed: int, examples: int) -> None:
        self.description = description
        self.counts: Counter[str] = Counter()
        self.running = 0
        self._seed = seed
        self._examples = examples
        self._base = ((seed << 32) + zlib.crc32(description.name.encode())) << 64
        self._random = random.Random()
        self._watch = Watch()
        self._pool: list[Call] | None = None
        self._names: list[str] = []

    def family(self, number: int) -> list[tuple[int, Call, bool]]:
        """The cases from a number on that are made together, those that may be made at all.

        Each by its number, with its call and whether to compare it in full.
        """
        if self._pool is None:
            self._pool = gathered(self.description, self._seed, self._examples)
            self._names = list(inspect.signature(proxy_of(self.description.name)).parameters)
        rng, description = self._random, self.description
        rng.seed(self._base + number)
        if not self._pool or rng.random() < description.own:
            given = description.call(rng)
        else:
            given = values.recombined(rng, self._pool, self._names)
        light = description.light and not given.around and given.log_level == DEBUG
        full = not light or rng.randrange(SAMPLE // FAMILY) == 0
        made = [(number, given, full)]
        if light and not description.shared:
            near = given
            for more in range(1, FAMILY):
                near = values.varied(rng, near if more % 3 else given)
                made.append((number + more, near, False))
        allowed = description.allowed
        return made if allowed is None else [each for each in made if allowed(each[1])]

    def run(self, first: int, count: int) -> Iterator[tuple[int, Difference | None]]:
        """Compares so many cases, from a number on; gives the next number, and what differs."""
        number = first
        while count > 0:
            batch: list[tuple[int, Call]] = []
            while len(batch) < BATCH and count > 0:
                for case, given, full in self.family(number):
                    count -= 1
                    if full:
                        yield number + FAMILY, self.in_full(case, given)
                    else:
                        batch.append((case, given))
                number += FAMILY
            for found in self.lightly(batch):
                yield number, found
            yield number, None

    def lightly(self, batch: list[tuple[int, Call]]) -> Iterator[Difference]:
        """Compares calls at a glance; what differs is looked at in full."""
        if not batch:
            return
        proxy = proxy_of(self.description.name)
        original, route = proxy.__wrapped__, proxy._self_route
        expected, actual = [], []
        with self._watch.open(shared=self.description.shared):
            # A pattern of which Python warns is compiled by the first who needs it.
            re.purge()
            with switch("0"):
                for self.running, given in batch:
                    expected.append(self._watch.glance(original, given))
            before = route.counts()
            re.purge()
            with switch("1"):
                for self.running, given in batch:
                    actual.append(self._watch.glance(proxy, given))
            after = route.counts()
        rust = after[0] - before[0]
        assert rust + after[1] - before[1] == len(batch), "a call wasn't counted once"
        self.counts["compared"] += len(batch)
        self.counts["rust"] += rust
        for reason, number in after[2].items():
            self.counts[f"declined: {reason}"] += number - before[2].get(reason, 0)
        for (number, given), one, other in zip(batch, expected, actual):
            what = unlike(one, other)
            if what is None:
                continue
            found = self._compared(number, given)
            if found is not None:
                yield found
            elif not self.description.restless:
                yield self._different(number, given, f"{what} (not again, in full)")

    def in_full(self, number: int, given: Call) -> Difference | None:
        """Compares a call with all that it leaves behind."""
        name = self.description.name
        before = Counter(differential.TALLY.get(name, ()))
        found = self._compared(number, given)
        self.counts += differential.TALLY.get(name, Counter()) - before
        self.counts["in full"] += 1
        return found

    def _compared(self, number: int, given: Call, tries: int = 4) -> Difference | None:
        self.running = number
        if self.description.shared:
            given = given._replace(
                args=tuple(map(duplicated, given.args)),
                kwargs={key: duplicated(value) for key, value in given.kwargs.items()},
            )
        try:
            compare(self.description.name, given)
        except AssertionError as error:
            if self.description.restless and tries > 1:
                # Another process came or went between the calls.
                return self._compared(number, given, tries - 1)
            return self._different(number, given, str(error).partition(f"{given!r}: ")[2])
        return None

    def _different(self, number: int, given: Call, what: str) -> Difference:
        route = self.description.name
        return Difference(route, self._seed, number, repr(given), what, self.command(number))

    def command(self, number: int) -> str:
        """Runs one case."""
        command = f"-m fuzz --seed {self._seed} --route {self.description.name} --case {number}"
        if self._examples != EXAMPLES:
            command += f" --examples {self._examples}"
        if CORPUS:
            command += f" --corpus {shlex.join(str(path.absolute()) for path in CORPUS)}"
        return f"cd tests && ../.venv/bin/python {command}"


#: How many examples of each property test are recombined.
EXAMPLES = 150


def duplicated(value: Any) -> Any:
    """An argument that each side gets anew, whatever it is made of."""

    def make(_: contextlib.ExitStack) -> Any:
        try:
            return copy.deepcopy(value)
        except (TypeError, ValueError, RecursionError):
            # A memoryview, or nested too deep.
            return value

    return value if isinstance(value, Fresh) else Fresh(short(value), make)
