"""Schemas and instances at random, for the property tests and for `make fuzz`.

All of it is drawn from a `random.Random`, so a seed says which case it was.
"""

from __future__ import annotations

import copy
import decimal
import re
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import random

KEYS = ["a", "b", "c", "name", "A", "", "é", "x-1", "sky_a", "H100:1"]


class OddStr(str):
    __slots__ = ()


class OddInt(int):
    pass


class OddFloat(float):
    pass


class OddDict(dict):
    pass


class OddList(list):
    pass


#: Values that are equal to each other in one sense and not in another.
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 0.0, -0.0, 1.0, 1.5, 2.0, -1.5),
    *(2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), 10**30, 1e16, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf"), 9007199254740992.0, 9.223372036854776e18),
    *("", "a", "A", "b", "ab", "1", "true", "é", "É", "ſ", "\u212a", "k", "K", "\ud800", "😀"),
    *("a\n", "\n", "a b", "s3://b", "\x1c", "٣"),
]
ODD: list[Any] = [
    *(OddStr("a"), OddInt(1), OddFloat(1.0), (), (1,), ("a",), b"a", decimal.Decimal(1)),
    *({1}, 1j, OddDict(a=1), OddList([1]), {1: 2}, {None: 1}, {OddStr("a"): 1}, object, ...),
]
#: Texts for the patterns of SkyPilot's schemas, and near misses.
TEXTS = [
    *("aws", "AWS/us-east-1", "aws/us-east-1/us-east-1a", "*", "*/us-east-1", "*/*/us-east-1a"),
    *("k8s", "Kubernetes/my/ctx", "k8s/", "gcp/", "aws//x", "nebius", "azure/eastus\n"),
    *("10", "10gb", "10GB", "10Gb", "100Ki", "5K", "5m", "10s", "1h", "2d", "1.5h", "-3m", "+.5s"),
    *("all", "https://x.y/z", "http://", "s3://bucket/x", "gs://b", "cos://r/b", "s3://"),
    *("/abs", "~/home", "~", "~x", "rel/path", "abc", "ABC", "a_b-c.d", "-a", "9a", "_a", "A1"),
    *("sky_token", "sky_", "kueue-queue", "ns/queue", "a/b/c", "H100:1", "H100", "a.b.c", "x y"),
    *("line\n", "line\nline", "", "user@example.com", "myimage:1.0", "sub/path_1", "00:11", "{x}"),
]


def pick(rng: random.Random, values: list[Any]) -> Any:
    return copy.deepcopy(rng.choice(values))


def value(rng: random.Random, depth: int = 2, odd: float = 0.02) -> Any:
    """Anything, mostly of the kinds that come from YAML."""
    roll = rng.random()
    if roll < odd:
        return pick(rng, ODD)
    if depth == 0 or roll < 0.55:
        return pick(rng, SCALARS if rng.random() < 0.7 else TEXTS)
    if roll < 0.75:
        return [value(rng, depth - 1, odd) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): value(rng, depth - 1, odd) for _ in range(rng.randrange(4))}


# Patterns

