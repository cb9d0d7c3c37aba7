"""The list of known differences: strict, and each complaint says where and what would be right."""

import datetime
import platform

import pytest
import yaml

from pytest_skyrs._model.accepted_differences import BadEntry, load, propose

FULL = {"test": "test_it.py::test", "reason": "it rounds", "issue": "#1"}
TODAY = datetime.date.today()
TEST = "tests/test_it.py::test_one[a-1]"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "skyrs-known.yaml"


@pytest.fixture
def read(path):
    """Reads entries that are given as Python objects, or a whole text."""

    def read(*entries, text=None, skypilot="0.14.1"):
        path.write_text(yaml.safe_dump(list(entries)) if text is None else text)
        return load(path, skypilot)

    return read


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "[]"])
def test_no_entries(read, text):
    assert read(text=text) == []


def test_what_an_entry_says(read):
    (entry,) = read({**FULL, "function": "m.f", "observable": "call", "issue": 12})
    assert (entry.number, entry.reason, entry.issue) == (1, "it rounds", "12")
    assert (entry.used, entry.seen) == (0, 0)
    assert entry.describe() == "entry 1 (test test_it.py::test, function m.f, observable call)"


def test_entries_keep_their_numbers(read):
    elsewhere = {**FULL, "condition": {"skypilot": "<0.1"}}
    assert [entry.number for entry in read(elsewhere, FULL, elsewhere, FULL)] == [2, 4]


# Each error message.

KEYS = "condition, expires, function, issue, observable, reason, test, verdict"


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("a text", f"'a text' is no mapping of {KEYS}"),
        (["test"], f"['test'] is no mapping of {KEYS}"),
        (None, f"None is no mapping of {KEYS}"),
        ({**FULL, "tests": "x"}, f"tests means nothing; there are {KEYS}"),
        ({**FULL, "b": 1, "a": 1}, f"a, b means nothing; there are {KEYS}"),
        ({**FULL, 3: 1}, f"3 means nothing; there are {KEYS}"),
        ({**FULL, "reason": ""}, "it has no reason; say why the difference is accepted"),
        ({**FULL, "reason": " \n"}, "it has no reason; say why the difference is accepted"),
        ({**FULL, "reason": None}, "it has no reason; say why the difference is accepted"),
        ({**FULL, "issue": ""}, "it has no issue; say why the difference is accepted"),
        ({"test": "a", "reason": "b"}, "it has no issue; say why the difference is accepted"),
        ({"reason": "a", "issue": "b"}, "it names neither a test nor a function"),
        ({**FULL, "test": ""}, "it names neither a test nor a function"),
        (
            {"observable": "stdout", "reason": "a", "issue": "b"},
            "it names neither a test nor a function",
        ),
        ({**FULL, "test": ["a"]}, "test is ['a'], not a text"),
        ({**FULL, "function": 3}, "function is 3, not a text"),
        ({**FULL, "observable": None}, "observable is None, not a text"),
        (
            {**FULL, "verdict": "different"},
            "verdict 'different' is none of diverged, rust-unstable, crashed, collection-diverged",
        ),
        (
            {**FULL, "verdict": None},
            "verdict None is none of diverged, rust-unstable, crashed, collection-diverged",
        ),
        (
            {**FULL, "verdict": "flaky-control"},
            "verdict 'flaky-control' is none of diverged, rust-unstable, crashed, "
            "collection-diverged",
        ),
        ({**FULL, "expires": "soon"}, "expires 'soon' is no date like 2027-01-31"),
        ({**FULL, "expires": 2027}, "expires 2027 is no date like 2027-01-31"),
        (
            {**FULL, "expires": datetime.datetime(2099, 1, 2)},
            "expires datetime.datetime(2099, 1, 2, 0, 0) is no date like 2027-01-31",
        ),
        (
            {**FULL, "expires": datetime.date(2024, 1, 2)},
            "it expired on 2024-01-02; mend the difference or look again",
        ),
        (
            {**FULL, "condition": ">=0.13"},
            "condition '>=0.13' is no mapping of skypilot and python",
        ),
        (
            {**FULL, "condition": {"platform": "linux"}},
            "condition {'platform': 'linux'} is no mapping of skypilot and python",
        ),
        (
            {**FULL, "condition": {"skypilot": "0.13"}},
            "skypilot: '0.13' is no version specifier like '>=0.13,<0.15'",
        ),
        (
            {**FULL, "condition": {"python": 3.9}},
            "python: 3.9 is no version specifier like '>=0.13,<0.15'",
        ),
        (
            {**FULL, "condition": {"python": None}},
            "python: None is no version specifier like '>=0.13,<0.15'",
        ),
    ],
)
def test_complaints_name_file_entry_and_remedy(read, path, entry, complaint):
    for before in range(2):
        with pytest.raises(BadEntry) as caught:
            read(*[FULL] * before, entry)
        assert str(caught.value) == f"{path}, entry {before + 1}: {complaint}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("test: a\nreason: b\n", "it holds a dict, not a list of entries"),
        ("just a text", "it holds a str, not a list of entries"),
        ("3", "it holds a int, not a list of entries"),
        ("- test: [", "while parsing a flow node"),
        ("- !!python/object:os.system {}", "could not determine a constructor"),
        ("a\tb: \x01", "special characters are not allowed"),
    ],
)
def test_complaints_about_the_whole_file(read, path, text, complaint):
    with pytest.raises(BadEntry) as caught:
        read(text=text)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


