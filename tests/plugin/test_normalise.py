"""What the rules take out of texts, and what they must leave there."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_skyrs._model.normalise import RULES, normalise

UUID = "123e4567-e89b-12d3-a456-426614174000"


def both(text):
    counts = Counter()
    return normalise(text, counts), dict(counts)


TAKEN_OUT = [
    ("ansi", "\x1b[31mred\x1b[0m", "<ANSI>red<ANSI>"),
    ("ansi", "\x1b[?25l\x1b[2K", "<ANSI><ANSI>"),
    ("uuid", f"request {UUID}.", "request <UUID1>."),
    ("cluster", "sky-3f2a-me", "sky-<CLUSTER1>-me"),
    ("cluster", "cluster 'dryrun-0badcafe'", "cluster 'dryrun-<CLUSTER1>'"),
    ("address", "<object at 0x7f3c2a1b4d60>", "<object at <ADDRESS1>>"),
    ("address", "id=0xDEADBEEF", "id=<ADDRESS1>"),
    ("pid", "pid 4242", "pid <PID1>"),
    ("pid", "(pid=4242)", "(pid=<PID1>)"),
    ("pid", "PID: 4242,", "PID: <PID1>,"),
    ("pid", "ppid=1", "ppid=<PID1>"),
    ("pid", "{'pid': 4242}", "{'pid': <PID1>}"),
    ("pid", "Killing process 4242", "Killing process <PID1>"),
    ("pid", "Process ID: 4242", "Process ID: <PID1>"),
    ("task", "Task-12 was destroyed", "<TASK1> was destroyed"),
    ("worker", "[gw3] passed", "[<WORKER>] passed"),
    ("worker", "/popen-gw12/test_it0", "/<WORKER>/test_it0"),
    ("tempfile", "/tmp/tmpab12_x9z/file", "/tmp/<TEMPFILE1>/file"),
    ("tempfile", "open('tmpabcdefgh')", "open('<TEMPFILE1>')"),
    ("datetime", "2024-01-02 03:04:05", "<DATETIME>"),
    ("datetime", "2024-01-02T03:04:05.678+00:00 x", "<DATETIME> x"),
    ("datetime", "2024-01-02T03:04:05Z", "<DATETIME>"),
    ("datetime", "I 01-02 03:04:05 cli.py:9]", "I <DATETIME> cli.py:9]"),
    ("datetime", "2024-01-02 03:04:05,678 INFO", "<DATETIME> INFO"),
    ("date", "on 2024-01-02", "on <DATE>"),
    ("date", "sky-2024-01-02-03-04-05-678901", "sky-<DATE>"),
    ("time", "at 3:04:05", "at <TIME>"),
    ("time", "took 0:00:01.234567", "took <TIME>"),
    ("timestamp", "1700000000", "<TIMESTAMP1>"),
    ("timestamp", "at=1700000000.25;", "at=<TIMESTAMP1>;"),
    ("duration", "took 1.5 s", "took <DURATION> s"),
    ("duration", "12.25s.", "<DURATION>s."),
    ("duration", "0.5ms", "<DURATION>ms"),
    ("duration", "1.5e-05 seconds", "<DURATION> seconds"),
    ("duration", "in 2.0 minutes", "in <DURATION> minutes"),
    ("duration", "3.2µs", "<DURATION>µs"),
    ("ratio", "1.5x faster", "<RATIO>x faster"),
    ("port", "http://127.0.0.1:46580/api", "http://127.0.0.1:<PORT1>/api"),
    ("port", "localhost:8080", "localhost:<PORT1>"),
    ("port", "('0.0.0.0', 50011)", "('0.0.0.0', <PORT1>)"),
    ("port", "[::1]:8080", "[::1]:<PORT1>"),
    ("port", "listening on port 8080", "listening on port <PORT1>"),
    ("port", "--port=8080", "--port=<PORT1>"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), TAKEN_OUT)
def test_taken_out(kind, text, expected):
    assert both(text) == (expected, {kind: expected.count("<" + kind.upper())})


def test_every_rule_has_an_example():
    assert [rule.kind for rule in RULES] == list(dict.fromkeys(kind for kind, _, _ in TAKEN_OUT))


@pytest.mark.parametrize(
    "text",
    [
        *("", "plain words", "0", "7", "42", "4242", "46580", "123456789", "12345678901"),
        *("1.5", "0.14.1", "v0.14.1", "3.11.4", "1.5 GB", "2.5 kB", "$1.50", "99.9%"),
        *("1.5.6s", "0.1.5x", "10.0.0.1 s", "a1.5s"),
        *("3 s", "10 seconds", "5 minutes", "1.5 spot", "2.5 msgs", "1.5xl", "p3.2xlarge"),
        *("10.0.0.1", "127.0.0.1", "192.168.1.1:8080", "example.com:8080", "localhost", "::1"),
        *("export 8080", "support 8080", "ports 8080", "port 80", "report: 12345", "import 12345"),
        *("0x1f", "0x12345", "deadbeef", "cafe0x123456z", "x" * 40, "d41d8cd98f00b204e9800998ecf8"),
        *("123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3", "a-b-c-d-e"),
        *("pid", "pid file", "rapid 12", "stupid=3", "cupid: 5", "process", "processes 12"),
        *("pidfile4242", "process group", "preprocess 12", "process-12"),
        *("sky-3f2", "sky-serve", "sky-0123456789", "my-sky-x", "bluesky-3f2a", "skypilot-3f2a"),
        *("tmp", "/tmp", "/tmp/x", "/tmp/template", "tmpfs", "a tmpabcdefgh", "/tmp/tmpfiles"),
        *("gw", "gwen", "mygw0", "gw0x", "Task", "Task-", "Task-x", "SubTask-1", "Task-1a"),
        *("01-02", "1-2-3", "2024", "2024-1-2", "1999-01-02", "3:04", "12:34", "a:b:c", "1:2:3"),
        *("2999999999", "1500000000", "17000000001", "a1700000000", "1700000000a"),
        *("[31m", "\x1b", "\x1b]0;title\x07", "<PID1>", "<TIME>", "test_it[a-1.5-b]"),
        *("tests/test_a.py::test_b", "std::vector", "a::b: c", "x:: 123", "sha256:1234"),
    ],
)  # fmt: skip
def test_left_alone(text):
    assert both(text) == (text, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pid 1, pid 2, pid 1", "pid <PID1>, pid <PID2>, pid <PID1>"),
        ("pid 2, pid 1, pid 2", "pid <PID1>, pid <PID2>, pid <PID1>"),
        ("0x1234567 0x1234568", "<ADDRESS1> <ADDRESS2>"),
        ("port 8080, localhost:8080, port 9090", "port <PORT1>, localhost:<PORT1>, port <PORT2>"),
        ("/tmpaaaaaaaa /tmpbbbbbbbb /tmpaaaaaaaa", "/<TEMPFILE1> /<TEMPFILE2> /<TEMPFILE1>"),
        ("Task-5 Task-6 Task-5", "<TASK1> <TASK2> <TASK1>"),
        ("1700000001 1700000002 1700000001", "<TIMESTAMP1> <TIMESTAMP2> <TIMESTAMP1>"),
        # Neither workers nor durations have anything to do with each other.
        ("gw1 gw2", "<WORKER> <WORKER>"),
        ("1.5 s, 2.5 s", "<DURATION> s, <DURATION> s"),
    ],
)
def test_numbers_show_where_the_same_stands_twice(text, expected):
    assert both(text)[0] == expected


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("pid 1 waits for pid 1", "pid 7 waits for pid 7", True),
        ("pid 1 waits for pid 2", "pid 7 waits for pid 8", True),
        ("pid 1 waits for pid 1", "pid 7 waits for pid 8", False),
        ("took 1.5 s", "took 2.5 s", True),
        ("took 1.5 s", "took 2.5 ms", False),
        ("1.5x of 3", "2.5x of 4", False),
        ("\x1b[31mred", "\x1b[32mred", True),
        ("\x1b[31mred", "red", False),
        (f"{UUID}/a", f"{UUID[:-1]}f/a", True),
        ("2024-01-02 03:04:05 a", "2025-11-12 13:14:15 a", True),
        ("2024-01-02 03:04:05 a", "2025-11-12 13:14:15 b", False),
    ],
)
def test_what_is_the_same_afterwards(left, right, equal):
    assert (both(left)[0] == both(right)[0]) == equal


def test_each_replacement_is_counted():
    counts = Counter(pid=1)
    normalise("pid 1, pid 1, pid 2 in 1.5 s on gw0 and gw1", counts)
    assert counts == {"pid": 4, "duration": 1, "worker": 2}


def test_every_line_is_looked_at():
    assert both("pid 1\npid 2\n") == ("pid <PID1>\npid <PID2>\n", {"pid": 2})
    assert both("2024-01-02\n03:04:05")[0] == "<DATE>\n<TIME>"


PIECES = st.sampled_from(
    [
        *(text for _, text, _ in TAKEN_OUT),
        *(placeholder for _, _, placeholder in TAKEN_OUT),
        *("pid", "port", "::", "localhost", "tmp", "gw", "0x", "-", "1", "12", "1234", "12345678"),
        *(" ", ":", "=", "'", "/", ".", "s", "x", "Z", "+", "\n", "\x1b[", "m", "<", ">", "é"),
    ]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(PIECES, max_size=8), st.sampled_from([" ", "\n", ", ", "/", "-", ":"]))
def test_twice_is_the_same_as_once(pieces, between):
    once = both(between.join(pieces))[0]
    assert both(once) == (once, {})


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_any_text_will_do(text):
    once, counts = both(text)
    assert (once == text) == (not counts)