ATOMS = [
    *("a", "b", "A", "1", "/", ".", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\.", "\\*", "\\n"),
    *("[ab]", "[a-z]", "[^/]", "[^\\n]", "[A-Z0-9]", "[a-z0-9._-]", "[-+]", "[\\d.]", "[^a-z]"),
    *("^", "$", " ", "\n", "-", "_", "\\-", "\\/"),
]
#: What the matcher may not know, and what Python doesn't.
STRANGE = [
    *("\\b", "\\Z", "(?=a)", "(?!a)", "(?P<n>a)", "\\1", "(", ")", "[", "]", "{", "}", "*", "+"),
    *("a**", "a*+", "é", "\\x41", "[[]", "[]a]", "[a--b]", "(?i)", "(?s:.)", "\\A", "{,2}"),
    *("(?x: a)", "\\u0061", "[a-\\d]", "[^]]", "(?a:\\w)", "(?-i:a)", "\\\\", "(a*)*", "(?#x)"),
]


def pattern(rng: random.Random, depth: int = 2, strange: float = 0.03) -> str:
    parts = []
    for _ in range(rng.randrange(1, 4)):
        roll = rng.random()
        if roll < strange:
            part = rng.choice(STRANGE)
        elif depth and roll < 0.35:
            opening = rng.choice(["(", "(?:", "(?i:", "(?:"])
            branches = [pattern(rng, depth - 1, strange) for _ in range(rng.randrange(1, 4))]
            part = opening + "|".join(branches) + ")"
        else:
            part = rng.choice(ATOMS)
        # Python takes exponential time for repetitions of repetitions.
        nested = len(part) > 3 and not {"*", "+", "}"}.isdisjoint(part)
        often = ["", "?"] if nested else ["*", "+", "{2}", "{1,}", "{0,2}", "+?"]
        parts.append(part + rng.choice(["", "", "", "?", *often]))
    text = "".join(parts)
    return rng.choice(["{}", "{}", "^{}", "{}$", "^{}$", "^(?:{})$"]).format(text)


def subject(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return rng.choice(TEXTS)
    alphabet = "abAB1/. -_\n*" if rng.random() < 0.85 else "ab\x1c\x1fé\ud800ſK٣\x00\x7f"
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(7)))


# Schemas

TYPES = ["string", "object", "boolean", "integer", "array", "number", "null"]
#: Keywords with values that Python takes otherwise, or that make it raise.
MALFORMED: list[tuple[str, Any]] = [
    *(("type", "any"), ("type", None), ("type", []), ("type", ["any", "string"]), ("type", 1)),
    *(("properties", []), ("properties", None), ("required", "ab"), ("required", [1])),
    *(("required", [[]]), ("additionalProperties", None), ("additionalProperties", 0)),
    *(("additionalProperties", []), ("items", 5), ("items", None), ("minItems", "1")),
    *(("minItems", 1.5), ("maxItems", True), ("minimum", "1"), ("minimum", True)),
    *(("maximum", None), ("maximum", "1"), ("exclusiveMinimum", True)),
    *(("pattern", "("), ("pattern", 1), ("pattern", None), ("patternProperties", {"": True})),
    *(("patternProperties", {"": True, "a": True}), ("patternProperties", []), ("enum", "abc")),
    *(("patternProperties", {1: True}), ("enum", {"a": 1}), ("enum", None), ("anyOf", [])),
    *(("anyOf", {}), ("oneOf", []), ("allOf", [None]), ("not", None), ("not", []), ("if", 1)),
    *(("dependencies", {"a": "b"}), ("dependencies", {"a": [1]}), ("dependencies", [])),
    *(("uniqueItems", 1), ("uniqueItems", "x"), ("multipleOf", 0), ("multipleOf", 0.1)),
    *(("case_insensitive_enum", "abc"), ("case_insensitive_enum", ["a", 1]), ("format", 5)),
    *(("case_insensitive_enum", ["É", "K"]), ("case_sensitive_enum", "abc"), ("minLength", -1)),
    *(("$ref", "#"), ("$ref", None), ("$ref", "#/nowhere"), ("$id", "urn:x"), ("$id", 1)),
    *(("$schema", "http://json-schema.org/draft-04/schema#"), ("$schema", "x"), ("$schema", [])),
    *(("$schema", "https://json-schema.org/draft/2020-12/schema"), ("contains", {"type": "null"})),
    *(("additionalItems", False), ("unknown", 1), ("prefixItems", [False]), ("const", ...)),
    *(("minProperties", 10**30), ("maximum", 10**30), ("propertyNames", False), (1, 2)),
    *((OddStr("type"), "null"), ("title", 1), ("then", False), ("default", []), ("nullable", True)),
]


