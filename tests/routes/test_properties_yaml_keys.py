"""check_no_duplicate_keys against its original: Rust may only say that there are none."""

import contextlib
import io
import random
from unittest import mock

import pytest
import yaml
import yaml_merges
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

from sky_rs_patch._contracts import yaml_compose

NAME = "check_no_duplicate_keys"

seeded = st.integers(0, 2**64 - 1).map(random.Random)
#: Long texts from a seed, and short ones that Hypothesis can shrink.
texts = either(
    seeded.map(yaml_texts.text),
    seeded.map(yaml_merges.text),
    st.randoms(use_true_random=False).map(yaml_texts.text),
    st.lists(st.sampled_from([*"ab:-?[]{},#&*!|>'\"\\ \n", ": ", "- ", "\n  ", "\n"])).map("".join),
)


@st.composite
def tasks(draw):
    """Task files as people write them, all keys different."""
    rng = draw(seeded)
    style = yaml_texts.Style(0.0, 2, "\n")
    plain = [f"key{number}" for number in range(rng.randint(1, 6))]
    lines = ["# A task."]
    for key in plain:
        lines.append(f"{key}: {rng.choice(['1', 'text', '8+', '{a: 1, b: [x, y]}', '&a v', '*a'])}")
        if rng.random() < 0.6:
            lines[-1] = f"{key}:"
            lines += [f"  inner{i}: '{i}'  # {i}" for i in range(rng.randint(1, 4))]
        if rng.random() < 0.4:
            lines.append(f"{key}_run: {yaml_texts.block_scalar(rng, style, 0)}".rstrip("\n"))
    if any(line.endswith("*a") for line in lines):
        lines.insert(1, "anchored: &a x")
        lines = [line for line in lines if "&a v" not in line]
    return "\n".join(lines) + "\n"


@property_test(calls({"yaml_str": tasks()}), examples=300, share=0.95)
def test_of_task_files(given):
    compare(NAME, given)


@property_test(calls({"yaml_str": texts}), examples=900, share=0.15)
def test_of_texts(given):
    compare(NAME, given)


@property_test(
    calls({"yaml_str": either(texts, any_text, odd_values())}, malformed=True), examples=400
)
def test_of_anything(given):
    compare(NAME, given)


DOUBLED = [
    "a: 1\na: 2\n",
    "a: 1\n'a': 2\n",
    'a: 1\n"\\x61": 2\n',
    '"é": 1\n"\\xe9": 2\n',
    "'it''s': 1\n\"it's\": 2\n",
    "{a: 1, a: 2}",
    "{a, a}",
    "{a: 1, ? a : 2}",
    "[{a: 1}, {a: 1, 'a': 2}]",
    "- - - {x: [{a: 1, a: 2}]}\n",
    "a:\n- b: 1\n  b: 2\n",
    "x: 1\n--- \na: 1\na: 1\n",
    "a: |\n  text\na: >-\n  text\n",
    "<<: {}\n<<: {}\n",
    "? a\n: 1\na: 2\n",
    "? [x]\n: {a: 1, a: 2}\n",
    "&x a: 1\na: *x\n",
    "&x a: 1\n*x : 2\n",
    "k: &x\n  a: 1\n  a: 2\n",
    "a:b: 1\na:b: 2\n",
    "a #b: 1\na: 1\na: 2\n",
    "a\r\n: 1\na: 1\r\na: 2\r\n",
    "a: 1\r\na: 2\r\n",
    "a: 1\ra: 2\r",
    "\ufeffa: 1\na: 2\n",
    "a: 1\x85a: 2\n",
    "a: 1\n\u2028a: 2\n",
    "'': 1\n? \n: 2\n",
    "{: 1, '': 2}",
    "".join(f"k{i}: {i}\n" for i in range(50)) + "k17: 0\n",
    "\n".join(f"{'x' * 1020}{c}: 1" for c in "abca"),
    "a: 1\n!!str a: 2\n",
    "%YAML 1.1\n---\na: 1\na: 2\n",
    "---\na: 1\n...\n---\na: 1\na: 2\n...\n",
]


