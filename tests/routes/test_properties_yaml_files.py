"""safe_load of open files against its original: answers, and what is left of the file."""

import io
import pathlib
import random

import open_files
import pytest
import yaml
import yaml_merges
import yaml_texts
from differential import HASTY, any_text, calls, compare, either, planted, property_test, proxy_of
from hypothesis import strategies as st
from one_call import call

BLOCK = "a: |\n"
ASCII = "a: 1\nb: [x, y]\nc: {d: 'e'}\n"
#: By what they take of libyaml's buffer, of the file's chunks, and of UTF-8.
TEXTS = {
    "empty": "",
    "one": "1",
    "two": "é",
    "ascii": ASCII,
    "latin": "é: ü\nb: 1\n",
    "wide": "語: 1\nご: '\U0001f600'\n# 語\n",
    "anchors": "a: &a {b: 1}\nc: *a\n<<: *a\n",
    "chunk": BLOCK + "  line\n" * 1169 + "b: 12",
    "16 KiB less": "a: " + "b" * (16384 - 4) + "\n",
    "16 KiB": "a: " + "b" * (16384 - 3),
    "16 KiB and more": "a: " + "b" * 16384,
    "cut": "a: x" + "語" * 20000,
    "cut elsewhere": "a: xy" + "語" * 20000 + "\nb: \U0001f600",
    "much": BLOCK + "  lineé\n" * 9000 + "b: 1\n",
}
LEFT = {
    "returns": "a: 1\r\nb: 2\r\n",
    "marked": "\ufeffa: 1\n",
    "broken": "a: [\n",
    "broken late": BLOCK + "  lineé\n" * 9000 + "]\n",
    "broken early": "]\n" + BLOCK + "  line\n" * 9000,
    "two documents": "a\n---\nb\n",
    "a date": "a: 2001-12-14\n",
    "no UTF-8": b"a: 1\nb: \xff\n",
    "no UTF-8, late": BLOCK.encode() + b"  line\n" * 9000 + b"\xff\n",
    "half a character": "a: é".encode()[:-1],
    "NUL": "a: \0\n",
    "a surrogate": "a: \udc80\n",
}

seeded = st.integers(0, 2**64 - 1).map(random.Random)
texts = either(
    st.sampled_from([*TEXTS.values(), *LEFT.values()]),
    seeded.map(yaml_texts.text),
    seeded.map(yaml_merges.text),
    any_text,
)


@st.composite
def files(draw):
    """A file of any kind, at any position."""
    before = draw(st.sampled_from(list(open_files.BEFORE)))
    content = draw(texts)
    if draw(st.integers(0, 3)) == 0:
        return open_files.opened(content, draw(st.sampled_from(list(open_files.KINDS))), before)
    options = draw(st.sampled_from((*open_files.PLAIN, *open_files.PLAIN, *open_files.OTHER)))
    return open_files.opened(content, None, before, **options)


surroundings = either(
    st.just(()),
    st.just(()),
    st.sampled_from(list(open_files.MEANWHILE)).map(lambda name: (open_files.meanwhile(name),)),
)


@property_test(calls({"stream": files()}, around=surroundings), examples=250, share=0.1)
def test_of_files(given):
    compare("safe_load", given)


@pytest.mark.parametrize("text", TEXTS)
def test_rust_answers_for_a_file_that_was_just_opened(text):
    for options in open_files.PLAIN:
        given = call(open_files.opened(TEXTS[text], **options))
        assert compare("safe_load", given).rust, options
    for before in ("seek to 0", "seek to the end", "read all", "read all, seek to 0"):
        given = call(open_files.opened(TEXTS[text], None, before, encoding="utf-8"))
        assert compare("safe_load", given).rust, before


@pytest.mark.parametrize("before", open_files.BEFORE)
def test_at_every_position(before):
    for content in (*map(TEXTS.get, ("two", "ascii", "cut", "much")), *LEFT.values()):
        given = call(open_files.opened(content, None, before, encoding="utf-8"))
        compare("safe_load", given)
    for options in (*open_files.PLAIN, *open_files.OTHER):
        for content in (TEXTS["wide"], LEFT["returns"]):
            compare("safe_load", call(open_files.opened(content, None, before, **options)))


