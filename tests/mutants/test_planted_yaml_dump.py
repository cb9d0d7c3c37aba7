"""The properties of `dump_yaml_str` notice dumps that are right for most documents."""

import copy

import pytest
import test_properties_yaml_dump as properties
import yaml
from differential import HASTY, planted

PROPERTIES = [
    properties.test_dump_yaml_str_of_texts_at_every_place,
    properties.test_dump_yaml_str_of_trees,
    properties.test_dump_yaml_str_of_shared_objects,
    properties.test_dump_yaml_str_of_several_documents,
    properties.test_dump_yaml_str_of_generated_documents,
    properties.test_dump_yaml_str_of_scalars,
    properties.test_dump_yaml_str_of_anything,
]


class Right(yaml.SafeDumper):
    """An empty line below each entry of the first level."""

    def write_line_break(self, *given):
        for arguments in [given, ()][: 2 if len(self.indents) == 1 else 1]:
            super().write_line_break(*arguments)


def dump(config, dumper=Right, **options):
    function = yaml.dump_all if isinstance(config, list) else yaml.dump
    return function(config, Dumper=dumper, **{"sort_keys": False, **options})


def dumper(**attributes):
    return type("Wrong", (Right,), attributes)


def without(*tags):
    """The implicit resolvers, but for some."""
    return {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(tags)]
        for first, found in Right.yaml_implicit_resolvers.items()
    }


def float_by_repr(self, data):
    return self.represent_scalar("tag:yaml.org,2002:float", repr(data))


def only_first_level(self, data=None):
    Right.write_line_break(self, data)
    if len(self.indents) == 2:
        yaml.SafeDumper.write_line_break(self)


def simple_key(self):
    """Keys of up to 128 characters, tag left out."""
    event = self.event
    if isinstance(event, yaml.ScalarEvent) and 120 < len(event.value) < 128:
        self.analysis = self.analyze_scalar(event.value)
        return not self.analysis.multiline
    return Right.check_simple_key(self)


def escape_lowercase(config):
    text = dump(config)
    return text.replace("\\xE9", "\\xe9")


def with_effect(config):
    text = dump(config)
    if type(config) is dict and len(config) == 3:
        config["effect"] = 1
    return text


WRONG = {
    "width 79": lambda config: dump(config, width=79),
    "width 81": lambda config: dump(config, width=81),
    "another indent": lambda config: dump(config, indent=4),
    "characters as they are": lambda config: dump(config, allow_unicode=True),
    "sorted keys": lambda config: dump(config, sort_keys=True),
    "flow style where it fits": lambda config: dump(config, default_flow_style=None),
    "no empty lines": lambda config: dump(config, yaml.SafeDumper),
    "more empty lines": lambda config: dump(config, dumper(write_line_break=only_first_level)),
    "no aliases": lambda config: dump(config, dumper(ignore_aliases=lambda self, data: True)),
    "copied first": lambda config: dump(copy.copy(config)) and dump(json_like(config)),
    "aliases of empty tuples": lambda config: dump(
        config,
        dumper(ignore_aliases=lambda self, data: not isinstance(data, (dict, list, tuple))),
    ),
    "floats by repr": lambda config: dump(
        config, dumper(yaml_representers={**Right.yaml_representers, float: float_by_repr})
    ),
    "times are text": lambda config: dump(
        config, dumper(yaml_implicit_resolvers=without("timestamp"))
    ),
    "merge keys are text": lambda config: dump(
        config, dumper(yaml_implicit_resolvers=without("merge", "value"))
    ),
    "longer simple keys": lambda config: dump(config, dumper(check_simple_key=simple_key)),
    "no end of document": lambda config: dump(config).removesuffix("...\n"),
    "one document": lambda config: yaml.dump(config, Dumper=Right, sort_keys=False),
    "escapes in lower case": escape_lowercase,
    "an effect on the argument": with_effect,
}


def json_like(config):
    """Collections made anew, so that nothing is shared."""
    if type(config) is dict:
        return {key: json_like(value) for key, value in config.items()}
    if type(config) in (list, tuple):
        return type(config)(map(json_like, config))
    return config


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_dump_is_noticed(name):
    with planted(properties.DUMP, WRONG[name]):
        noticed = []
        for run in PROPERTIES:
            try:
                run.run(max_examples=400, share=0, **HASTY)
            except AssertionError as error:
                noticed.append(str(error))
                break
    assert noticed, f"no property noticed {name}"
    assert noticed[0].startswith(f"{properties.DUMP}("), noticed[0]


def test_the_right_dump_passes():
    with planted(properties.DUMP, dump):
        for run in PROPERTIES[:-1]:
            run.run(max_examples=60, share=0, **HASTY)
