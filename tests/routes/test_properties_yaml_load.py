"""safe_load and its like against their originals, which use libyaml."""

import contextlib
import io
import random
import re
from pathlib import Path
from unittest import mock

import applicability
import pytest
import yaml
import yaml_merges
import yaml_scalars
import yaml_texts
from differential import (
    HASTY,
    any_text,
    calls,
    compare,
    either,
    odd_values,
    planted,
    property_test,
    proxy_of,
)
from hypothesis import strategies as st
from one_call import call

import sky_rs_patch
from sky_rs_patch._contracts import yaml_load

PARAMETERS = {"safe_load": "stream", "read_yaml_str": "yaml_str", "read_yaml_all_str": "yaml_str"}
NAMES = tuple(PARAMETERS)
TASKS = sorted(Path(sky_rs_patch.__file__).parent.glob("_bench/tasks/*.yaml"))

seeded = st.integers(0, 2**64 - 1).map(random.Random)
#: Long texts from a seed, and short ones that Hypothesis can shrink.
texts = either(
    seeded.map(yaml_texts.text),
    seeded.map(yaml_scalars.text),
    seeded.map(yaml_merges.text),
    # Each scalar by itself: among others in a long text a wrong one is met too rarely.
    st.sampled_from(yaml_scalars.EXAMPLES).map("a: {}\n".format),
    st.randoms(use_true_random=False).map(yaml_texts.text),
    st.lists(st.sampled_from([*"ab1:-?[]{},#&*!|>'\"\\ \n", ": ", "- ", "\n  ", "\n"])).map(
        "".join
    ),
)


@st.composite
def tasks(draw):
    """Task files as people write them."""
    rng = draw(seeded)
    style = yaml_texts.Style(0.0, 2, "\n")
    lines = ["# A task."]
    for number in range(rng.randint(1, 6)):
        plain = rng.choice(["1", "text", "8+", "{a: 1, b: [x, y]}", "A100:8", "true", "~", "1.5"])
        lines.append(f"key{number}: {plain}")
        if rng.random() < 0.6:
            lines[-1] = f"key{number}:"
            lines += [f"  inner{i}: '{i}'  # {i}" for i in range(rng.randint(1, 4))]
        if rng.random() < 0.4:
            lines.append(f"run{number}: {yaml_texts.block_scalar(rng, style, 0)}".rstrip("\n"))
    return "\n".join(lines) + "\n"


def given_to(name, strategy, **options):
    return calls({PARAMETERS[name]: strategy}, **options)


def check(given_name):
    name, given = given_name
    outcome = compare(name, given)
    if outcome.rust and "&" in str(given):
        # Scalars are shared as well.
        again = proxy_of(name).__wrapped__(*given.args, **given.kwargs)
        assert yaml_scalars.same(outcome.observation.result, again), f"{name}{given} shares others"


def of_any(strategy, **options):
    return st.sampled_from(NAMES).flatmap(
        lambda name: st.tuples(st.just(name), given_to(name, strategy, **options))
    )


@property_test(of_any(tasks()), examples=300, share=0.75)
def test_of_task_files(given):
    check(given)


@property_test(of_any(texts), examples=1200, share=0.25)
def test_of_texts(given):
    check(given)


@property_test(of_any(either(texts, any_text, odd_values()), malformed=True), examples=400)
def test_of_anything(given):
    check(given)


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_of_the_tasks_of_the_benchmark(path):
    text = path.read_text()
    streams = sum(line == "---" for line in text.split("\n"))
    for name in NAMES:
        outcome = compare(name, call(text))
        assert outcome.rust is (streams == 0 or name == "read_yaml_all_str")


