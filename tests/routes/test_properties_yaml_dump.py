"""`dump_yaml_str` writes what PyYAML and SkyPilot's dumper write, byte for byte."""

import collections
import copy
import datetime
import math

import pytest
import yaml_documents as documents
from differential import (
    any_text,
    calls,
    compare,
    either,
    huge_integers,
    odd_values,
    property_test,
    proxy_of,
)
from hypothesis import strategies as st
from one_call import Call, Fresh, OddFloat, OddInt, OddStr, call, short
from support import outcome

DUMP = "dump_yaml_str"


def fresh(config):
    """A configuration of which each side gets a copy, with what it shares."""
    return Fresh(short(config), lambda _: copy.deepcopy(config))


lookalikes = st.sampled_from(documents.LOOKALIKES)
numeric = st.text(st.sampled_from(documents.NUMERIC), max_size=9)
#: Almost something else than text.
almost = st.builds(
    lambda text, at, other: text[: at % (len(text) + 1)] + other + text[at % (len(text) + 1) :],
    lookalikes,
    st.integers(0, 9),
    st.sampled_from(["", " ", "0", "_", ":", "#", "-", "\n", "é", "e", ".", "'"]),
)
nasty = st.text(st.sampled_from(documents.NASTY), max_size=12)
lines = st.text(st.sampled_from(documents.LINES), max_size=60)
#: Folded, or just not.
long_texts = st.lists(
    st.tuples(
        either(st.integers(1, 12), st.integers(60, 90)).map(lambda length: "w" * length),
        st.sampled_from(
            [" ", " ", " ", " ", "  ", "\n", "\n\n", "é", " é ", "'", '"', " \\", "\t"]
        ),
    ).map("".join),
    max_size=14,
).map("".join)
#: Near the limit of simple keys.
long_keys = st.builds(
    lambda text, count: (text * 130)[:count],
    st.sampled_from(["k", "k l", "é", "'", "k\n"]),
    st.integers(115, 131),
)
texts = either(lookalikes, numeric, almost, nasty, lines, long_texts, long_keys, any_text)

floats = either(
    st.floats(),
    st.floats(-1e4, 1e4),
    st.builds(
        lambda digits, places: digits / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 8)
    ),
    st.builds(math.ldexp, st.integers(-(2**53), 2**53), st.integers(-1080, 960)),
    st.sampled_from([*documents.FLOATS, *documents.UNUSUAL_FLOATS]),
)
integers = either(
    st.integers(-99, 99),
    huge_integers,
    st.sampled_from([10**121, 10**122, -(10**121), -(10**122), 10**4000]),
)
scalars = either(texts, texts, texts, integers, floats, st.booleans(), st.none())
keys = either(texts, texts, scalars, st.lists(scalars, max_size=3).map(tuple), st.just(()))
trees = st.recursive(
    scalars,
    lambda inner: either(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=12,
)


@st.composite
def graphs(draw):
    """Collections that share others, and scalars."""
    nodes = [draw(scalars), draw(st.sampled_from([[], {}, (), [[]], "text"]))]
    for _ in range(draw(st.integers(1, 6))):
        some = draw(st.lists(st.integers(0, len(nodes) - 1), max_size=4))
        kind = draw(st.sampled_from([list, list, tuple, dict, dict]))
        if kind is dict:
            made = {}
            for at in some:
                key = draw(either(keys, st.just(nodes[at])))
                made[key if documents.is_hashable((key,)) else "key"] = nodes[at]
            nodes.append(made)
        else:
            nodes.append(kind(nodes[at] for at in some))
    return draw(st.sampled_from([nodes[-1], nodes, {"first": nodes[-1], "second": nodes[-1]}]))


@property_test(scalars.map(call), examples=1500, share=1.0)
def test_dump_yaml_str_of_scalars(given):
    compare(DUMP, given)


@property_test(
    st.tuples(texts, texts, texts, keys).map(
        lambda t: call(fresh({t[0]: t[1], "in": {t[1]: [t[0], {t[2]: t[0]}]}, t[3]: t[2]}))
    ),
    examples=1500,
    share=1.0,
)
def test_dump_yaml_str_of_texts_at_every_place(given):
    compare(DUMP, given)


@property_test(trees.map(fresh).map(call), examples=1000, share=1.0)
def test_dump_yaml_str_of_trees(given):
    compare(DUMP, given)


@property_test(graphs().map(fresh).map(call), examples=1000, share=1.0)
def test_dump_yaml_str_of_shared_objects(given):
    compare(DUMP, given)


@property_test(
    st.lists(either(trees, scalars, graphs()), max_size=4).map(fresh).map(call),
    examples=600,
    share=1.0,
)
def test_dump_yaml_str_of_several_documents(given):
    compare(DUMP, given)


@property_test(st.integers(0, 2**64), examples=600, share=1.0)
def test_dump_yaml_str_of_generated_documents(seed):
    generator = documents.Generator(seed)
    for _ in range(5):
        config = generator.config()
        # Arguments are compared afterwards, which would never end for one that holds itself.
        if not holds_itself(config):
            compare(DUMP, call(fresh(config)))


def holds_itself(value, above=()):
    if not isinstance(value, (list, dict, tuple)):
        return False
    if any(value is one for one in above):
        return True
    items = [*value, *value.values()] if isinstance(value, dict) else value
    return any(holds_itself(item, (*above, value)) for item in items)


class OddDict(dict):
    def items(self):
        return [("odd", 1)]


class OddList(list):
    pass


class OddTuple(tuple):
    __slots__ = ()


Pair = collections.namedtuple("Pair", "a b")
#: What PyYAML represents in a way of its own, or not at all.
unusual = either(
    odd_values(),
    st.sampled_from(
        [
            OddStr("odd"),
            OddInt(3),
            OddFloat(1.5),
            OddList([1]),
            OddTuple(),
            OddTuple([1]),
            OddDict(a=1),
            Pair(1, 2),
            collections.OrderedDict(a=1),
            collections.defaultdict(list),
            b"",
            b"bytes" * 30,
            {1, 2},
            set(),
            frozenset([1]),
            datetime.date(2001, 1, 1),
            datetime.datetime(2001, 1, 1, 1, 1, 1, 5),
            range(3),
            "a".__add__,
        ]
    ),
)


def around(place, value):
    """A factory's configuration with a value somewhere in it."""
    if place == "key" and not documents.is_hashable((value,)):
        place = "value"
    made = {
        "root": lambda _: value,
        "document": lambda _: ["a", value],
        "item": lambda _: {"a": [1, value]},
        "key": lambda _: {value: "a"},
        "value": lambda _: {"a": 1, "b": value},
        "twice": lambda _: {"a": value, "b": value},
        "plain": lambda _: {"a": 1},
    }[place]
    return Fresh(f"{place} {short(value)}", made)


@property_test(
    calls(
        {
            "config": st.builds(
                around,
                st.sampled_from(["root", "document", "item", "key", "value", "twice", "plain"]),
                either(unusual, scalars),
            )
        },
        malformed=True,
    ),
    examples=800,
    share=0.2,
)
def test_dump_yaml_str_of_anything(given):
    compare(DUMP, given)


@pytest.mark.parametrize("kind", [list, tuple, dict])
@pytest.mark.parametrize("depth", [1, 2, 10, 63, 64, 65, 66, 100])
def test_dump_yaml_str_of_nested_collections(depth, kind):
    config = "text"
    for _ in range(depth):
        config = {"k": config} if kind is dict else kind([config])
    done = compare(DUMP, call(fresh(config)))
    levels = depth - (kind is list)
    assert done.rust == (levels <= 64)


def test_dump_yaml_str_of_too_many_levels():
    proxy = proxy_of(DUMP)
    config = {}
    for _ in range(2000):
        config = {"k": config}
    assert outcome(proxy, config)[1] is outcome(proxy.__wrapped__, config)[1] is RecursionError


def test_dump_yaml_str_from_deep_within():
    """The deepest collections that Rust answers, from below a few hundred frames."""
    proxy = proxy_of(DUMP)
    config = "text"
    for _ in range(64):
        config = {"k": config}

    def below(frames):
        if frames:
            return below(frames - 1)
        return proxy(config) == proxy.__wrapped__(config)

    assert below(500)


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c], lambda c: {"a": c, "b": [c]}])
def test_dump_yaml_str_of_what_holds_itself(wrap):
    proxy = proxy_of(DUMP)
    config, other = {}, []
    config["self"] = config
    config["other"] = other
    # The tuple is held by the list alone, which is both the documents and part of them.
    other += [other, config, (other,), {"config": config}]
    for given in (wrap(config), wrap(other), other):
        rust = proxy._self_route.counts()[0]
        assert proxy(given) == proxy.__wrapped__(given)
        assert proxy._self_route.counts()[0] == rust + 1