def test_a_file_that_is_no_text(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadEntry, match=r"skyrs-known\.yaml: .*can't decode"):
        load(path, None)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_cannot_be_read(path, kind):
    if kind == "folder":
        path.mkdir()
    with pytest.raises(BadEntry, match=r"skyrs-known\.yaml: \[Errno"):
        load(path, None)


def test_an_entry_that_expires_is_good_until_then(read):
    assert read({**FULL, "expires": TODAY})
    assert read({**FULL, "expires": TODAY + datetime.timedelta(1)})
    with pytest.raises(BadEntry, match="it expired on"):
        read({**FULL, "expires": TODAY - datetime.timedelta(1)})


MINOR = int(platform.python_version_tuple()[1])


@pytest.mark.parametrize(
    ("condition", "skypilot", "holds"),
    [
        (None, "0.14.1", True),
        ({}, "0.14.1", True),
        ({"skypilot": ">=0.13"}, "0.14.1", True),
        ({"skypilot": ">=0.13,<0.14"}, "0.14.1", False),
        ({"skypilot": ">=0.13"}, "1.0.0.dev20260101", True),
        ({"skypilot": ">=0.13"}, "1.0.0-dev0", True),
        ({"skypilot": ">=0.13"}, None, False),
        ({"skypilot": ""}, None, False),
        ({"python": f">=3.{MINOR}"}, None, True),
        ({"python": f"<3.{MINOR}"}, "0.14.1", False),
        ({"python": f"==3.{MINOR}.*", "skypilot": "<1"}, "0.14.1", True),
        ({"python": f"==3.{MINOR}.*", "skypilot": ">1"}, "0.14.1", False),
    ],
)
def test_conditions(read, condition, skypilot, holds):
    assert len(read({**FULL, "condition": condition}, skypilot=skypilot)) == holds


# What an entry matches.


@pytest.mark.parametrize(
    ("pattern", "test", "matches"),
    [
        ("*", TEST, True),
        ("*test_one*", TEST, True),
        ("tests/test_it.py::*", TEST, True),
        ("tests/test_i?.py::test_one*", TEST, True),
        (TEST, TEST, True),
        ("tests/test_it.py::test_one[a-*]", TEST, True),
        ("tests/test_it.py::test_one[*]", TEST, True),
        ("tests/test_it.py::test_one[b-*]", TEST, False),
        # Brackets are no character class.
        ("tests/test_it.py::test_one[a-1]", "tests/test_it.py::test_onea", False),
        ("tests/test_it.py::test_one[!b]", "tests/test_it.py::test_onea", False),
        ("tests/test_it.py::test_one[!b]", "tests/test_it.py::test_one[!b]", True),
        ("test_it.py::test[[]x]", "test_it.py::test[[]x]", True),
        ("test_it.py::test[?]", "test_it.py::test[]", False),
        ("test_it.py::test[a*b]", "test_it.py::test[a*b]", True),
        ("test_one", TEST, False),
        ("TESTS/*", TEST, False),
        ("tests/test_it.py", "tests/test_it.py", True),
    ],
)
def test_tests_are_matched_by_name_or_wildcards(read, pattern, test, matches):
    (entry,) = read({**FULL, "test": pattern})
    assert entry.speaks_of(test) == matches
    assert entry.matches(test, "diverged", None, "stdout") == matches


