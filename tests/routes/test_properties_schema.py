"""validate_schema against its original: SkyPilot's schemas, random ones, and edges."""

import copy
import functools
import random
import re
import subprocess
import sys
from collections import Counter

import hypothesis
import pytest
import schema_cases as cases
from differential import compare, either, odd_values, property_test, proxy_of
from hypothesis import strategies as st
from one_call import Call, Fresh, Watched, call
from schema_cases import OddDict, OddFloat, OddInt, OddList, OddStr

NAME = "validate_schema"
LATEST = "https://json-schema.org/draft/2020-12/schema"
randoms = st.integers(0, 2**64 - 1).map(random.Random)
SCHEMAS = sorted(cases.skypilot_schemas())


@functools.cache
def validator():
    from sky.utils import validator as module

    return module.get_schema_validator()


def is_valid(instance, schema):
    try:
        validator()(schema).validate(instance)
    except Exception:
        return False
    return True


def fresh(value):
    """An argument that each side gets anew, whatever it is made of."""
    return Fresh(repr(value), lambda _: copy.deepcopy(value))


def given_call(instance, schema, *args, **kwargs):
    return Call((fresh(instance), fresh(schema), *args), kwargs)


def skypilot_schema(name):
    return cases.skypilot_schemas()[name]()


def valid_instance(rng, schema):
    """A valid object; SkyPilot's schemas have constraints that chance doesn't meet at once."""
    for _ in range(20):
        instance = cases.instance(rng, schema)
        if type(instance) is dict and is_valid(instance, schema):
            return instance
    hypothesis.reject()
    return None


# SkyPilot's schemas


@property_test(st.tuples(st.sampled_from(SCHEMAS), randoms), examples=400, share=0.98)
def test_valid_objects_of_skypilots_schemas(drawn):
    name, rng = drawn
    schema = skypilot_schema(name)
    given = given_call(valid_instance(rng, schema), schema, "Invalid: ", skip_none=False)
    outcome = compare(NAME, given)
    assert outcome.observation.error is None
    assert outcome.observation.result is None


@property_test(
    st.tuples(st.sampled_from(SCHEMAS), randoms, st.booleans()), examples=400, share=0.05
)
def test_damaged_objects_of_skypilots_schemas(drawn):
    name, rng, skip_none = drawn
    schema = skypilot_schema(name)
    instance = cases.damaged(rng, cases.instance(rng, schema))
    outcome = compare(NAME, given_call(instance, schema, "Invalid: ", skip_none))
    # The message comes from the original.
    assert not outcome.rust or outcome.observation.error is None


@property_test(st.tuples(st.sampled_from(SCHEMAS), randoms), examples=150, share=0.9)
def test_none_is_left_out(drawn):
    name, rng = drawn
    schema = skypilot_schema(name)
    instance = valid_instance(rng, schema)
    for key in rng.sample([*schema["properties"], "unknown"], 2):
        if key not in instance:
            instance[key] = None
    compare(NAME, given_call(instance, schema))