ANSWERED = [
    "",
    "\n",
    "# only a comment",
    "---\n",
    "0",
    "false",
    "''",
    "[]",
    "{}",
    "a: 1\nA: 2\n' a': 3\n",
    "a: {a: {a: [a, a: 1, {a: 2}, b: , {c, d}]}}\n",
    "- a: 1\n- a: 2\n-\n- - x\n  -   y: z\n",
    "a: 1\nb: 2\na: 3\n",
    "1: a\n1.0: b\ntrue: c\nyes: d\n0x1: e\n~: f\nnull: g\n",
    "run: |\n  a: 1\n\n    b\n  \t\n  c\tx\nsetup: >-\n  b\n\n  b\n  c\n   d\n",
    "x: a # a: 1\n# x: 2\ny: b\n",
    "語: 1\nご: '\U0001f600'\né: \"\\u263a\\U0001f600\\x41\\n\\t\\0\"\n",
    "'it''s': \"say \\\"hi\\\"\"\n",
    '{"a":1,"b":[true,null,1.5,"x"]}\n',
    "{\n  a: 1,\n  b: [\n2\n]\n}\n",
    "[" * 60 + "]" * 60,
    f"{'a' * 1000}: {'b' * 5000}\n",
    # Anchors and aliases
    "a: &x 1.5\nb: *x\n",
    "a: &x\nb: *x\n",
    "&k text: &v 'text'\nb: [*k, *v, *k]\n",
    "a: &x [1]\nb: &y {c: *x}\nd: [*x, *y, {e: *y}]\n",
    "a: &x\n  b: 1\nc: *x\nd: &y\n- *x\n- &z\n  - *x\n",
    "&x [a, *x, {b: *x}]\n",
    "&x\na: *x\nb: &y [*x, *y]\n",
    "é: &x-_1 ü\n語: *x-_1 # c\n",
    # Merge keys
    "<<: {a: 1}\n",
    "<<: {}\na: 1\n<<: [{b: 2}, {c: 3}]\n",
    "a: &x {p: 1, q: [2]}\nb:\n  r: 3\n  <<: *x\n  p: 4\nc: [*x]\n",
    "a: &x {pp: 1, qq: 2}\nb: &y {qq: 3, rr: 4}\nc: {rr: 5, <<: [*x, *y], ss: 6}\n",
    "a: &x {pp: 1}\nb: &y {<<: *x, qq: 2, pp: 3}\nc: {<<: *y, <<: *x}\nd: {<<: [*y, *x, *y]}\n",
    "a: &x {p: 1, p: 2, q: 3}\nb: &y {q: 4, r: 5}\nc: {<<: [*x, *y]}\nd: {<<: [*y, *x], r: 6}\n",
    "a: &x {true: 1, 100: 2, 1.5: 3, '': 4, \"é\": 5}\nb: {<<: *x, true: 6}\n",
    "a: &x [&y {p: 1}, &z {q: 2}]\nb: {<<: *x}\n",
    "a: &x {p: &y {q: *x}}\nb: {<<: *x, <<: *y}\n",
    "a: &x {p: 1}\nb: &y {<<: *x, q: *y}\n",
]


@pytest.mark.parametrize("text", ANSWERED)
def test_rust_answers_ordinary_texts(text):
    for name in NAMES:
        outcome = compare(name, call(text))
        assert outcome.rust
        result = outcome.observation.result
        assert yaml_scalars.same(result, proxy_of(name).__wrapped__(text))


@pytest.mark.parametrize("example", yaml_scalars.EXAMPLES)
def test_plain_scalars(example):
    for text in (example, f"{example}: {example}", f"- {example}", f"['{example}', {example} ]"):
        for name in NAMES:
            compare(name, call(text))


