"""What `dump_yaml_str` reads of PyYAML can be changed, and then the original answers."""

import contextlib
import importlib
import importlib.util
import re
import shutil
import sys
import textwrap
from collections import OrderedDict
from pathlib import Path
from unittest import mock

import applicability
import pytest
import yaml
from cases.material import CONFIG
from differential import COMMON, YAML
from support import outcome, run_code

from sky_rs_patch import _testing
from sky_rs_patch._contracts import yaml_dump

#: Where the function is: up to SkyPilot 0.10.0 there is no `yaml_utils`.
HOME = YAML if applicability.skypilot().source(YAML) else COMMON


@pytest.fixture(autouse=True)
def fresh_proxies():
    """Proxies whose guards nobody has derived yet, even if old ones wait for the collector."""
    _testing.reset()


@pytest.fixture
def proxy(enabled):
    return importlib.import_module(HOME).dump_yaml_str


@contextlib.contextmanager
def counting(proxy):
    """Calls by backend while a block runs."""
    route = proxy._self_route
    before = route.counts()
    counted = mock.Mock()
    yield counted
    after = route.counts()
    counted.rust, counted.python = (after[i] - before[i] for i in range(2))


def assert_same(proxy, config=CONFIG, *, rust):
    with counting(proxy) as counted:
        ours = outcome(proxy, config)
    assert ours == outcome(proxy.__wrapped__, config)
    assert (counted.rust, counted.python) == ((1, 0) if rust else (0, 1))


class Loud(yaml.events.ScalarEvent):
    def __init__(self, anchor, tag, implicit, value, **rest):
        super().__init__(anchor, tag, implicit, value.upper(), **rest)


def loud(dumper, data):
    return dumper.represent_scalar("tag:yaml.org,2002:str", data.upper())


def ignore(*_):
    return True


def wrapped(self, text, split=True):
    self.write_indicator("<" + text + ">", True)


REPLACEMENTS = [
    ("yaml.dump", {"return_value": "mocked"}),
    (f"{HOME}.yaml.dump", {"return_value": "mocked"}),
    (f"{HOME}.yaml", {"new": mock.Mock(SafeDumper=object, dump=lambda *_, **__: "mocked")}),
    ("yaml.dump_all", {"return_value": "mocked"}),
    ("yaml.SafeDumper", {"new": yaml.Dumper}),
    (f"{HOME}.yaml.SafeDumper", {"new": yaml.Dumper}),
    (f"{HOME}.isinstance", {"side_effect": lambda *_: True, "create": True}),
    ("yaml.io", {"new": mock.Mock(StringIO=lambda: mock.Mock(getvalue=lambda: "mocked"))}),
    ("io.StringIO", {"new": lambda: mock.Mock(getvalue=lambda: "mocked")}),
    ("yaml.emitter.Emitter.write_plain", {"new": wrapped}),
    ("yaml.SafeDumper.write_plain", {"new": wrapped}),
    ("yaml.SafeDumper.ignore_aliases", {"new": ignore}),
    ("yaml.SafeDumper.ignore_aliases", {"return_value": True}),
    ("yaml.representer.SafeRepresenter.ignore_aliases", {"new": ignore}),
    ("yaml.SafeDumper.DEFAULT_SCALAR_TAG", {"new": "tag:yaml.org,2002:text"}),
    ("yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG", {"new": "tag:yaml.org,2002:omap"}),
    ("yaml.serializer.Serializer.ANCHOR_TEMPLATE", {"new": "anchor%d"}),
    ("yaml.representer.SafeRepresenter.inf_value", {"new": 2.5}),
    ("yaml.serializer.ScalarEvent", {"new": Loud}),
    ("yaml.events.ScalarEvent.__init__", {"new": Loud.__init__}),
    ("yaml.nodes.ScalarNode.__init__", {"side_effect": TypeError}),
    ("yaml.nodes.ScalarNode.start_mark", {"new": 1, "create": True}),
    ("yaml.emitter.ScalarAnalysis", {"side_effect": ValueError}),
    ("yaml.emitter.len", {"side_effect": lambda _: 7, "create": True}),
    ("yaml.representer.str", {"new": repr, "create": True}),
    ("yaml.resolver.Resolver.yaml_implicit_resolvers", {"new": {}}),
    ("yaml.SafeDumper.yaml_implicit_resolvers", {"new": {}}),
    ("yaml.SafeDumper.yaml_representers", {"new": {str: loud}}),
    ("builtins.ord", {"side_effect": lambda _: 65}),
    ("builtins.id", {"side_effect": lambda _: 1}),
]


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize(
    ("path", "options"), REPLACEMENTS, ids=[f"{i}-{p}" for i, (p, _) in enumerate(REPLACEMENTS)]
)
def test_a_replaced_part(path, options, warm, proxy):
    if warm:
        assert_same(proxy, rust=True)
    with mock.patch(path, **options):
        assert_same(proxy, rust=False)
    assert_same(proxy, rust=True)


