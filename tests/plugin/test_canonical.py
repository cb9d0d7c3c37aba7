"""Digests: equal for equal values, in any process, and looking changes nothing."""

import array
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import io
import logging
import math
import operator
import os
import pathlib
import re
import subprocess
import sys
import threading
import types
import uuid
import zoneinfo
from unittest import mock

import numpy
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import run_code

from pytest_skyrs._model import processes
from pytest_skyrs._model.canonical import Canonical, type_name
from pytest_skyrs._model.contents import fields

canonical = Canonical()
digest, describe = canonical.digest, canonical.describe


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Complex(complex):
    pass


class Raw(bytes):
    pass


class Buffer(bytearray):
    pass


class Items(list):
    pass


class Pair(tuple):
    pass


class Mapping(dict):
    pass


class Bag(set):
    pass


class FrozenBag(frozenset):
    pass


class Day(datetime.date):
    pass


class Moment(datetime.datetime):
    pass


class Amount(decimal.Decimal):
    pass


class Share(fractions.Fraction):
    pass


class Id(uuid.UUID):
    pass


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.IntEnum):
    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


Point = collections.namedtuple("Point", "x y")
OtherPoint = collections.namedtuple("OtherPoint", "x y")


@dataclasses.dataclass
class Task:
    name: str
    nodes: int = 1


@dataclasses.dataclass(frozen=True)
class Frozen:
    name: str
    nodes: int = 1


class Plain:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Other(Plain):
    pass


class Slots:
    __slots__ = ("__dunder__", "__hidden", "shown")

    def __init__(self, shown=None, hidden=None, dunder=None):
        self.shown = shown
        self.__hidden = hidden
        self.__dunder__ = dunder


class MoreSlots(Slots):
    __slots__ = ("__hidden",)

    def __init__(self, upper, lower):
        super().__init__(hidden=upper)
        self.__hidden = lower


class SlotsAndDict(Slots):
    pass


class OneSlot:
    __slots__ = "only"

    def __init__(self, *only):
        if only:
            (self.only,) = only


class Failure(Exception):
    pass


def function():
    pass


def another_function():
    pass


def mocked(spec):
    return mock.MagicMock(spec=spec)


ran = []


def run(name):
    ran.append(name)
    raise RuntimeError(f"{name} was run")


HOOKS = (
    *("__repr__", "__str__", "__format__", "__bytes__", "__bool__", "__len__", "__iter__"),
    *("__eq__", "__hash__", "__lt__", "__contains__", "__getitem__", "__getattr__", "__copy__"),
    *("__deepcopy__", "__reduce_ex__", "__reduce__", "__getstate__", "__int__", "__float__"),
    *("__index__", "__sizeof__", "__dir__", "__call__", "__fspath__", "items", "keys", "values"),
)


def touchy(base, *arguments, hooks=HOOKS, **properties):
    """An instance of a subclass that notices when its own code runs."""
    body = {name: lambda *_, name=name: run(name) for name in hooks}
    body.update({name: property(lambda _, name=name: run(name)) for name in properties})
    cls = type("Touchy", (base,), body)
    return base.__new__(cls, *arguments) if base is not object else object.__new__(cls)


def with_mark(value, mark):
    value.mark = mark
    return value


def hashed(*parts):
    made = hashlib.md5()
    for part in parts:
        made.update(part)
    return made


def nested(depth, inside):
    for _ in range(depth):
        inside = [inside]
    return inside


def cyclic(kind, value):
    if kind is list:
        made = [value]
        made.append(made)
    elif kind is dict:
        made = {"value": value}
        made["self"] = made
    else:
        made = Plain(value=value)
        made.self = made
    return made


