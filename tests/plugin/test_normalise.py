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
    ("uuid", f"request_{UUID}", "request_<UUID1>"),
    ("uuid", "id_123e4567e89b42d3a456426614174000", "id_<UUID1>"),
    ("cluster", "sky-3f2a-me", "sky-<CLUSTER1>-me"),
    ("cluster", "cluster 'dryrun-0badcafe'", "cluster 'dryrun-<CLUSTER1>'"),
    ("address", "<object at 0x7f3c2a1b4d60>", "<object at <ADDRESS1>>"),
    ("address", "id=0xDEADBEEF", "id=<ADDRESS1>"),
    ("address", "object_0x7f3c2a1b4d60", "object_<ADDRESS1>"),
    ("id", "<MagicMock id='140234866534752'>", "<MagicMock id='<ID1>'>"),
    ("id", "<Mock name='m.f()' spec='A' id='94023486'>", "<Mock name='m.f()' spec='A' id='<ID1>'>"),
    ("id", "<AsyncMock name='<lambda>' id='27440128'>", "<AsyncMock name='<lambda>' id='<ID1>'>"),
    ("id", "<Thread(a, started 139971264)>", "<Thread(a, started <ID1>)>"),
    (
        "id",
        "<_DummyThread(b, started daemon 139971264)>",
        "<_DummyThread(b, started daemon <ID1>)>",
    ),
    ("id", "in thread 140234866534752", "in thread <ID1>"),
    ("id", "{'ident': 281473829744640}", "{'ident': <ID1>}"),
    ("pid", "pid 4242", "pid <PID1>"),
    ("pid", "own_pid=4242", "own_pid=<PID1>"),
    ("pid", '{"server_pid": 4242}', '{"server_pid": <PID1>}'),
    ("pid", "pgid=4242 process_id: 7", "pgid=<PID1> process_id: <PID2>"),
    ("pid", "psutil.NoSuchProcess(pid=4242)", "psutil.NoSuchProcess(pid=<PID1>)"),
    ("pid", "subprocess 4242 is still running", "subprocess <PID1> is still running"),
    ("pid", "open('/proc/4242/stat')", "open('/proc/<PID1>/stat')"),
    (
        "pid",
        "<ForkProcess name='a' pid=12 parent=11 started>",
        "<ForkProcess name='a' pid=<PID1> parent=<PID2> started>",
    ),
    ("pid", "(pid=4242)", "(pid=<PID1>)"),
    ("pid", "PID: 4242,", "PID: <PID1>,"),
    ("pid", "ppid=1", "ppid=<PID1>"),
    ("pid", "{'pid': 4242}", "{'pid': <PID1>}"),
    ("pid", "Killing process 4242", "Killing process <PID1>"),
    ("pid", "Process ID: 4242", "Process ID: <PID1>"),
    (
        "state",
        "psutil.Process(name='a (b)', status='sleeping')",
        "psutil.Process(name='a (b)', status='<STATE>')",
    ),
    ("descriptor", "<socket.socket fd=12, family=1>", "<socket.socket fd=<DESCRIPTOR1>, family=1>"),
    ("descriptor", "<ssl.SSLSocket [closed] fd=12>", "<ssl.SSLSocket [closed] fd=<DESCRIPTOR1>>"),
    ("descriptor", "<_io.FileIO name=12 mode='rb'>", "<_io.FileIO name=<DESCRIPTOR1> mode='rb'>"),
    ("task", "Task-12 was destroyed", "<TASK1> was destroyed"),
    ("thread name", "in Thread-12 (run)", "in <THREAD NAME1> (run)"),
    ("thread name", "ThreadPoolExecutor-3_1:", "<THREAD NAME1>:"),
    ("thread name", "SpawnProcess-2 ForkPoolWorker-1", "<THREAD NAME1> <THREAD NAME2>"),
    ("worker", "[gw3] passed", "[<WORKER>] passed"),
    ("worker", "/popen-gw12/test_it0", "/<WORKER>/test_it0"),
    ("tempfile", "/tmp/tmpab12_x9z/file", "/tmp/<TEMPFILE1>/file"),
    ("tempfile", "open('tmpabcdefgh')", "open('<TEMPFILE1>')"),
    ("tempfile", "/x/pymp-ab12_x9z/listener-ab12_x9y", "/x/<TEMPFILE1>/<TEMPFILE2>"),
    ("datetime", "2024-01-02 03:04:05", "<DATETIME>"),
    ("datetime", "log_2024-01-02T03:04:05", "log_<DATETIME>"),
    ("datetime", "2024-01-02T03:04:05.678+00:00 x", "<DATETIME> x"),
    ("datetime", "2024-01-02T03:04:05Z", "<DATETIME>"),
    ("datetime", "I 01-02 03:04:05 cli.py:9]", "I <DATETIME> cli.py:9]"),
    ("datetime", "2024-01-02 03:04:05,678 INFO", "<DATETIME> INFO"),
    ("date", "on 2024-01-02", "on <DATE>"),
    ("date", "sky-2024-01-02-03-04-05-678901", "sky-<DATE>"),
    ("date", "log_2024-01-02", "log_<DATE>"),
    ("time", "at 3:04:05", "at <TIME>"),
    ("time", "took 0:00:01.234567", "took <TIME>"),
    ("timestamp", "1700000000", "<TIMESTAMP1>"),
    ("timestamp", "at=1700000000.25;", "at=<TIMESTAMP1>;"),
    ("timestamp", "run_1700000000, 1700000000123", "run_<TIMESTAMP1>, <TIMESTAMP2>"),
    ("timestamp", "1700000000123456 1700000000123456789", "<TIMESTAMP1> <TIMESTAMP2>"),
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
    ("port", "http_port: 8080", "http_port: <PORT1>"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), TAKEN_OUT)