RESOLVERS = yaml.resolver.Resolver.yaml_implicit_resolvers
REPRESENTERS = yaml.representer.SafeRepresenter.yaml_representers
TEXT = re.compile("^sky.*$")


@contextlib.contextmanager
def dictionary(changed):
    """Restores a dictionary, and the lists in it, as they were."""
    before = {
        key: (value, value[:] if type(value) is list else None) for key, value in changed.items()
    }
    try:
        yield
    finally:
        changed.clear()
        for key, (value, content) in before.items():
            if content is not None:
                value[:] = content
            changed[key] = value


@contextlib.contextmanager
def own_registries():
    """Takes registries off SafeDumper that it had none of before."""
    try:
        yield
    finally:
        for name in ("yaml_implicit_resolvers", "yaml_representers", "yaml_path_resolvers"):
            if name in vars(yaml.SafeDumper):
                delattr(yaml.SafeDumper, name)


CHANGES = {
    "representer of SafeDumper": (
        own_registries,
        lambda: yaml.SafeDumper.add_representer(str, loud),
    ),
    "representer by yaml": (
        own_registries,
        lambda: yaml.add_representer(str, loud, Dumper=yaml.SafeDumper),
    ),
    "representer of SafeRepresenter": (
        lambda: dictionary(REPRESENTERS),
        lambda: yaml.representer.SafeRepresenter.add_representer(str, loud),
    ),
    "a representer in place": (
        lambda: dictionary(REPRESENTERS),
        lambda: REPRESENTERS.update({float: loud}),
    ),
    "a representer gone": (lambda: dictionary(REPRESENTERS), lambda: REPRESENTERS.pop(type(None))),
    "resolver of SafeDumper": (
        own_registries,
        lambda: yaml.SafeDumper.add_implicit_resolver("!sky", TEXT, ["s"]),
    ),
    "resolver of SafeDumper, any first": (
        own_registries,
        lambda: yaml.SafeDumper.add_implicit_resolver("!sky", TEXT, None),
    ),
    "resolver by yaml": (
        own_registries,
        lambda: yaml.add_implicit_resolver(
            "!sky", TEXT, ["s"], Dumper=yaml.SafeDumper, Loader=yaml.SafeLoader
        ),
    ),
    "new first character": (
        lambda: dictionary(RESOLVERS),
        lambda: yaml.resolver.Resolver.add_implicit_resolver("!sky", TEXT, ["s"]),
    ),
    "known first character": (
        lambda: dictionary(RESOLVERS),
        lambda: yaml.resolver.Resolver.add_implicit_resolver("!sky", re.compile("é"), ["1"]),
    ),
    "a list in place": (lambda: dictionary(RESOLVERS), lambda: RESOLVERS["o"].clear()),
    "an item in place": (
        lambda: dictionary(RESOLVERS),
        lambda: RESOLVERS["o"].__setitem__(0, ("!sky", TEXT)),
    ),
    "the recipe against booleans": (
        lambda: dictionary(RESOLVERS),
        lambda: [RESOLVERS.update({first: RESOLVERS[first][1:]}) for first in "yYnNtTfFoO"],
    ),
    "a path resolver": (
        own_registries,
        lambda: yaml.SafeDumper.add_path_resolver("!sky", ["name"], str),
    ),
    "a path resolver for all": (
        lambda: dictionary(yaml.resolver.BaseResolver.yaml_path_resolvers),
        lambda: yaml.resolver.BaseResolver.add_path_resolver("!sky", ["name"], str),
    ),
    "an escape": (
        lambda: dictionary(yaml.emitter.Emitter.ESCAPE_REPLACEMENTS),
        lambda: yaml.emitter.Emitter.ESCAPE_REPLACEMENTS.update({"é": "e"}),
    ),
    "a tag prefix": (
        lambda: dictionary(yaml.emitter.Emitter.DEFAULT_TAG_PREFIXES),
        lambda: yaml.emitter.Emitter.DEFAULT_TAG_PREFIXES.clear(),
    ),
}