@pytest.mark.parametrize("text", DOUBLED)
def test_the_original_reports_duplicates(text):
    outcome = compare(NAME, call(text))
    assert not outcome.rust


UNIQUE = [
    "",
    "\n",
    "# only a comment",
    "---\n",
    "--- text\n---\n--- |\n literal\n",
    "a: 1\nA: 2\n' a': 3\n",
    "a: {a: {a: [a, a: 1, {a: 2}]}}\n",
    "- a: 1\n- a: 2\n",
    "a: 1\n---\na: 2\n",
    "run: |\n  a: 1\n  a: 2\nsetup: >-\n  b\n\n  b\n",
    "k: 'a: 1\n\n  a: 2'\n",
    "x: a # a: 1\n# x: 2\ny: b\n",
    "a: &x [1]\nb: *x\nc: {d: *x}\n",
    "[a: 1, a: 2]",
    "a: 1\r\nb: 2\r\n",
    "語: 1\nご: 2\n\U0001f600: 3\n",
    "true: 1\nTrue: 2\nyes: 3\n1: 4\n'01': 5\n",
    '"\\ud800": 1\n"\\udfff": 2\n',
    "".join(f"k{i}: {i}\n" for i in range(500)),
    "[" * 60 + "]" * 60,
]


@pytest.mark.parametrize("text", UNIQUE)
def test_rust_answers_ordinary_texts(text):
    outcome = compare(NAME, call(text))
    assert outcome.rust
    assert outcome.observation.result is None


DEEP = [
    "[" * 65 + "]" * 65,
    "[" * 2000 + "]" * 2000,
    "- " * 2000,
    "{a: " * 1000 + "}" * 1000,
    "[a: " * 33 + "]" * 33,
    "\n".join(" " * i + "a:" for i in range(600)),
    "a: &x [*x]\n",
    "".join(f"k{i}: &a{i} {'[' * 30}{f'*a{i - 1}' if i else ''}{']' * 30}\n" for i in range(50)),
    '"\\UFFFFFFFF": 1',
    '"\\U00110000": 1',
    "a: [*unknown]",
    "%YAML 1." + "9" * 5000 + "\n---\na: 1\n",
]


@pytest.mark.parametrize("text", DEEP)
def test_what_may_raise_otherwise_is_left_to_the_original(text):
    assert not compare(NAME, call(text)).rust


def test_other_releases_and_loaders_are_not_known():
    assert yaml_compose.known_pyyaml() is None
    # The sources count, not the number.
    with mock.patch.object(yaml, "__version__", "7.0"):
        assert yaml_compose.known_pyyaml() is None
        with mock.patch.object(yaml.scanner, "__file__", yaml.parser.__file__):
            assert yaml_compose.known_pyyaml() == "the loader of PyYAML 7.0 is not known"
    with mock.patch.object(yaml.compose_all, "__defaults__", (yaml.SafeLoader,)):
        assert yaml_compose.known_pyyaml() == "yaml.compose_all has another loader"


def refused(*args, **kwargs):
    raise RuntimeError("refused by a test")


@pytest.mark.parametrize(
    ("target", "name", "replacement"),
    [
        (yaml, "compose_all", refused),
        (yaml, "MappingNode", yaml.SequenceNode),
        (yaml, "ScalarNode", yaml.SequenceNode),
        (yaml, "YAMLError", KeyError),
        (yaml.composer, "MappingNode", refused),
        (yaml.scanner, "SimpleKey", refused),
        (yaml.scanner.Scanner, "scan_plain", refused),
        (yaml.reader.Reader, "check_printable", refused),
        (yaml.composer.Composer, "compose_node", refused),
        (yaml.parser.Parser, "parse_node", refused),
        (yaml.loader.Loader, "peek", refused),
        (io, "StringIO", lambda text: text),
    ],
)
def test_what_the_original_reads_is_guarded(target, name, replacement):
    route = proxy_of(NAME)._self_route
    assert compare(NAME, call("a: 1")).rust
    with mock.patch.object(target, name, replacement, create=True):
        rust = route.counts()[0]
        with contextlib.suppress(RuntimeError):
            proxy_of(NAME)("a: 1")
        assert route.counts()[0] == rust, f"{target.__name__}.{name} isn't guarded"
    assert compare(NAME, call("a: 1")).rust