def schema(rng: random.Random, depth: int = 3, malformed: float = 0.02) -> Any:
    """A schema of the keywords that the native function knows, and few others."""
    roll = rng.random()
    if roll < 0.06:
        return rng.random() < 0.7
    if roll < 0.1:
        return {}
    made: dict[Any, Any] = {}
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
        keyword = rng.choice(LEAVES if depth == 0 or rng.random() < 0.5 else BRANCHES)
        made[keyword] = KEYWORDS[keyword](rng, depth - 1, malformed)
    if "if" in made:
        made.update({name: schema(rng, 0, malformed) for name in ("then", "else")})
    if rng.random() < malformed:
        keyword, content = pick(rng, MALFORMED)
        made[keyword] = content
    entries = list(made.items())
    rng.shuffle(entries)
    if rng.random() < 0.03:
        # Within a schema it changes what the keywords mean, SkyPilot's own among them.
        entries.insert(0, ("$schema", "https://json-schema.org/draft/2020-12/schema"))
    return dict(entries)


def _several(rng: random.Random, depth: int, malformed: float) -> list[Any]:
    return [schema(rng, depth, malformed) for _ in range(rng.randrange(1, 4))]


def _members(rng: random.Random, depth: int, malformed: float) -> dict[str, Any]:
    return {rng.choice(KEYS): schema(rng, depth, malformed) for _ in range(rng.randrange(4))}


def _names(rng: random.Random, *_: Any) -> list[str]:
    return [rng.choice(KEYS) for _ in range(rng.choice([0, 1, 1, 2]))]


def _values(rng: random.Random, *_: Any) -> list[Any]:
    return [value(rng, 2, 0.005) for _ in range(rng.randrange(1, 6))]


def _texts(rng: random.Random, *_: Any) -> list[str]:
    return [rng.choice(["a", "A", "b", "AWS", "k", "s3", "é"][: rng.choice([6, 7])]) for _ in "123"]


def _number(rng: random.Random, *_: Any) -> Any:
    return rng.choice([0, 1, 2, -1, 0.0, 1.0, 1.5, 2**53, 2**53 + 1, 1e16, 2**63, float("nan")])


def _size(rng: random.Random, *_: Any) -> int:
    return rng.choice([0, 1, 1, 2, 3])


KEYWORDS: dict[str, Any] = {
    "type": lambda rng, *_: rng.choice([rng.choice(TYPES), rng.sample(TYPES, 2)]),
    "enum": _values,
    "const": lambda rng, *_: value(rng, 2, 0.005),
    "pattern": lambda rng, *_: pattern(rng),
    "case_insensitive_enum": _texts,
    "case_sensitive_enum": _texts,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
    "multipleOf": lambda rng, *_: rng.choice([1, 2, 3, -2, 2**62]),
    "minLength": _size,
    "maxLength": _size,
    "minItems": _size,
    "maxItems": _size,
    "minProperties": _size,
    "maxProperties": _size,
    "uniqueItems": lambda rng, *_: rng.random() < 0.8,
    "required": _names,
    "description": lambda rng, *_: "text",
    "format": lambda rng, *_: "email",
    "properties": _members,
    "patternProperties": lambda rng, depth, malformed: {
        pattern(rng): schema(rng, depth, malformed) for _ in range(rng.randrange(3))
    },
    "additionalProperties": lambda rng, depth, malformed: rng.choice(
        [True, False, schema(rng, depth, malformed)]
    ),
    "items": lambda rng, depth, malformed: (
        _several(rng, depth, malformed) if rng.random() < 0.2 else schema(rng, depth, malformed)
    ),
    "anyOf": _several,
    "oneOf": _several,
    "allOf": _several,
    "not": schema,
    "if": schema,
    "dependencies": lambda rng, depth, malformed: {
        rng.choice(KEYS): rng.choice([_names(rng), schema(rng, depth, malformed)])
        for _ in range(rng.randrange(3))
    },
    "propertyNames": schema,
}
BRANCHES = list(KEYWORDS)[list(KEYWORDS).index("properties") :]
LEAVES = [keyword for keyword in KEYWORDS if keyword not in BRANCHES]