@pytest.mark.parametrize(
    ("more", "difference", "matches"),
    [
        ({}, ("diverged", None, "stdout"), True),
        ({}, ("diverged", "m.f", "call"), True),
        ({}, ("rust-unstable", None, "stdout"), False),
        ({}, ("crashed", None, "crash"), False),
        ({"verdict": "rust-unstable"}, ("rust-unstable", None, "stdout"), True),
        ({"verdict": "rust-unstable"}, ("diverged", None, "stdout"), False),
        ({"verdict": "crashed"}, ("crashed", None, "crash"), True),
        ({"function": "m.f"}, ("diverged", "m.f", "call"), True),
        ({"function": "m.*"}, ("diverged", "m.f", "sequence"), True),
        ({"function": "m.f"}, ("diverged", "m.g", "call"), False),
        ({"function": "m.f"}, ("diverged", None, "stdout"), False),
        ({"observable": "call"}, ("diverged", "m.f", "call"), True),
        ({"observable": "std*"}, ("diverged", None, "stderr"), True),
        ({"observable": "call"}, ("diverged", "m.f", "results"), False),
    ],
)
@pytest.mark.parametrize("names_test", [True, False], ids=["of-a-test", "of-any-test"])
def test_what_is_accepted(read, more, difference, matches, names_test):
    entry = {**FULL, **more}
    if not names_test:
        del entry["test"]
        entry.setdefault("function", "*")
    (entry,) = read(entry)
    assert entry.matches(FULL["test"], *difference) == matches
    assert entry.matches("test_other.py::test", *difference) == (matches and not names_test)


# Proposals.


def difference(**more):
    return {
        "test": TEST,
        "function": None,
        "observable": "stdout",
        "verdict": "diverged",
        "python": "a",
        "rust": "b",
        **more,
    }


PROPOSED = [
    difference(),
    difference(function="m.f", observable="call"),
    difference(verdict="rust-unstable"),
    difference(verdict="crashed", observable="crash"),
    difference(test="test_it.py::test[a*b?c]"),
    difference(test="test_it.py::test[: # - 'x' \"y\" \\n é \u2028]"),
    difference(test="test_\udc80.py::test"),
    difference(test="yes"),
    difference(test="1.0"),
]


def test_proposals_are_not_accepted_as_they_are(path):
    path.write_text(propose(PROPOSED), encoding="utf-8")
    with pytest.raises(BadEntry, match="entry 1: it has no reason"):
        load(path, None)


def test_proposals_match_what_was_found_once_they_are_filled_in(path):
    text = propose(PROPOSED)
    text = text.replace("reason: ''", "reason: because").replace("issue: ''", "issue: '#1'")
    path.write_text(text, encoding="utf-8")
    entries = load(path, None)
    assert len(entries) == len(PROPOSED)
    for entry, found in zip(entries, PROPOSED):
        named = [found[name] for name in ("test", "verdict", "function", "observable")]
        assert entry.matches(*named)
        for place in range(4):
            assert not entry.matches(*[*named[:place], "other", *named[place + 1 :]]) or (
                place == 2 and named[2] is None
            )


def test_a_proposal_is_made_once():
    assert propose([difference(), difference(python="c"), difference()]).count("test:") == 1
    assert propose([difference(), difference(observable="stderr")]).count("test:") == 2