#: Every value's digest differs from that of every other.
DISTINCT = [
    *(None, True, False, 0, 1, -1, 2, 0.0, -0.0, 1.0, 1.5, 0j, 1j, complex(0, -0.0)),
    *(math.nan, math.inf, -math.inf, 10**5000, 10**5000 + 1, -(10**5000), 1 << 64),
    *("", "1", "a", "A", "nan", "None", "\0", "\udc80", "\udcff", "é", "e\u0301"),
    *(b"", b"1", b"a", b"\x80", bytearray(), bytearray(b"a"), memoryview(b"x")),
    *((), (1,), (1, 2), (2, 1), [], [1], [1, 2], [[1], 2], [1, [2]], [[]], [()]),
    *([[1, 2]], [[], []], [[[]]], [{}, 1], [{1: 1}], {1: [2, 3]}, {1: [2], 3: 4}),
    *({}, {1: 2}, {1: 2, 3: 4}, {3: 4, 1: 2}, {1.0: 2}, {"1": 2}, {"a": []}),
    *(set(), {1}, {1, 2}, {"1"}, frozenset(), frozenset({1}), {frozenset({1})}, {(1,)}),
    *(Text(""), Text("a"), Number(1), Real(1.0), Complex(1), Raw(b"a"), Buffer(b"a")),
    *(
        Items(),
        Items([1]),
        with_mark(Items([1]), 1),
        with_mark(Items([1]), 2),
        Pair((1,)),
        Mapping(),
        Mapping({1: 2}),
        Bag({1}),
        FrozenBag({1}),
    ),
    *(collections.OrderedDict(), collections.OrderedDict({1: 2}), collections.Counter([1])),
    *(collections.defaultdict(list), collections.deque([1]), collections.deque([2])),
    *(Color.RED, Color.BLUE, Shade.RED, Access.READ, Access.READ | Access.WRITE),
    *(Access.READ | Access.RUN, Access(0), re.IGNORECASE),
    *(Point(1, 2), Point(2, 1), OtherPoint(1, 2)),
    *(Task("a"), Task("b"), Task("a", 2), Frozen("a"), Plain(), Plain(name="a", nodes=1)),
    *(Plain(a=1), Plain(a=True), Plain(b=1), Plain(a=1, b=1), Other(a=1)),
    *(types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
    *(Slots(1), Slots(2), Slots(hidden=1), Slots(dunder=1), OneSlot(), OneSlot(None)),
    *(MoreSlots(1, 2), MoreSlots(2, 2), MoreSlots(2, 1), SlotsAndDict(1)),
    *(datetime.date(2024, 1, 2), datetime.date(2024, 1, 3), Day(2024, 1, 2), Day(2024, 1, 3)),
    *(datetime.datetime(2024, 1, 2), datetime.datetime(2024, 1, 2, fold=1)),
    datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc),
    datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
    datetime.datetime(2024, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
    *(Moment(2024, 1, 2), Moment(2024, 1, 2, 3), datetime.time(1), datetime.time(1, 0, 0, 1)),
    *(datetime.timedelta(1), datetime.timedelta(0, 1), datetime.timezone.utc),
    *(decimal.Decimal("1.0"), decimal.Decimal(1), decimal.Decimal("NaN"), decimal.Decimal("-0")),
    *(Amount(1), Amount(2), fractions.Fraction(1, 2), fractions.Fraction(1, 3), Share(1, 2)),
    *(fractions.Fraction(10**5000), fractions.Fraction(10**5000 + 1)),
    *(uuid.UUID(int=1), uuid.UUID(int=2), Id(int=1)),
    *(range(3), range(4), range(0, 3, 2), range(10**5000), slice(3), slice(0, 3)),
    *(re.compile("a"), re.compile("b"), re.compile("a", re.I), re.compile(b"a")),
    *(re.compile("a" * 300), re.compile("a" * 301), ..., NotImplemented),
    *(int, str, Color, Plain, type, function, another_function, len, str.upper, math, os),
    *([1].append, Plain(a=1).__init__, Plain(a=2).__init__, Other(a=1).__init__),
    *(functools.partial(int, 1), functools.partial(int, 2), functools.partial(str, 1)),
    functools.partial(int, base=1),
    types.MethodType(functools.partial(int), 1),
    *(pathlib.PurePosixPath("a"), pathlib.PurePosixPath("b"), pathlib.Path("a")),
    *(ValueError(), ValueError("a"), ValueError("b"), ValueError("a", "b"), TypeError("a")),
    *(Failure("a"), OSError(2, "no"), FileNotFoundError("no"), KeyboardInterrupt("a")),
    *(hashlib.md5(b"a"), hashlib.md5(b"b"), hashlib.sha256(b"a"), hashlib.sha256()),
    *(hashlib.blake2b(b"a"), hashlib.blake2s(b"a"), hashlib.sha3_256(b"a")),
    *(numpy.int64(1), numpy.int64(2), numpy.int32(1), numpy.float64(1), numpy.float32(1)),
    *(numpy.array([1, 2]), numpy.array([2, 1]), numpy.array([[1, 2]]), numpy.array([1.0, 2])),
    *(numpy.array([1, 2], dtype="u8"), numpy.array([None])),
    *(numpy.array([1, 2], dtype="i4"), numpy.str_("a"), numpy.bytes_(b"a"), numpy.bool_(True)),
    *(mock.Mock(), mock.MagicMock(), mock.NonCallableMock()),
    *(nested(3, 1), nested(4, 1), nested(20, 1), nested(20, 2)),
    *(cyclic(list, 1), cyclic(list, 2), cyclic(dict, 1), cyclic(Plain, 1), cyclic(Plain, 2)),
    *(object(), iter([]), (x for x in ()), threading.Lock(), array.array("b", b"a")),
]


def test_different_values_have_different_digests():
    seen = {}
    for value in DISTINCT:
        assert seen.setdefault(digest(value), value) is value
    assert len(seen) == len(DISTINCT)


def test_a_value_has_one_digest():
    assert [digest(value) for value in DISTINCT] == [digest(value) for value in DISTINCT]


def test_a_digest_is_short_and_hexadecimal():
    assert all(re.fullmatch("[0-9a-f]{20}", digest(value)) for value in DISTINCT)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (math.nan, -float("nan")),
        ({1, 2, 3, "a"}, {"a", 3, 2, 1}),
        (frozenset("abcdefgh"), frozenset("hgfedcba")),
        (Bag("abcdefgh"), Bag("hgfedcba")),
        ({frozenset("ab"), frozenset("cd")}, {frozenset("dc"), frozenset("ba")}),
        ([1, 2], [1, 1 + 1]),
        (Plain(a=1, b=2), Plain(b=2, a=1)),
        (types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1)),
        (numpy.array([1, 2]), numpy.array([9, 1, 9, 2])[1::2]),
        (cyclic(list, 1), cyclic(list, 1)),
        (cyclic(Plain, 1), cyclic(Plain, 1)),
        (mock.Mock(a=1), mock.Mock(b=2)),
        (mocked(str), mocked(dict)),
        (object(), object()),
        (numpy.array([object()]), numpy.array([object()])),
        (touchy(object, hooks=("__getattribute__",)), touchy(object, hooks=("__getattribute__",))),
        (lambda: 1, lambda: 1),
        (hashlib.md5(b"ab"), hashed(b"a", b"b")),
        (nested(40, 1), nested(40, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_digests(left, right):
    assert digest(left) == digest(right)
    assert describe(left) == describe(right)


def test_what_is_shared_is_no_cycle():
    inner = [1]
    assert digest([inner, inner]) == digest([[1], [1]])
    assert describe([inner, inner]) == "[[1], [1]]"


def test_deep_nesting_costs_no_recursion():
    deep = nested(100_000, 1)
    assert digest(deep) == digest(nested(50_000, 1))
    assert describe(deep).count("[") == 25


def test_many_values_are_bounded():
    # Beyond the bound the number counts still.
    assert digest([0] * 60_000) != digest([0] * 60_001)
    assert digest([0] * 60_000 + [1]) == digest([0] * 60_000 + [2])
    assert digest([1] + [0] * 60_000) != digest([2] + [0] * 60_000)


VALUES = """
import collections, dataclasses, datetime, enum, fractions, hashlib, pathlib, re, sys
from pytest_skyrs._model import processes
from pytest_skyrs._model.canonical import Canonical

class Plain:
    def __init__(self, names):
        for name in names:
            setattr(self, name, {name})
    def method(self): pass

class Access(enum.Flag):
    READ = 1
    WRITE = 2

values = [
    set("abcdefghijklmnop"), frozenset(map(str, range(100))), {"a": {"b", "c"}},
    Plain({"one", "two", "three", "four"}), Plain("abc").method, lambda: 1, object(), Plain,
    Access.READ | Access.WRITE, pathlib.Path("/a"), re.compile("a"), hashlib.md5(b"a"), 1e300,
    datetime.datetime(2024, 1, 2), "\\udc80", 10 ** 5000, [iter([])], ValueError({"a", "b"}),
]
canonical = Canonical()
print([canonical.digest(value) for value in values])
print([canonical.describe(value) for value in values])
print(hash("a"))
"""


def test_another_process_gives_the_same():
    first, second = (
        run_code(VALUES, environment={"PYTHONHASHSEED": seed}).splitlines() for seed in "12"
    )
    assert first[2] != second[2]
    assert first[:2] == second[:2]
    assert " at 0x" not in first[1]


TOUCHY = [
    touchy(object),
    touchy(object, attribute=True, __class__=True, args=True, name=True),
    touchy(object, __dict__=True),
    touchy(object, hooks=("__getattribute__",)),
    touchy(str, "text", __class__=True),
    touchy(int, 3),
    touchy(float, 3.0),
    touchy(complex, 3),
    touchy(bytes, b"3"),
    touchy(bytearray),
    touchy(list),
    touchy(tuple, (1, 2)),
    touchy(set),
    touchy(frozenset, {1}, hooks=set(HOOKS) - {"__hash__"}),
    touchy(dict),
    touchy(collections.deque),
    touchy(datetime.date, 2024, 1, 2, year=True),
    touchy(datetime.datetime, 2024, 1, 2, tzinfo=True),
    touchy(datetime.timedelta, 1, days=True),
    touchy(datetime.tzinfo),
    datetime.datetime(2024, 1, 2, tzinfo=touchy(datetime.tzinfo)),
    touchy(decimal.Decimal, 1),
    touchy(fractions.Fraction, 1, 2, numerator=True),
    touchy(uuid.UUID),
    slice(touchy(object)),
    functools.partial(touchy(object, hooks=set(HOOKS) - {"__getattr__"}), 1),
    touchy(Exception, args=True, __cause__=True),
    touchy(type(io.StringIO())),
    touchy(logging.Logger),
    mock.MagicMock(side_effect=RuntimeError),
    mocked(str),
    mocked(dict),
    mocked([]),
    mocked(ValueError),
    mocked(datetime.date(2024, 1, 2)),
    mocked(Color.RED),
    mocked(pathlib.Path("a")),
    mocked(hashlib.md5()),
]


@pytest.mark.parametrize("number", range(len(TOUCHY)))
def test_nothing_of_a_value_runs(number):
    # A mock as a parameter would be asked for its name.
    value = TOUCHY[number]
    ran.clear()
    is_mock = issubclass(type(value), mock.NonCallableMock)
    for whole in (value, [value], (value, value), {1: value}, Plain(value=value)):
        assert digest(whole)
        assert describe(whole)
    assert canonical.describe_call((value,), {"name": value})
    assert ran == []
    assert not is_mock or value.mock_calls == []


def test_slots_that_are_not_set():
    assert fields(OneSlot()) == {}
    assert fields(OneSlot(1)) == {"only": 1}
    assert set(fields(MoreSlots(1, 2)).values()) == {1, 2, None}


def test_what_a_proxy_stores_is_not_its_value():
    class Proxy:
        def __init__(self):
            self.target = 1

        def __getattribute__(self, name):
            return run(name)

    assert fields(Proxy()) is None
    assert describe(Proxy()).endswith("Proxy object>")


def test_the_dictionary_of_a_proxy_is_left_alone():
    class Proxy:
        __dict__ = property(lambda _: {"not": "its own"})

    assert fields(Proxy()) is None
    assert describe(Proxy()).endswith("Proxy object>")


@pytest.mark.parametrize("name", ["__module__", "__mro__", "__dict__", "__getattribute__"])
def test_a_metaclass_with_surprises(name):
    meta = type("Meta", (type,), {name: property(lambda _: run(name))})
    cls = meta("Cls", (), {"__module__": "its_module"})
    assert digest(cls)
    assert digest(cls())
    assert describe([cls, cls()])
    assert type_name(cls) == "its_module.Cls"


def test_a_module_name_that_is_no_text():
    class Cls:
        __module__ = property()

    assert type_name(Cls).startswith("?.")
    assert "0x" not in describe(Cls())


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("/tmp/arm/home/x", "<HOME>/x"),
        ("/tmp/arm", "<ARM>"),
        ("/tmp/arm/home and /tmp/arm/tmp", "<HOME> and <ARM>/tmp"),
        ("/tmp/ar", "/tmp/ar"),
        ("", ""),
    ],
)
def test_roots_are_replaced_the_longest_first(text, scrubbed):
    replacing = Canonical([("/tmp/arm", "<ARM>"), ("/tmp/arm/home", "<HOME>")])
    assert replacing.text(text) == scrubbed
    assert replacing.digest(text) == digest(scrubbed)
    assert replacing.digest([{text: Text(text)}]) == digest([{scrubbed: Text(scrubbed)}])
    assert replacing.describe(text) == describe(scrubbed)