#: What the two scanners take in different ways, and what they would refuse or ask more for.
DECLINED = [
    "a: *x\n",
    "a: &x 1\nb: &x 2\n",
    "a: &x 1\n---\nb: *x\n",
    "&x a: 1\n*x : 2\n",
    "a: &x *x\n",
    "a: &x: 1\n",
    "a: &é 1\n",
    "a: &x {<<: *x}\n",
    "a: &x [{<<: *x}]\n",
    "a: &x {p: {<<: *x}}\n",
    "a: &x {p: {<<: [*x]}}\n",
    "a: {<<: 1}\n",
    "a: {<<: [1]}\n",
    "a: {<<: [[{b: 1}]]}\n",
    "a: {<<: }\n",
    "a: {&x <<: {b: 1}}\n",
    "- <<\n",
    "a: !!str 1\n",
    "a: !b 1\n",
    "%YAML 1.1\n---\na: 1\n",
    "? a\n: 1\n",
    "a: <<\n",
    "=: 1\n",
    "a: =\n",
    "a: 2001-12-14\n",
    "a: .nan\n",
    "a: 1:30.5\n",
    "a: 9223372036854775808\n",
    "a: 0b_\n",
    "a: b\n  c\n",
    "a: 'b\n  c'\n",
    'a: "b\\\n  c"\n',
    'a: "\\ud800"\n',
    "a: '\ud800'\n",
    "a: 1\r\n",
    "a:\t1\n",
    "-\ta\n",
    "a: |\n \tx\n",
    "a: 1\x85b: 2\n",
    "a: 1\u2028b: 2\n",
    "\ufeffa: 1\n",
    "a: \x07\n",
    "a: \0\n",
    "{a?: 1}",
    "[a?b]",
    "{a:}",
    "[a:]",
    "[a:,b]",
    "a: 'b'#c\n",
    "[a]#c\n",
    "--- a\n",
    "--- |\n  a\n",
    "a\n...\n",
    "{[a]: 1}",
    "{{a: 1}: 1}",
    "a: b: c\n",
    "a: [\n",
    "- a\nb: 1\n",
    f"{'a' * 1024}: 1\n",
    f"{'a' * 1025}: 1\n",
    "[" * 65 + "]" * 65,
    "[" * 300 + "]" * 300,
]


@pytest.mark.parametrize("text", DECLINED)
def test_what_is_left_to_the_original(text):
    for name in NAMES:
        assert not compare(name, call(text)).rust


@pytest.mark.parametrize("levels", [30, 31, 32, 33, 60])
def test_chains_of_merge_keys(levels):
    text = "a0: &a0 {key0: 0}\n" + "".join(
        f"a{i}: &a{i} {{<<: *a{i - 1}, key{i}: {i}}}\n" for i in range(1, levels + 1)
    )
    assert compare("safe_load", call(text)).rust is (levels <= 32)


def test_merged_pairs_have_a_limit():
    """Each mapping merges the one before twice, so that the original takes twice the time."""
    merges = "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 18))
    compare("safe_load", call("a0: &a0 {one: 1, two: 2}\n" + merges))


def test_more_documents():
    for text in ("---\n---\n", "a: 1\n---\nb: 2\n", "a\n---\n---\n# c\n--- # d\nb: |\n  x\n---\n"):
        assert compare("read_yaml_all_str", call(text)).rust
        for name in ("safe_load", "read_yaml_str"):
            assert not compare(name, call(text)).rust


def test_other_streams_are_left_to_the_original():
    for stream in (io.StringIO("a: 1"), io.BytesIO(b"a: 1"), b"a: 1"):
        route = proxy_of("safe_load")._self_route
        before = route.counts()[0]
        assert proxy_of("safe_load")(stream) == {"a": 1}
        assert route.counts()[0] == before


def test_what_is_given_back_is_new():
    for name, text in [*((name, "a: {}\n") for name in NAMES), ("read_yaml_all_str", "")]:
        loaded = proxy_of(name)(text)
        loaded = loaded[0] if type(loaded) is list else loaded
        loaded["b"] = 1
        assert "b" not in str(proxy_of(name)(text))


def test_other_releases_are_not_known():
    assert yaml_load.known_pyyaml() is None
    with mock.patch.object(yaml, "__version__", "7.0"):
        assert yaml_load.known_pyyaml() == "the libyaml binding of PyYAML 7.0 is not known"
    with mock.patch.object(yaml._yaml, "get_version_string", lambda: "0.2.7"):
        assert yaml_load.known_pyyaml() == "libyaml 0.2.7 is not known"
    with mock.patch.object(yaml, "__with_libyaml__", False):
        assert yaml_load.known_pyyaml() == "PyYAML has no libyaml"
    with mock.patch.object(yaml.constructor, "__file__", yaml.resolver.__file__):
        assert yaml_load.known_pyyaml() == (f"the loader of PyYAML {yaml.__version__} is not known")