@pytest.mark.parametrize("warm", [False, True], ids=["first-call", "called-before"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_registry(name, warm, proxy):
    restoring, change = CHANGES[name]
    if warm:
        assert_same(proxy, rust=True)
    with restoring():
        change()
        assert_same(proxy, rust=False)
        assert_same(proxy, rust=False)
    assert_same(proxy, rust=True)


@pytest.mark.parametrize("name", ["resolver of SafeDumper", "representer of SafeDumper"])
def test_what_was_changed_is_seen_to_change_again(name, proxy):
    restoring, change = CHANGES[name]
    with restoring():
        change()
        assert_same(proxy, rust=False)
        # In place this time, since SafeDumper has registries of its own now.
        change()
        assert_same(proxy, rust=False)


def test_representers_of_other_types_dont_matter(proxy):
    config = {"a": OrderedDict(b=1)}
    with own_registries():
        yaml.SafeDumper.add_representer(
            OrderedDict, lambda dumper, data: dumper.represent_dict(dict(data))
        )
        assert_same(proxy, rust=True)
        assert_same(proxy, config, rust=False)


def test_other_dumpers_dont_matter(proxy):
    class Own(yaml.SafeDumper):
        pass

    assert_same(proxy, rust=True)
    Own.add_representer(str, loud)
    Own.add_implicit_resolver("!sky", TEXT, ["s"])
    Own.ignore_aliases = ignore
    assert_same(proxy, rust=True)


def test_a_lower_recursion_limit(proxy):
    limit = sys.getrecursionlimit()
    assert_same(proxy, rust=True)
    sys.setrecursionlimit(900)
    try:
        assert_same(proxy, rust=False)
    finally:
        sys.setrecursionlimit(limit)


def test_everything_is_watched(proxy):
    proxy(CONFIG)
    labels = set(proxy._self_route.guard_labels())
    assert proxy._self_route.guard_problem() is None
    assert {
        *("yaml.dump", "yaml.dump_all", "yaml.SafeDumper", "io.StringIO", "yaml.io"),
        *("yaml.emitter", "yaml.serializer", "yaml.representer", "yaml.resolver", "yaml.dumper"),
        *("yaml.emitter.Emitter", "yaml.serializer.Serializer", "yaml.resolver.BaseResolver"),
        *("yaml.representer.SafeRepresenter", "yaml.representer.BaseRepresenter"),
        *("yaml.resolver.Resolver", "yaml.dumper.SafeDumper", "yaml.emitter.ScalarAnalysis"),
        *("yaml.events.MappingStartEvent", "yaml.nodes.Node", "yaml.SafeDumper.yaml_representers"),
        *("yaml.SafeDumper.yaml_implicit_resolvers", "builtins.isinstance", "builtins.super"),
    } <= labels


def test_the_builtins_are_those_that_pyyaml_reads():
    """Of the methods that a dump calls, whatever the Python."""
    import builtins
    from types import FunctionType

    from sky_rs_patch._binding.bytecode import global_chains

    unread = ("add_", "represent_yaml", "represent_date", "represent_undefined")
    unread += ("check_resolver", "prepare_version", "represent_binary")
    functions = [yaml.dump, yaml.dump_all]
    for cls in yaml.SafeDumper.__mro__[:-1]:
        functions += [
            value
            for name, value in vars(cls).items()
            if type(value) is FunctionType and not name.startswith(unread)
        ]
    read = {chain[0] for function in functions for chain in global_chains(function.__code__)}
    expected = {f"builtins.{name}" for name in read if hasattr(builtins, name)} - {
        # Where sorting fails; keys aren't sorted.
        "builtins.TypeError"
    }
    assert expected <= set(yaml_dump.READS)


UNKNOWN = {
    "another PyYAML": """
        import yaml.emitter, pathlib
        other = pathlib.Path(folder, "emitter.py")
        other.write_text(pathlib.Path(yaml.emitter.__file__).read_text() + "# patched")
        yaml.emitter.__file__ = str(other)
    """,
    "a method from elsewhere": """
        import functools, yaml
        method = yaml.emitter.Emitter.write_plain
        @functools.wraps(method)
        def write_plain(self, *rest, **more):
            return method(self, *rest, **more)
        yaml.emitter.Emitter.write_plain = write_plain
    """,
    "one method for another": """
        import yaml
        yaml.emitter.Emitter.write_plain = yaml.emitter.Emitter.write_single_quoted
    """,
    "a method less": """
        import yaml
        del yaml.representer.SafeRepresenter.ignore_aliases
    """,
    "another class of events": """
        import yaml.serializer
        class ScalarEvent(yaml.serializer.ScalarEvent):
            pass
        ScalarEvent.__module__ = "yaml.events"
        yaml.serializer.ScalarEvent = ScalarEvent
    """,
    "another dump": """
        import yaml
        plain = yaml.dump_all
        def dump_all(*arguments, **options):
            return plain(*arguments, **options)
        dump_all.__module__ = "yaml"
        yaml.dump_all = dump_all
    """,
    "a new attribute": """
        import yaml
        yaml.SafeDumper.best = 4
    """,
}


@pytest.fixture
def small_skypilot(tmp_path):
    """A package `sky` of nothing but the target's module: importing the rest takes seconds."""
    if HOME != YAML:
        pytest.skip("this SkyPilot has no yaml_utils, and common_utils needs the rest of it")
    installed = Path(importlib.util.find_spec("sky").origin).parent
    for module in ("utils/yaml_utils.py", "adaptors/common.py"):
        copied = tmp_path / "sky" / module
        copied.parent.mkdir(parents=True)
        shutil.copy(installed / module, copied)
        (copied.parent / "__init__.py").touch()
    (tmp_path / "sky" / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_pyyaml_that_is_not_the_known_one(name, small_skypilot):
    program = f"""
        import sys
        folder = sys.argv[1]
        {textwrap.dedent(UNKNOWN[name]).replace(chr(10), chr(10) + " " * 8)}
        import sky_rs_patch
        sky_rs_patch.enable()
        from sky.utils import yaml_utils
        dump = yaml_utils.dump_yaml_str
        assert dump({{"a": 1, "b": [1]}}) == dump.__wrapped__({{"a": 1, "b": [1]}})
        print(dump._self_route.counts()[0], dump._self_route.guard_problem())
    """
    environment = {"PYTHONPATH": str(small_skypilot)}
    printed = run_code(textwrap.dedent(program), small_skypilot, environment=environment)
    rust, problem = printed.split(maxsplit=1)
    assert rust == "0", problem
    assert "derived" not in problem