@pytest.mark.parametrize(
    ("registry", "change"),
    [
        (yaml.scanner.Scanner.ESCAPE_REPLACEMENTS, {"x": "a"}),
        (yaml.scanner.Scanner.ESCAPE_REPLACEMENTS, {"z": "a"}),
        (yaml.scanner.Scanner.ESCAPE_CODES, {"u": 2}),
        (yaml.resolver.BaseResolver.yaml_path_resolvers, {((), None): "tag"}),
    ],
)
def test_registries_of_the_loader_are_guarded(registry, change):
    text = 'a: 1\n"\\u0061": 2\n'
    assert compare(NAME, call("a: 1")).rust
    with mock.patch.dict(registry, change):
        assert not compare(NAME, call("a: 1")).rust
        compare(NAME, call(text))
        assert yaml_compose.known_pyyaml() is not None
    assert yaml_compose.known_pyyaml() is None
    assert compare(NAME, call("a: 1")).rust


# Wrong candidates, each right for most texts


def walk(node, seen):
    pending = [node]
    # A node may hold itself.
    for _ in range(10_000):
        if not pending:
            return None
        node = pending.pop()
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(set(map(seen, keys))) < len(keys):
                return NotImplemented
            pending += [value for _, value in node.value]
    return NotImplemented


def wrong(nodes_of=lambda text: yaml.compose_all(text), seen=lambda key: key.value):
    def candidate(yaml_str):
        if type(yaml_str) is not str:
            return NotImplemented
        try:
            nodes = list(nodes_of(yaml_str))
        except Exception:
            return None
        for node in nodes:
            if node is not None and walk(node, seen) is NotImplemented:
                return NotImplemented
        return None

    return candidate


def without_flow(text):
    for node in yaml.compose_all(text):
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            yield node


def unmarked(text):
    return yaml.compose_all(text.replace("'", ""))


def lines_only(text):
    return yaml.compose_all("\n".join(line for line in text.split("\n") if "#" not in line))


WRONG = {
    "nothing is ever doubled": lambda yaml_str: None,
    "anything goes": lambda *args, **kwargs: None,
    "only the first document": wrong(lambda text: [yaml.compose(text)]),
    "keys as they are written": wrong(
        seen=lambda key: (key.value, key.style),
    ),
    "keys with their tags": wrong(seen=lambda key: (key.value, key.tag)),
    "no flow collections at the top": wrong(without_flow),
    "no quotes": wrong(unmarked),
    "no lines with comments": wrong(lines_only),
    "no carriage returns": wrong(lambda text: yaml.compose_all(text.replace("\r", ""))),
}


@pytest.mark.parametrize("label", WRONG)
def test_wrong_candidates_are_noticed(label):
    noticed = None
    with planted(NAME, WRONG[label]):
        for run in (test_of_texts, test_of_anything):
            try:
                run.run(share=0, **HASTY)
            except AssertionError as error:
                noticed = str(error)
                break
    assert noticed is not None, f"no property noticed: {label}"
    assert noticed.startswith(f"{NAME}("), noticed


def test_the_texts_are_of_all_kinds():
    """Half of them parse, and many of those have duplicates."""
    rng = random.Random(3)
    original = proxy_of(NAME).__wrapped__
    parsed = doubled = 0
    for _ in range(400):
        text = yaml_texts.text(rng)
        try:
            list(yaml.compose_all(text))
            original(text)
        except yaml.YAMLError:
            continue
        except ValueError:
            doubled += 1
        parsed += 1
    assert parsed > 160
    assert doubled > 40