@pytest.mark.parametrize("before", ["readline", "readline, tell", "next", "peek", "seek to 3"])
def test_rust_answers_for_the_rest_of_a_short_file(before):
    text = "# a\nb: 1\nc: [d]\n"
    assert compare("safe_load", call(open_files.opened(text, None, before, encoding="utf-8"))).rust


@pytest.mark.parametrize("kind", open_files.KINDS)
def test_of_every_kind(kind):
    taken = {"by hand", "by hand, of its layers", "by descriptor", "small chunks"}
    for before in ("nothing", "seek to 3", "readline", "next", "peek", "detach", "cut"):
        for content in (ASCII, LEFT["broken"], LEFT["no UTF-8"]):
            outcome = compare("safe_load", call(open_files.opened(content, kind, before)))
            assert not outcome.rust or kind in taken
    assert compare("safe_load", call(open_files.opened(ASCII, kind))).rust is (kind in taken)


@pytest.mark.parametrize("name", open_files.MEANWHILE)
def test_reads_that_go_another_way(name):
    """Nobody can foresee them: the original goes on from what was read."""
    around = (open_files.meanwhile(name),)
    for content in (*TEXTS.values(), *LEFT.values()):
        for before in ("nothing", "readline"):
            given = call(open_files.opened(content, None, before, encoding="utf-8"))
            compare("safe_load", given._replace(around=around))


def test_a_file_that_changes_before_it_is_read(tmp_path):
    """What is handed over then is the file, in all that the original asks of it."""
    proxy = proxy_of("safe_load")
    path = tmp_path / "task.yaml"
    for changed, expected in (("b: 2\n", {"a": 1}), ("b: [", {"a": 1})):
        path.write_text("# long\na: 1\n")
        with path.open(encoding="utf-8") as file:
            file.readline()
            path.write_text(changed)
            assert proxy(file) == expected
    path.write_text("# long\na: [\n")
    with path.open(encoding="utf-8") as file:
        file.readline()
        path.write_text("x" * 12)
        before = proxy._self_route.counts()[2].get("file-changed", 0)
        with pytest.raises(yaml.parser.ParserError, match=f'in "{path}", line 2'):
            proxy(file)
        assert proxy._self_route.counts()[2]["file-changed"] == before + 1


def test_the_original_is_given_the_file_itself(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("a: [\n")
    with path.open(encoding="utf-8") as file:
        with pytest.raises(yaml.YAMLError) as caught:
            proxy_of("safe_load")(file)
        given = [entry.locals["stream"] for entry in caught.traceback if "stream" in entry.locals]
        assert given
        assert all(stream is file for stream in given)


def parsed(text):
    return yaml.load(text, Loader=yaml.CSafeLoader)


#: Each gives the right value.
WRONG = {
    "leaves the file where it was": lambda file: parsed(pathlib.Path(file.name).read_text("utf-8")),
    "goes back": lambda file: (parsed(file.read()), file.seek(0))[0],
    "reads the bytes": lambda file: parsed(file.buffer.read().decode()),
    "closes": lambda file: (parsed(file.read()), file.close())[0],
    "reads a line first": lambda file: parsed(file.readline() + file.read()),
    "forgets the newlines": lambda file: (parsed(file.read()), file.seek(0, 2))[0],
}


@pytest.mark.parametrize("label", WRONG)
def test_wrong_candidates_are_noticed(label):
    def candidate(stream):
        if type(stream) is not io.TextIOWrapper:
            return NotImplemented
        try:
            return WRONG[label](stream)
        except Exception:
            return NotImplemented

    with planted("safe_load", candidate), pytest.raises(AssertionError, match="safe_load"):
        test_of_files.run(share=0, **HASTY)


def test_functions_that_open_files(tmp_path):
    from sky.utils import yaml_utils

    route = proxy_of("safe_load")._self_route
    path = tmp_path / "task.yaml"
    path.write_text(ASCII)
    before = route.counts()[0]
    assert yaml_utils.read_yaml(str(path)) == {"a": 1, "b": ["x", "y"], "c": {"d": "e"}}
    assert route.counts()[0] == before + 1
    route = proxy_of("read_yaml_all_str")._self_route
    before = route.counts()[0]
    assert yaml_utils.read_yaml_all(str(path)) == [{"a": 1, "b": ["x", "y"], "c": {"d": "e"}}]
    assert route.counts()[0] == before + 1