@pytest.mark.skipif(
    not hasattr(yaml._yaml, "_set_max_nest_level"), reason="libyaml has no limit of nesting"
)
@pytest.mark.parametrize("limit", [-(2**31), -1, 0, 1, 3, 63, 64, 65, 66, 127])
def test_a_lower_limit_of_nesting_is_libyamls_to_judge(limit):
    texts = ["1", "a: [b]", "- - - - a", "[" * 63 + "]" * 63, "- " * 63 + "a"]
    before = yaml._yaml._get_max_nest_level()
    for name in NAMES:
        try:
            yaml._yaml._set_max_nest_level(limit)
            for text in texts:
                assert not compare(name, call(text)).rust
        finally:
            yaml._yaml._set_max_nest_level(before)
        for text in texts:
            assert compare(name, call(text)).rust


def refused(*args, **kwargs):
    raise RuntimeError("refused by a test")


class Loader(yaml.CSafeLoader):
    pass


CONSTRUCTOR = yaml.constructor.SafeConstructor


@pytest.mark.parametrize(
    ("target", "name", "replacement"),
    [
        (yaml, "load", refused),
        (yaml, "load_all", refused),
        (yaml, "CSafeLoader", Loader),
        (yaml.cyaml, "SafeConstructor", yaml.constructor.BaseConstructor),
        (yaml.constructor, "ScalarNode", yaml.SequenceNode),
        (yaml.constructor, "isinstance", refused),
        (yaml.resolver, "ScalarNode", yaml.SequenceNode),
        (yaml._yaml, "ScalarNode", refused),
        (yaml._yaml, "MappingNode", refused),
        (yaml.nodes.ScalarNode, "__init__", refused),
        (yaml.CSafeLoader, "__init__", refused),
        (yaml.CSafeLoader, "resolve", refused),
        (yaml.CSafeLoader, "yaml_constructors", {}),
        (yaml.CSafeLoader, "get_single_data", refused),
        (CONSTRUCTOR, "construct_yaml_int", refused),
        (CONSTRUCTOR, "inf_value", 1.0),
        (CONSTRUCTOR, "bool_values", {"yes": 7}),
        (CONSTRUCTOR, "yaml_constructors", {}),
        (yaml.constructor.BaseConstructor, "construct_document", refused),
        (yaml.resolver.BaseResolver, "DEFAULT_SCALAR_TAG", "tag:yaml.org,2002:null"),
        (yaml.resolver.Resolver, "yaml_implicit_resolvers", {}),
    ],
)
def test_what_the_originals_read_is_guarded(target, name, replacement):
    for function in NAMES:
        route = proxy_of(function)._self_route
        assert compare(function, call("a: 1")).rust
        with mock.patch.object(target, name, replacement, create=True):
            rust = route.counts()[0]
            with contextlib.suppress(Exception):
                proxy_of(function)("a: 1")
            assert route.counts()[0] == rust, f"{target.__name__}.{name} isn't guarded"
        assert compare(function, call("a: 1")).rust


def constructed(loader, node):
    return "constructed by a test"