@pytest.mark.parametrize(
    "wrap",
    [
        str,
        pathlib.Path,
        lambda path: [path],
        lambda path: {path: 1},
        lambda path: {path},
        lambda path: Plain(path=path),
        lambda path: OSError(2, path),
        lambda path: OneSlot(path),
        lambda path: collections.deque([path]),
    ],
)
def test_two_arms_folders_are_one(wrap):
    digests = set()
    for arm in ("/tmp/skyrs-a/arm", "/tmp/skyrs-bcd/arm"):
        arms_own = Canonical()
        arms_own.add_root(arm, "<ARM>")
        digests.add(arms_own.digest(wrap(f"{arm}/file")))
        assert "skyrs" not in arms_own.describe(wrap(f"{arm}/file"))
    assert len(digests) == 1
    assert digest(wrap("/tmp/skyrs-a/arm/file")) not in digests


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("/tmp/pytest-of-me/pytest-3/test_it0/file", "/tmp/pytest-of-me/pytest-3/test_it<N>/file"),
        ("/tmp/pytest-of-me/pytest-3/test_it12", "/tmp/pytest-of-me/pytest-3/test_it<N>"),
        ("/tmp/pytest-3/test_1_2_0/x7", "/tmp/pytest-3/test_1_2_<N>/x7"),
        ("'/tmp/pytest-3/test_a0' is", "'/tmp/pytest-3/test_a<N>' is"),
        ("/tmp/pytest-3/test_a0 /tmp/pytest-3/b1", "/tmp/pytest-3/test_a<N> /tmp/pytest-3/b<N>"),
        ("/tmp/pytest-3/test_a", "/tmp/pytest-3/test_a"),
        ("/tmp/mine/test_a0", "/tmp/mine/test_a0"),
    ],
)
def test_two_runs_in_one_process_have_other_tmp_paths(text, scrubbed):
    assert Canonical(same_process=True).text(text) == scrubbed
    assert Canonical().text(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (1, "1"),
        (10**700, hex(10**700)),
        (-0.0, "-0.0"),
        ("a'\n\udc80", '"a\'\\n\\udc80"'),
        (b"a\x00", "b'a\\x00'"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1,)"),
        ((1, 2), "(1, 2)"),
        ((), "()"),
        ([(1,), 2], "[(1,), 2]"),
        ({"a": [1], 2: {}}, "{'a': [1], 2: {}}"),
        ({2, 1}, "set({1, 2})"),
        (frozenset(), "frozenset({})"),
        (Task("a"), f"{__name__}.Task(name='a', nodes=1)"),
        (Number(3), f"{__name__}.Number(3)"),
        (Point(1, 2), f"{__name__}.Point((1, 2))"),
        (Color.RED, f"{__name__}.Color.RED"),
        (ValueError("a", 1), "ValueError('a', 1)"),
        (KeyError("a"), "KeyError('a')"),
        (pathlib.PurePosixPath("/a"), "pathlib.PurePosixPath('/a')"),
        (datetime.date(2024, 1, 2), "datetime.date(2024, 1, 2)"),
        (function, f"<{__name__}.function>"),
        (len, "<builtins.len>"),
        (Task, f"<class {__name__}.Task>"),
        (int, "<class int>"),
        (os, "<module os>"),
        (object(), "<object object>"),
        (cyclic(list, 1), "[1, <cycle>]"),
        (
            functools.partial(int, "7", base=8),
            "functools.partial(<class int>, ('7',), {'base': 8})",
        ),
    ],
)
def test_descriptions(value, text):
    # Python 3.13 keeps paths in a package.
    assert describe(value).replace("pathlib._local.", "pathlib.") == text