#: Times up to SkyPilot 0.10.5, where what may be left out may also be empty; those of Slurm in the
#: nightly, with flags.
UNKNOWN_PATTERNS = {
    "^[0-9]+(m|h|d|w|M|H|D|W|)?$",
    r"(?ai)^(?:-1|infinite|unlimited|\d+|\d+:\d+|\d+:\d+:\d+"
    r"|\d+-\d+|\d+-\d+:\d+|\d+-\d+:\d+:\d+)\Z",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_served(name):
    rng = random.Random(name)
    counts = Counter()
    for _ in range(30):
        schema = skypilot_schema(name)
        instance = next(
            (i for i in (cases.instance(rng, schema) for _ in range(20)) if is_valid(i, schema)), {}
        )
        if is_valid(instance, schema):
            counts[compare(NAME, given_call(instance, schema, "", False)).rust] += 1
    least = 0.8 if UNKNOWN_PATTERNS & {*patterns_of(skypilot_schema(name))} else 0.95
    assert counts[True] >= least * sum(counts.values()) > 20


def patterns_of(schema):
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "pattern" and isinstance(value, str):
                yield value
            elif key == "patternProperties" and isinstance(value, dict):
                yield from value
            yield from patterns_of(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from patterns_of(item)


def test_all_patterns_of_skypilot_are_known():
    found = {p for name in SCHEMAS for p in patterns_of(skypilot_schema(name))}
    assert len(found) >= 5
    for source in sorted(found):
        # Both answers: that it is found, and that it isn't.
        served = 0
        for text in cases.TEXTS:
            inner = {"pattern": source}
            if not re.search(source, text):
                inner = {"not": inner}
            outcome = compare(NAME, call({"a": text}, {"properties": {"a": inner}}))
            assert outcome.observation.error is None
            served += outcome.rust
        assert served == (0 if source in UNKNOWN_PATTERNS else len(cases.TEXTS)), source


# Random schemas


@property_test(randoms, examples=1500, share=0.2)
def test_random_schemas(rng):
    schema = cases.schema(rng, malformed=rng.choice([0, 0, 0.1]))
    instance = cases.instance(rng, schema) if rng.random() < 0.6 else cases.value(rng, 3)
    if rng.random() < 0.2:
        instance = cases.damaged(rng, instance)
    if type(instance) is dict and rng.random() < 0.5:
        compare(NAME, given_call(instance, schema))
    else:
        compare(NAME, given_call(instance, schema, "x: ", False))


@property_test(randoms, examples=600, share=0.1)
def test_random_patterns(rng):
    source = cases.pattern(rng)
    inner = {"pattern": source}
    if rng.random() < 0.5:
        inner = {"not": inner}
    compare(NAME, given_call({"a": cases.subject(rng)}, {"properties": {"a": inner}}))


@property_test(randoms, examples=300, share=0.05)
def test_random_patterns_of_properties(rng):
    patterns = {cases.pattern(rng): rng.random() < 0.7, cases.pattern(rng, 0): True}
    schema = {"patternProperties": patterns, "additionalProperties": False}
    compare(NAME, given_call({cases.subject(rng): 1 for _ in "ab"}, schema))


@property_test(
    st.tuples(
        st.text(st.characters(codec="ascii"), max_size=8),
        st.text(st.characters(codec="ascii"), max_size=8),
    ),
    examples=400,
)
def test_any_text_as_a_pattern(drawn):
    source, text = drawn
    for inner in ({"pattern": source}, {"not": {"pattern": source}}):
        compare(NAME, call({"a": text}, {"properties": {"a": inner}}))


# Edges

EQUAL = [
    *(None, True, False, 0, 1, 0.0, -0.0, 1.0, 2, 1.5, float("nan"), float("inf"), 2**53),
    *(2**53 + 1, 9007199254740992.0, 2**63 - 1, 2**63, 2**64, 1e19, 10**400, "", "1", "a", "A"),
    *("é", "\ud800", "😀", [], [1], [True], [1.0], [[]], [{}], {}, {"a": 1}, {"a": True}),
    *({"a": 1.0}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": {}}, {"": None}, [None], ["a"]),
    *((), (1,), OddStr("a"), OddInt(1), OddFloat(1.0), OddDict(a=1), OddList([1]), b"a", {1: 1}),
    *([float("nan")], {"a": float("nan")}, [OddInt(1)], {"a": OddStr("x")}),
]


def outcome(function, *args):
    try:
        return repr(function(*args))
    except Exception as error:
        return type(error), str(error)


def agrees(*args):
    """A comparison for long tables: result, exception and message only."""
    proxy = proxy_of(NAME)
    expected = outcome(proxy.__wrapped__, *args)
    # Once more as it is: an error of the original may have left something behind.
    assert expected == outcome(proxy, *args), args


def under(schema):
    """The schema and its negation, for the one member of an object."""
    return [{"properties": {"a": inner}} for inner in (schema, {"not": schema})]


@pytest.mark.parametrize("first", EQUAL, ids=repr)
def test_equality(first):
    for second in EQUAL:
        for keyword, value in (("const", second), ("enum", [second]), ("enum", [None, second])):
            for schema in under({keyword: value}):
                agrees({"a": first}, schema)
        for items in ([first, second], [first, "z", second], [second, first, first]):
            for schema in under({"uniqueItems": True}):
                agrees({"a": items}, schema)


@pytest.mark.parametrize("instance", [*EQUAL, *cases.ODD], ids=repr)
def test_types(instance):
    for name in [*cases.TYPES, "any", "x", ["integer", "null"], [], ["x"], None, ("null",)]:
        for schema in under({"type": name}):
            agrees({"a": instance}, schema)


NUMBERS = [
    *(0, 1, -1, 0.5, -0.0, float("nan"), float("inf"), float("-inf"), 2**53, 2**53 + 1),
    *(9007199254740992.0, 2**63 - 1, -(2**63), 2**63, 10**400, 1e308, True, "1", None),
    *(OddInt(1), OddFloat(0.5)),
]


@pytest.mark.parametrize("limit", NUMBERS, ids=repr)
@pytest.mark.parametrize(
    "keyword", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
)
def test_numbers(keyword, limit):
    for instance in NUMBERS:
        for schema in under({keyword: limit}):
            agrees({"a": instance}, schema)


SIZED = ["", "a", "éé", "\ud800", "😀😀", [], [1, 2], {}, {"a": 1}, {"a": 1, "b": 2}, 5, None]
SIZED += [OddStr("a"), OddList([1]), OddDict(a=1), (1,), {1: 1}]


@pytest.mark.parametrize("limit", [0, 1, 2, -1, 1.0, True, "1", None, 10**30], ids=repr)
def test_sizes(limit):
    for keyword in ("Length", "Items", "Properties"):
        for instance in SIZED:
            for schema in under({f"min{keyword}": limit}) + under({f"max{keyword}": limit}):
                agrees({"a": instance}, schema)


@pytest.mark.parametrize(("keyword", "value"), cases.MALFORMED, ids=repr)
def test_malformed_keywords(keyword, value):
    instances = [{}, {"a": 1}, {1: 2}, "a", "", [], [1, 1], 1, 1.5, None, True, OddStr("a")]
    for instance in instances:
        for schema in (
            {keyword: value},
            {"anyOf": [{"type": "null", keyword: value}, {}]},
            {"not": {keyword: value}},
            {"if": {"type": "integer", keyword: value}, "then": {}, "else": {keyword: value}},
            {"oneOf": [{}, {keyword: value}]},
        ):
            agrees({"a": instance}, {"properties": {"a": schema}})
        agrees(instance, {keyword: value}, "", False)
        # It looks at the patterns, too.
        agrees(instance, {"additionalProperties": True, keyword: value}, "", False)
    agrees({"a": [instances]}, {"items": {keyword: value}})


@pytest.mark.parametrize("depth", [1, 5, 40, 47, 48, 49, 60, 150, 400, 2000])
def test_nesting(depth):
    for wrap_schema, wrap in (
        (lambda s: {"properties": {"a": s}}, lambda i: {"a": i}),
        (lambda s: {"allOf": [s]}, lambda i: i),
        (lambda s: {"not": {"not": s}}, lambda i: i),
    ):
        schema, instance = {"type": ["object", "integer"]}, 1
        for _ in range(depth):
            schema, instance = wrap_schema(schema), wrap(instance)
        agrees(instance if type(instance) is dict else {}, schema)
    deep, other = (functools.reduce(lambda inner, _: [inner], range(depth), 1) for _ in "12")
    agrees({"a": deep}, {"properties": {"a": {"const": other}}})
    agrees({"a": deep}, {"properties": {"a": {"enum": [0, other]}}})


@pytest.mark.parametrize("text", ["AWS", "aws", "", "é", "É", "K", "\u212a", "ſ", "S", 1, None])
@pytest.mark.parametrize("keyword", ["case_insensitive_enum", "case_sensitive_enum"])
def test_skypilots_keywords(keyword, text):
    for options in (["aws", "GCP"], ["AWS"], ["É"], ["k"], ["s"], [""], [], ["aws", None], "aws"):
        for schema in under({keyword: options}):
            agrees({"a": text}, schema)
        latest = {"$schema": LATEST, keyword: options}
        for schema in (*under(latest), latest, *under({keyword: options, "$schema": LATEST})):
            agrees({"a": text}, schema)


@pytest.mark.parametrize("key", [1, None, OddStr("a"), (1,), "é", "\ud800", "", "a\n"], ids=repr)
def test_keys(key):
    for schema in (
        {},
        {"properties": {"a": {"type": "null"}}},
        {"properties": {key: {}}, "additionalProperties": False},
        {"required": ["a"]},
        {"required": [key]},
        {"patternProperties": {"^a$": {}}, "additionalProperties": False},
        # Alone it is no pattern for what is additional.
        {"patternProperties": {"": {}}, "additionalProperties": False},
        {"patternProperties": {"": {}, "b": {}}, "additionalProperties": False},
        {"additionalProperties": {"type": "integer"}},
        {"propertyNames": {"minLength": 1}},
        {"dependencies": {"a": ["b"]}},
        {"minProperties": 1},
        {"const": {key: 1}},
    ):
        for instance in ({key: 1}, {"a": 1, key: 2}, {key: None}):
            agrees(instance, schema)
            agrees(instance, schema, "", False)


class Lying:
    """Equal to a text, with its hash."""

    def __init__(self, text):
        self.text, self.asked = text, []

    def __hash__(self):
        return hash(self.text)

    def __eq__(self, other):
        self.asked.append(other)
        return True


def test_keys_that_run_code():
    def lying(text):
        return Fresh("lying", lambda _: {Lying(text): 1})

    name = call({"b": 1}, {"properties": {"b": {}}})
    assert compare(NAME, name).rust
    for text in ("a", "b"):
        schema = Fresh("schema", lambda _, text=text: {"properties": {Lying(text): {}}})
        assert not compare(NAME, call({"b": 1}, schema)).rust
        assert not compare(NAME, call(lying(text), {"properties": {"b": {}}})).rust
        assert not compare(NAME, call(lying(text), {"required": ["b"]})).rust


# Arguments


@property_test(
    st.tuples(odd_values(), either(odd_values(), st.just({"type": "object"})), st.booleans()),
    examples=300,
)
def test_odd_arguments(drawn):
    instance, schema, skip_none = drawn
    compare(NAME, Call((instance, schema, "x", skip_none)))
    compare(NAME, call({"a": 1}, {"type": "object"}))


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (({},), {}),
        (({}, {}), {}),
        (({}, {}, 1), {}),
        (({}, {}, None, 0), {}),
        (({"a": None}, {"maxProperties": 0}, "", 1), {}),
        (({"a": None}, {"maxProperties": 0}, "", None), {}),
        (({"a": None}, {"maxProperties": 0}, "", "x"), {}),
        (({"a": None}, {"maxProperties": 0}, "", []), {}),
        ((), {"schema": {}, "obj": {}}),
        (({},), {"schema": {}, "skip_none": False, "err_msg_prefix": object}),
        (({}, {}), {"skip_none": True, "obj": {}}),
        (({}, {}, "", True, 1), {}),
        (({}, {}), {"unknown": 1}),
        (([], {}), {"skip_none": False}),
        (([], {}), {}),
        (([], True, "", False), {}),
        (([], None, "", False), {}),
    ],
    ids=repr,
)
def test_signature(args, kwargs):
    compare(NAME, Call(args, kwargs))


def test_prefix_is_not_touched():
    for prefix in (None, 5, Fresh("watched", lambda _: Watched("x"))):
        assert compare(NAME, call({}, {}, prefix)).rust


# SkyPilot's own dictionary


def config(**members):
    from sky.utils import config_utils

    return config_utils.Config.from_dict(members)


def test_config_is_served():
    from sky.utils import schemas

    for skip_none in (False, True):
        given = Call(
            (
                Fresh("config", lambda _: config(allowed_clouds=["aws"])),
                schemas.get_config_schema(),
            ),
            {"skip_none": skip_none},
        )
        assert compare(NAME, given).rust
        copy.deepcopy(config())
        assert compare(NAME, given).rust
        schema = {"properties": {"a": {"type": "null"}}, "minProperties": 1}
        given = Call((Fresh("none", lambda _: config(a=None)), schema), {"skip_none": skip_none})
        assert compare(NAME, given).rust != skip_none


def test_config_with_attributes_is_left_alone():
    def make(_):
        made = config(a=1)
        made.items = lambda: [("a", "x")]
        return made

    schema = {"patternProperties": {"a": {"type": "integer"}}}
    for skip_none in (False, True):
        outcome = compare(NAME, call(Fresh("config", make), schema, "", skip_none))
        assert not outcome.rust
        assert outcome.observation.error is not None
    nested = call(Fresh("nested", lambda _: {"a": config(b=1)}), {"properties": {"a": schema}})
    assert not compare(NAME, nested).rust


def test_config_whose_class_changed_is_left_alone(monkeypatch):
    from sky.utils import config_utils

    given = call(Fresh("config", lambda _: config(a=1)), {"additionalProperties": False}, "", False)
    compare(NAME, given)
    monkeypatch.setattr(config_utils.Config, "__iter__", lambda _: iter(()), raising=False)
    outcome = compare(NAME, given)
    assert not outcome.rust
    assert outcome.observation.error is None


# What the original reads

VALID = call({"a": "b", "c": [1]}, {"properties": {"a": {"enum": ["b"]}}, "required": ["a"]})


def yes(*_, **__):
    return True


def no_errors(*_, **__):
    return iter(())


def one_error(*_, **__):
    import jsonschema

    yield jsonschema.ValidationError("planted")


def keyword_tables():
    import jsonschema

    return [validator().VALIDATORS, jsonschema.Draft7Validator.VALIDATORS]


@pytest.mark.parametrize(
    ("path", "replacement"),
    [
        ("sky.utils.validator.get_schema_validator", lambda: lambda _: Anything()),
        ("sky.utils.validator.case_insensitive_enum", one_error),
        ("jsonschema.validators.extend", None),
        ("jsonschema.validators.create", None),
        ("jsonschema.Draft7Validator", None),
        ("jsonschema.validators.Draft7Validator.iter_errors", one_error),
        ("jsonschema.validators.Draft7Validator.descend", one_error),
        ("jsonschema.validators.Draft202012Validator.descend", one_error),
        ("jsonschema.validators.validator_for", None),
        ("jsonschema._keywords.equal", lambda *_: False),
        ("jsonschema._keywords.find_additional_properties", lambda *_: ["x"]),
        ("jsonschema._keywords.ensure_list", lambda _: ["null"]),
        ("jsonschema._keywords.len", lambda _: 7),
        ("jsonschema._utils.unbool", lambda *_: object()),
        ("jsonschema._utils.isinstance", lambda *_: False),
        ("jsonschema._types.is_integer", lambda *_: False),
        ("jsonschema._types.isinstance", lambda *_: False),
        ("jsonschema._types.TypeChecker.is_type", lambda *_: False),
        ("re.search", lambda *_: None),
    ],
)
def test_replacements_are_seen(path, replacement, monkeypatch):
    proxy_of(NAME)
    compare(NAME, VALID)
    owner, _, attribute = path.rpartition(".")
    place = resolve(owner)
    if replacement is None:
        found = getattr(place, attribute)

        def replacement(*args, **kwargs):
            return found(*args, **kwargs)

    monkeypatch.setattr(place, attribute, replacement, raising=False)
    outcome = compare(NAME, VALID)
    assert not outcome.rust
    monkeypatch.undo()
    assert compare(NAME, VALID).rust


class Anything:
    def validate(self, _):
        raise LookupError("planted")


def resolve(path):
    parts = path.split(".")
    place = sys.modules[parts[0]]
    for part in parts[1:]:
        place = getattr(place, part)
    return place


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("keyword", ["enum", "title", "required"])
def test_changed_tables_are_seen(position, keyword, monkeypatch):
    compare(NAME, VALID)
    schema = {"properties": {"a": {"enum": ["b"], "title": "x"}}, "required": ["a"]}
    # Up to SkyPilot 0.13 each call makes the class anew, from jsonschema's.
    kept = validator() is validator.__wrapped__()
    monkeypatch.setitem(keyword_tables()[position], keyword, one_error)
    outcome = compare(NAME, call({"a": "b"}, schema))
    assert outcome.rust is (not kept and position == 0)
    assert (outcome.observation.error is not None) == (position == (0 if kept else 1))
    monkeypatch.undo()
    assert compare(NAME, VALID).rust


def test_registered_drafts_are_seen(monkeypatch):
    import jsonschema

    schema = {"properties": {"a": {"$schema": LATEST, "case_insensitive_enum": ["x"]}}}
    assert compare(NAME, call({"a": "b"}, schema)).rust
    registry = jsonschema.validators._META_SCHEMAS
    monkeypatch.setitem(registry.store, LATEST, validator())
    outcome = compare(NAME, call({"a": "b"}, schema))
    assert not outcome.rust
    assert outcome.observation.error is not None


ANOTHER_CLASS = """
import jsonschema, sky_rs_patch
from sky_rs_patch._binding import proxies as _proxy

sky_rs_patch.enable()
from sky.utils import common_utils, validator

def one_error(*_):
    yield jsonschema.ValidationError("planted")

route = _proxy.route_of(common_utils.validate_schema)
schema = {"properties": {"a": {"title": "x"}}}
common_utils.validate_schema({"a": "b"}, schema)
assert route.counts()[0] == 1, route.counts()
kept = validator.get_schema_validator()
validator.get_schema_validator.cache_clear()
assert validator.get_schema_validator() is not kept
validator.get_schema_validator().VALIDATORS["title"] = one_error
try:
    common_utils.validate_schema({"a": "b"}, schema)
except Exception as error:
    assert "planted" in str(error)
    assert route.counts()[0] == 1, route.counts()
    print("seen")
"""


def test_another_class_of_validators_is_seen():
    from sky.utils import validator as module

    if not hasattr(getattr(module, "get_schema_validator", None), "cache_clear"):
        pytest.skip("this SkyPilot doesn't keep the class")
    # Apart: nobody can put the first class back.
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_CLASS], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("seen\n", "")


