"""Compares the native `validate_schema` with jsonschema on random cases, and counts.

    python tools/compare/schema_equal.py --cases 100000 --seed 1

Run from any directory but the sources', on an installed wheel. The exit status is 1 if Rust
called anything valid that SkyPilot's validator doesn't.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import sys
import time
import warnings
from collections import Counter
from typing import Any, Callable

sys.path[:0] = [str(pathlib.Path(__file__).parents[2] / "tests" / "support")]

import schema_cases as cases  # noqa: E402


def random_case(rng: random.Random, _: Any) -> tuple[Any, Any]:
    made = cases.schema(rng, malformed=rng.choice([0, 0, 0.05]))
    whole = cases.instance(rng, made) if rng.random() < 0.6 else cases.value(rng, 3)
    return made, cases.damaged(rng, whole) if rng.random() < 0.2 else whole


def pattern_case(rng: random.Random, _: Any) -> tuple[Any, Any]:
    """Found or not: both must be right, so the pattern also stands under `not`."""
    source = cases.pattern(rng)
    inner: Any = {"pattern": source}
    name = cases.subject(rng)
    if rng.random() < 0.5:
        inner = {"not": inner}
    if rng.random() < 0.3:
        patterns = {source: rng.random() < 0.5, cases.pattern(rng, 0): True}
        return {"patternProperties": patterns, "additionalProperties": False}, {name: 1}
    return {"properties": {"a": inner}}, {"a": name}


def skypilot_case(rng: random.Random, schemas: dict[str, Any]) -> tuple[Any, Any]:
    made = schemas[rng.choice(sorted(schemas))]()
    whole = cases.instance(rng, made)
    return made, cases.damaged(rng, whole) if rng.random() < 0.4 else whole


KINDS: dict[str, Callable[[random.Random, Any], tuple[Any, Any]]] = {
    "random": random_case,
    "pattern": pattern_case,
    "skypilot": skypilot_case,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    from sky.utils import validator

    from sky_rs_patch import _native

    cls: Any = validator.get_schema_validator()
    schemas = cases.skypilot_schemas()
    counts: Counter[str] = Counter()
    start = time.monotonic()
    for number in range(options.cases):
        seed = options.seed * 1_000_003 + number
        rng = random.Random(seed)
        # SkyPilot's own are larger by far.
        kind = rng.choices(list(KINDS), [10, 6, 1])[0] if options.kind == "all" else options.kind
        made, whole = KINDS[kind](rng, schemas)
        skip_none = type(whole) is dict and rng.random() < 0.3
        try:
            answered = _native.validate_schema(whole, made, "", skip_none) is None
        except _native.Declined:
            answered = False
        if skip_none:
            whole = {key: item for key, item in whole.items() if item is not None}
        try:
            cls(made).validate(whole)
            valid = True
        except KeyboardInterrupt:
            raise
        except BaseException:
            # rpds, on which jsonschema builds, panics where a text is compared too deep.
            valid = False
        if answered and not valid:
            print(f"DIFFERENT: seed {seed} ({kind}): {made!r} took {whole!r}")
            counts[f"{kind}: different"] += 1
        else:
            outcome = "answered" if answered else "declined"
            counts[f"{kind}: {outcome}, {'valid' if valid else 'invalid'}"] += 1
    print(f"{options.cases} cases from seed {options.seed} in {time.monotonic() - start:.0f} s")
    for outcome, count in sorted(counts.items()):
        print(f"{count:9} {outcome}")
    return 1 if any("different" in outcome for outcome in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