@pytest.mark.parametrize("limit", [0, 1, 10, 500, 2000])
@pytest.mark.parametrize(
    "value",
    [
        "x" * 100_000,
        "\udc80" * 100_000,
        b"\xff" * 100_000,
        bytearray(100_000),
        ["x" * 100] * 10_000,
        [[[["x" * 5_000]]]],
        {number: str(number) for number in range(10_000)},
        set(range(3_000)),
        Plain(**{f"name{number}": number for number in range(3_000)}),
        10**100_000,
        numpy.zeros(100_000),
        ValueError("x" * 100_000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_descriptions_are_limited_and_say_so(value, limit):
    text = describe(value, limit)
    # A literal may take ten signs for one; brackets are closed, and the mark says how much it was.
    assert len(text) <= 10 * limit + 100
    assert limit > 2 or len(text) < 100
    assert "..." in text or limit == 0
    short = describe("x" * limit, limit + 2)
    assert short == repr("x" * limit)


def test_a_cut_text_says_how_long_it_was():
    assert describe("x" * 5_000, 10) == "'xxxxxxxxxx...' (5,000 characters)"
    assert describe(b"x" * 5_000, 10) == "b'xxxxxxxxxx...' (5,000 bytes)"


def test_descriptions_of_calls():
    described = canonical.describe_call((1, "a"), {"name": [None]})
    assert described == "(1, 'a', name=[None])"
    assert canonical.describe_call((), {}) == "()"


def test_no_description_fails():
    assert all(describe(value) for value in DISTINCT)
    assert all(describe(value) for value in vars(sys.modules["os"]).values())


@pytest.mark.parametrize("size", [0, 10])
def test_looking_at_an_iterator_takes_nothing_from_it(size):
    iterator = iter(range(size))
    digest(iterator)
    describe(iterator)
    assert operator.length_hint(iterator) == size


def test_looking_at_a_hash_leaves_it_open():
    running = hashlib.sha256(b"a")
    digest(running)
    running.update(b"b")
    assert running.digest() == hashlib.sha256(b"ab").digest()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters()),
    st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)),
)
JSON_LIKE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
ANY = st.recursive(
    st.one_of(
        SCALARS,
        st.binary(),
        st.complex_numbers(),
        st.decimals(),
        st.fractions(),
        st.datetimes(timezones=st.just(datetime.timezone.utc)),
        st.dates(),
        st.timedeltas(),
        st.uuids(),
        st.sampled_from([*Color, *Access, int, len, function]),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.builds(Task, inner, inner),
        st.builds(Slots, inner, inner),
        st.builds(Plain, a=inner),
        st.builds(ValueError, inner),
        st.builds(Items, st.lists(inner)),
        st.dictionaries(st.text(), inner),
        st.sets(st.integers() | st.text()),
        st.frozensets(st.tuples(st.integers(), st.text())),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_a_copy_has_the_same_digest(value):
    copied = copy.deepcopy(value)
    assert digest(copied) == digest(value)
    assert describe(copied) == describe(value)


def typed(value):
    """Makes what Python takes for equal and JSON doesn't, and the order of keys, count."""
    if isinstance(value, list):
        return [list, *map(typed, value)]
    if isinstance(value, dict):
        return [dict, *((key, typed(item)) for key, item in value.items())]
    return [type(value), repr(value)]


@settings(max_examples=300, deadline=None)
@given(JSON_LIKE, JSON_LIKE)
def test_digests_are_equal_if_and_only_if_values_are(left, right):
    assert (digest(left) == digest(right)) == (typed(left) == typed(right))


@settings(max_examples=200, deadline=None)
@given(JSON_LIKE, st.data())
def test_any_change_shows(value, data):
    def change(value):
        if isinstance(value, list) and value and data.draw(st.booleans()):
            index = data.draw(st.integers(0, len(value) - 1))
            return [*value[:index], change(value[index]), *value[index + 1 :]]
        if isinstance(value, dict) and value and data.draw(st.booleans()):
            key = data.draw(st.sampled_from(list(value)))
            return {**value, key: change(value[key])}
        return data.draw(JSON_LIKE)

    changed = change(value)
    assert (digest(changed) == digest(value)) == (typed(changed) == typed(value))


def test_processes_are_what_they_are_to_this_one():
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    try:
        assert len({digest(child) for child in children}) == 1
        assert digest(psutil.Process(children[0].pid)) == digest(psutil.Process(children[1].pid))
        child = psutil.Process(children[0].pid)
        assert describe(child) == "psutil.Process('a child', 'sleep')"
        others = [psutil.Process(), psutil.Process().parent(), child, psutil.Process(1)]
        assert describe(others[0]).startswith("psutil.Process('this process', ")
        assert describe(others[1]).startswith("psutil.Process('the parent', ")
        if psutil.Process().ppid() != 1:
            assert len({digest(other) for other in others}) == len(others)
    finally:
        before = [digest(child) for child in children]
        for child in children:
            child.kill()
            child.wait()
    # When it is gone for good is chance.
    assert [digest(child) for child in children] == before


def test_a_process_is_looked_at_without_what_tests_replace(monkeypatch):
    process, expected = psutil.Process(), describe(psutil.Process())
    processes._seen.clear()
    for name in ("open", "read", "close", "getpid"):
        monkeypatch.setattr(os, name, None)
    found = describe(process)
    monkeypatch.undo()
    assert found == expected