# Instances of a schema


def instance(rng: random.Random, made: Any, depth: int = 8) -> Any:
    """An instance that is likely valid under a schema."""
    try:
        return _instance(rng, made, depth)
    except (TypeError, ValueError, AttributeError, OverflowError):
        # A malformed schema.
        return value(rng, 1, 0)


def _instance(rng: random.Random, made: Any, depth: int) -> Any:
    if not isinstance(made, dict) or depth == 0:
        return value(rng, 1, 0)
    for keyword in ("anyOf", "oneOf"):
        branches = made.get(keyword)
        if isinstance(branches, list) and branches:
            rest = {name: content for name, content in made.items() if name != keyword}
            branch = rng.choice(branches)
            if isinstance(branch, dict):
                required = [*rest.get("required", ()), *branch.get("required", ())]
                rest = {**rest, **branch, "required": required}
            return instance(rng, rest, depth - 1)
    if "const" in made:
        return copy.deepcopy(made["const"])
    for keyword in ("enum", "case_sensitive_enum", "case_insensitive_enum"):
        if isinstance(made.get(keyword), list) and made[keyword]:
            chosen = copy.deepcopy(rng.choice(made[keyword]))
            if keyword == "case_insensitive_enum" and isinstance(chosen, str):
                chosen = rng.choice([chosen, chosen.upper(), chosen.lower(), chosen.title()])
            return chosen
    kind = made.get("type")
    if isinstance(kind, list) and kind:
        kind = rng.choice(kind)
    if not isinstance(kind, str):
        hints = {"properties": "object", "required": "object", "items": "array"}
        hints.update(pattern="string", minLength="string", minimum="number", uniqueItems="array")
        kind = next((hints[name] for name in made if name in hints), None)
    make = {
        "object": _object,
        "array": _array,
        "string": _string,
        "integer": _integer,
        "number": _float,
        "boolean": lambda rng, *_: rng.random() < 0.5,
        "null": lambda *_: None,
    }.get(str(kind))
    return value(rng, 1, 0) if make is None else make(rng, made, depth)


def _object(rng: random.Random, made: dict[Any, Any], depth: int) -> dict[str, Any]:
    properties = made.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    chance = rng.choice([0.05, 0.2, 0.5])
    if isinstance(made.get("maxProperties"), int):
        chance = 0
    required = made.get("required", [])
    names = [name for name in properties if name in required or rng.random() < chance]
    names += [name for name in required if name not in names]
    result = {name: instance(rng, properties.get(name, {}), depth - 1) for name in names}
    patterns = made.get("patternProperties")
    if isinstance(patterns, dict):
        for source, content in patterns.items():
            name = _matching(rng, source)
            if name is not None and rng.random() < 0.7:
                result[name] = instance(rng, content, depth - 1)
    additional = made.get("additionalProperties")
    if isinstance(additional, dict) or (additional is True and rng.random() < 0.2):
        names = made.get("propertyNames")
        for name in rng.sample(["a", "b-1", "K", "team.x"], rng.randrange(2)):
            if isinstance(names, dict):
                name = instance(rng, {"type": "string", **names}, depth - 1)
            if isinstance(name, str):
                result.setdefault(name, instance(rng, additional, depth - 1))
    return result


def _array(rng: random.Random, made: dict[Any, Any], depth: int) -> list[Any]:
    items = made.get("items", {})
    least = made.get("minItems", 0)
    least = least if isinstance(least, int) else 0
    if isinstance(items, list):
        return [instance(rng, item, depth - 1) for item in items]
    return [instance(rng, items, depth - 1) for _ in range(least + rng.randrange(3))]


def _matching(rng: random.Random, source: Any) -> str | None:
    try:
        matching = [text for text in [*TEXTS, *KEYS] if re.search(source, text)]
    except (re.error, TypeError, OverflowError):
        return None
    return rng.choice(matching) if matching else None