class Unprintable:
    def __repr__(self):
        raise RuntimeError("asked for its text")


#: Alternatives of which the first isn't met, so that a message about it is written and thrown away.
FORGIVEN = [
    {"anyOf": [{"type": "string"}, True]},
    {"oneOf": [{"minItems": 9, "minProperties": 9, "type": "null"}, True]},
    {"oneOf": [False, True]},
    {"not": {"const": 1}},
    {"not": {"enum": ["x"]}},
    {"not": {"not": True}},
    {"if": {"type": "null"}, "then": False},
]


@pytest.mark.parametrize("schema", FORGIVEN, ids=repr)
@pytest.mark.parametrize(
    "make",
    [lambda: 10**5000, lambda: [1, {"k": -(10**5000)}], lambda: [Unprintable()]],
    ids=["digits", "digits within", "code"],
)
def test_texts_of_forgiven_errors_may_fail(schema, make):
    value = make()
    counted = compare(
        NAME, call(Fresh("obj", lambda _: {"a": value}), {"properties": {"a": schema}})
    )
    assert not counted.rust


@pytest.mark.parametrize("schema", FORGIVEN, ids=repr)
def test_texts_of_forgiven_errors_may_be_nested_too_deep(schema):
    deep = functools.reduce(lambda inner, _: {"a": inner}, range(3000), {})
    proxy = proxy_of(NAME)
    outcomes = []
    for function in (proxy.__wrapped__, proxy):
        try:
            outcomes.append(function({"a": deep}, {"properties": {"a": schema}}))
        except RecursionError as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"const": 10**5000}},
        {"not": {"enum": [1, 10**5000]}},
        {"anyOf": [{"not": {"default": 10**5000}}, True]},
        {"anyOf": [{"oneOf": [{"default": 10**5000}, True]}, True]},
    ],
    ids=["const", "enum", "not", "oneOf"],
)
def test_texts_of_forgiven_errors_hold_parts_of_schemas(schema):
    value = {"properties": {"a": schema}}
    assert not compare(NAME, call({"a": "x"}, Fresh("schema", lambda _: value))).rust