@pytest.mark.parametrize("length", range(118, 126))
@pytest.mark.parametrize("text", ["k", "1", "é", "k "])
def test_dump_yaml_str_at_the_limit_of_simple_keys(length, text):
    key = (text * length)[:length]
    done = compare(DUMP, call({key: 1, "in": fresh({key: [key]})}))
    assert done.rust
    if text == "1":
        assert compare(DUMP, call({int(key): 1, -int(key): 1})).rust


def test_dump_yaml_str_of_integers_that_python_does_not_print():
    for number in (10**4299, 10**4300, -(10**4300), 10**5000):
        compare(DUMP, call(Fresh("a long number", lambda _, number=number: {"a": number})))


def test_dump_yaml_str_of_every_character():
    """Alone, at both ends and in the middle, as a key and as a value."""
    codes = [*range(0x300), *range(0x2000, 0x2070), *range(0xD7F0, 0xE010), *range(0xFDC0, 0x10010)]
    codes += [0x1FFFF, 0x10FFFE, 0x10FFFF]
    for start in range(0, len(codes), 64):
        config = []
        for code in codes[start : start + 64]:
            one = chr(code)
            forms = (
                one,
                f"{one}a",
                f"a{one}",
                f"a{one}b",
                f"a {one}",
                f"{one} a",
                f"{one}\n",
                one * 3,
            )
            config.append({form: form for form in forms})
        assert compare(DUMP, call(fresh(config))).rust


def test_dump_yaml_str_of_short_texts():
    """All texts of three characters that mean something."""
    some = " \n'\"#:-?.,[{&*!|>%@`~=<a0_\t"
    config = [{a + b + c: a + b + c for b in some for c in some} for a in some]
    assert compare(DUMP, Call((fresh(config),))).rust


def test_dump_yaml_str_folds_where_pyyaml_folds():
    for between in (" ", "  ", "\n", " é", "' ", " '", ' "', "\\ "):
        for first in range(70, 86):
            for second in (1, 2, 10, 79, 80, 81):
                text = between.join(["x" * first, "y" * second, "z"])
                config = {
                    "a": text,
                    text[-60:]: [text, {"b": text}],
                    "c": f"{text} ",
                    "d": f" {text}",
                }
                assert compare(DUMP, call(config)).rust
                assert compare(DUMP, call(text)).rust