def _string(rng: random.Random, made: dict[Any, Any], _: int) -> str:
    if "pattern" in made:
        return _matching(rng, made["pattern"]) or "x"
    return rng.choice(["x", "abc", "us-east-1", *TEXTS])


def _bounds(made: dict[Any, Any]) -> tuple[float, float]:
    least = made.get("minimum", made.get("exclusiveMinimum", -2))
    most = made.get("maximum", made.get("exclusiveMaximum", 70_000))
    plain = (int, float)
    return (least if isinstance(least, plain) else 0), (most if isinstance(most, plain) else 1)


def _integer(rng: random.Random, made: dict[Any, Any], _: int) -> Any:
    least, most = _bounds(made)
    if least != least or most != most or abs(least) > 1e18 or abs(most) > 1e18:
        return 1
    chosen = rng.choice([least + 1, least, most, (least + most) // 2])
    return rng.choice([int(chosen), int(chosen), int(chosen), float(int(chosen))])


def _float(rng: random.Random, made: dict[Any, Any], _: int) -> Any:
    least, most = _bounds(made)
    return rng.choice([least + 0.5, least + 1, most, 3])


# Damage


def damaged(rng: random.Random, whole: Any) -> Any:
    """A copy with something changed somewhere."""
    result = copy.deepcopy(whole)
    if not result or not isinstance(result, (dict, list)) or rng.random() < 0.1:
        return value(rng, 1, 0.2)
    place = result
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.7:
            place = inner
            continue
        break
    action = rng.choice(["replace", "remove", "add", "rename", "wrap"])
    if action == "replace":
        place[key] = value(rng, 1, 0.2)
    elif action == "remove":
        del place[key]
    elif action == "wrap":
        place[key] = rng.choice([[inner], {"a": inner}])
    elif isinstance(place, list):
        place.insert(0, value(rng, 1, 0.1))
    elif action == "rename":
        del place[key]
        place[rng.choice([f"{key}s", str(key).upper(), "é", 1, OddStr(key)])] = inner
    else:
        place[rng.choice([*KEYS, "nam", 3, None, OddStr("x")])] = value(rng, 1, 0.1)
    return result


# SkyPilot's schemas


def skypilot_schemas() -> dict[str, Any]:
    """Every schema that SkyPilot's module of schemas makes, by the name of its function."""
    from sky.utils import schemas

    return {
        name: make
        for name, make in vars(schemas).items()
        if re.fullmatch(r"get_\w*schema", name) and callable(make)
    }


# Whole cases: a schema, and what is to be validated


def random_case(rng: random.Random, _: Any) -> tuple[Any, Any]:
    made = schema(rng, malformed=rng.choice([0, 0, 0.05]))
    whole = instance(rng, made) if rng.random() < 0.6 else value(rng, 3)
    return made, damaged(rng, whole) if rng.random() < 0.2 else whole


def pattern_case(rng: random.Random, _: Any) -> tuple[Any, Any]:
    """Found or not: both must be right, so the pattern also stands under `not`."""
    source = pattern(rng)
    inner: Any = {"pattern": source}
    name = subject(rng)
    if rng.random() < 0.5:
        inner = {"not": inner}
    if rng.random() < 0.3:
        patterns = {source: rng.random() < 0.5, pattern(rng, 0): True}
        return {"patternProperties": patterns, "additionalProperties": False}, {name: 1}
    return {"properties": {"a": inner}}, {"a": name}


def skypilot_case(rng: random.Random, schemas: dict[str, Any]) -> tuple[Any, Any]:
    made = schemas[rng.choice(sorted(schemas))]()
    whole = instance(rng, made)
    return made, damaged(rng, whole) if rng.random() < 0.4 else whole


KINDS: dict[str, Callable[[random.Random, Any], tuple[Any, Any]]] = {
    "random": random_case,
    "pattern": pattern_case,
    "skypilot": skypilot_case,
}