@pytest.mark.parametrize(
    ("registry", "change"),
    [
        (CONSTRUCTOR.yaml_constructors, {"tag:yaml.org,2002:int": constructed}),
        (CONSTRUCTOR.yaml_constructors, {"tag:yaml.org,2002:map": constructed}),
        (CONSTRUCTOR.bool_values, {"yes": 7}),
        (yaml.resolver.Resolver.yaml_implicit_resolvers, {"1": []}),
        (yaml.resolver.Resolver.yaml_implicit_resolvers, {"q": [("!q", re.compile("q"))]}),
        (yaml.resolver.BaseResolver.yaml_path_resolvers, {((), None): "tag:yaml.org,2002:str"}),
    ],
)
def test_registries_of_the_loader_are_guarded(registry, change):
    text = "a: 1\nyes: yes\n"
    for name in NAMES:
        assert compare(name, call(text)).rust
        with mock.patch.dict(registry, change):
            assert not compare(name, call(text)).rust
            assert yaml_load.known_pyyaml() is not None
        assert yaml_load.known_pyyaml() is None
        assert compare(name, call(text)).rust


def test_resolvers_may_change_in_place():
    found = yaml.resolver.Resolver.yaml_implicit_resolvers["1"]
    for name in NAMES:
        found.insert(0, ("tag:yaml.org,2002:str", re.compile("12")))
        try:
            assert not compare(name, call("a: 12")).rust
        finally:
            del found[0]
        assert compare(name, call("a: 12")).rust


def test_a_missing_libyaml_is_remembered():
    applicability.require("safe_load")
    from sky.utils import yaml_utils

    for name in NAMES:
        assert compare(name, call("a: 1")).rust
        with mock.patch.object(yaml_utils, "_c_extension_unavailable", True):
            assert not compare(name, call("a: 1")).rust
        assert compare(name, call("a: 1")).rust


def test_functions_that_call_the_loader():
    applicability.require("safe_load")
    from sky.utils import yaml_utils

    for name, inner in (("read_yaml_str", "safe_load"), ("read_yaml_all_str", "safe_load_all")):
        assert compare(name, call("a: 1")).rust
        with mock.patch.object(yaml_utils, inner, return_value=[7]):
            assert proxy_of(name)("a: 1") == [7]
        assert compare(name, call("a: 1")).rust


# Wrong candidates, each right for most texts


def wrong(change=lambda text: text, after=lambda value: value, loader=yaml.CSafeLoader):
    def candidate(stream):
        if type(stream) is not str:
            return NotImplemented
        try:
            return after(yaml.load(change(stream), Loader=loader))
        except Exception:
            return NotImplemented

    return candidate


def everywhere(change):
    def walk(value):
        if type(value) is dict:
            return {change(walk(k)): walk(v) for k, v in value.items()}
        if type(value) is list:
            return [walk(item) for item in value]
        return change(value)

    return walk


class Octal(yaml.CSafeLoader):
    pass


Octal.add_constructor(
    "tag:yaml.org,2002:int",
    lambda loader, node: int(node.value.replace("_", ""), 0) if node.value != "017" else 17,
)


def in_reverse(value):
    return dict(reversed(value.items())) if type(value) is dict else value


WRONG = {
    "nothing": lambda stream: None,
    "the pure loader's base": wrong(loader=yaml.CBaseLoader),
    "no booleans": wrong(after=everywhere(lambda v: v if type(v) is not bool else int(v))),
    "floats that are whole": wrong(
        after=everywhere(
            lambda v: (
                int(v) if type(v) is float and v == v and abs(v) < 1e300 and v == int(v) else v
            )
        )
    ),
    "other integers": wrong(loader=Octal),
    "keys in reverse": wrong(after=in_reverse),
    "no line break at the end": wrong(
        after=everywhere(lambda v: v.rstrip("\n") if type(v) is str else v)
    ),
    "no comments within lines": wrong(change=lambda text: text.replace(" #", "  ")),
    "the empty text": wrong(after=lambda value: value or None),
}


@pytest.mark.parametrize("label", WRONG)
def test_wrong_candidates_are_noticed(label):
    noticed = None
    with planted("safe_load", WRONG[label]):
        for run in (test_of_task_files, test_of_texts, test_of_anything):
            try:
                run.run(share=0, **HASTY)
            except AssertionError as error:
                noticed = str(error)
                break
    assert noticed is not None, f"no property noticed: {label}"
    assert "safe_load(" in noticed, noticed