@pytest.mark.parametrize("schema", FORGIVEN[:1] + FORGIVEN[2:], ids=repr)
def test_forgiven_errors_are_served(schema):
    instance = {"a": {"b": [1, 2.5, None, "x", True]}}
    assert compare(NAME, given_call(instance, {"properties": {"a": schema}})).rust


def test_the_cache_of_the_class_is_asked_once_a_call():
    from sky.utils import validator as module

    make = getattr(module, "get_schema_validator", None)
    if not hasattr(make, "cache_info"):
        pytest.skip("this SkyPilot doesn't keep the class")
    proxy = proxy_of(NAME)
    # To derive its guards the route asks once more.
    assert compare(NAME, call({}, {"type": "object"})).rust
    for schema in ({"type": "object"}, {"type": "array"}):
        for function in (proxy.__wrapped__, proxy):
            before = make.cache_info().hits
            try:
                function({}, schema)
            except Exception as error:
                assert type(error).__name__ == "InvalidSkyPilotConfigError"
            assert make.cache_info().hits == before + 1


def test_nothing_is_kept_of_schema_or_instance():
    schema = {"properties": {"a": {"type": "integer"}}}
    instance = {"a": 1}
    proxy = proxy_of(NAME)
    counts = [sys.getrefcount(value) for value in (schema, instance, schema["properties"])]
    for _ in range(100):
        proxy(instance, schema)
        proxy({"a": 1, "b": None}, schema)
    assert counts == [sys.getrefcount(value) for value in (schema, instance, schema["properties"])]
    # The same objects with other contents.
    schema["properties"]["a"] = {"type": "string"}
    compare(NAME, call(instance, schema))
    instance["a"] = "x"
    assert compare(NAME, call(instance, schema)).rust