def test_taken_out(kind, text, expected):
    assert both(text) == (expected, {kind: expected.count("<" + kind.upper())})


def test_every_rule_has_an_example():
    for rule in RULES:
        assert any(rule.pattern.search(text) for kind, text, _ in TAKEN_OUT if kind == rule.kind)
    kinds = [dict.fromkeys(kind for kind, *_ in rows) for rows in (RULES, TAKEN_OUT)]
    assert list(kinds[0]) == list(kinds[1])


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
        *("<Mock id='17'>", "<Cluster id='140234866534753'>", "id='14023486'"),
        *("140234866534753", "130234866534752", "14023486653475", "v.140234866534752", "282"),
        *("started 140234866", "<Thread(a, initial)>", "<Thread(a, started 17)>"),
        *("status='sleeping'", "psutil.Process(status='zombie')", "fd=12", "<Disk fd=12>"),
        *("<socket.socket fd=-1>", "<_io.FileIO name='12'>", "_io.FileIO name=12"),
        *("parent=12", "<Cluster parent=12>", "subprocess 12", "/proc/self"),
        *("MyThread-12", "Thread-a", "Process-1"),
        *("123e4567e89b12d3a456426614174000", "123e4567e89b42d3c456426614174000"),
        *("170000000012", "17000000001234", "tmp-ab12_x9z", "/listener-x", "/pymp-abc"),
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


@pytest.mark.parametrize(
    ("python", "rust"),
    [
        # A wrong value of the program among what depends on the run, by the kind of rule.
        ("\x1b[31mred\x1b[0m", "\x1b[31mread\x1b[0m"),
        (f"{UUID} of {UUID}", f"{UUID} of {UUID[:-1]}1"),
        ("123e4567e89b12d3a456426614174000", "123e4567e89b12d3a456426614174001"),
        ("sky-3f2a-me", "sky-3f2a-you"),
        ("<A at 0x7f3c2a1b4d60> 0x1f", "<A at 0x7f3c2a1b4d60> 0x2f"),
        ("<Mock name='a' id='140234866534752'>", "<Mock name='b' id='140234866534752'>"),
        ("<Cluster id='4711'>", "<Cluster id='4712'>"),
        ("id=140234866534753", "id=140234866534754"),
        ("job 14023486653475", "job 14023486653476"),
        ("<Mock id='140234866534752'> 17", "<Mock id='140234866534768'> 18"),
        ("<Thread(a, started 140234866534752)>", "<Thread(a, stopped 140234866534752)>"),
        ("own_pid=123, count=123", "own_pid=124, count=124"),
        ("own_pid=123", "own_pid=-1"),
        ("pid=7 of pid=7", "pid=7 of pid=8"),
        ("/proc/12/stat", "/proc/12/status"),
        ("psutil.Process(pid=12, status='running')", "psutil.Process(pid=12, status='zombie')"),
        ("<socket.socket fd=12>", "<socket.socket [closed] fd=-1>"),
        ("<_io.FileIO name=12 mode='rb'>", "<_io.FileIO name=12 mode='wb'>"),
        ("Task-1 waits for Task-2", "Task-1 waits for Task-1"),
        ("Thread-1 joins Thread-2", "Thread-1 joins Thread-1"),
        ("gw0: 1", "gw1: 2"),
        ("/tmp/tmpab12_x9z/a", "/tmp/tmpab12_x9z/b"),
        ("/tmp/result_1", "/tmp/result_2"),
        ("2024-01-02 03:04:05 1", "2024-01-02 03:04:05 2"),
        ("2024-01-02 x", "2024-01-02 y"),
        ("at 3:04:05", "at 3:04"),
        ("at 1700000000 and 1700000000", "at 1700000000 and 1700000001"),
        ("version 1500000000", "version 1500000001"),
        ("took 1.5 s", "took 1.5 h"),
        ("1.5x", "1.5"),
        ("port 8080, workers 8080", "port 8080, workers 8081"),
        ("port 80", "port 81"),
    ],
)
def test_a_real_difference_stays(python, rust):
    assert both(python)[0] != both(rust)[0]


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
