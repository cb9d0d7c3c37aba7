"""Records of routed calls: complete, from outside only, and without a trace in the calls."""

import base64
import contextlib
import importlib
import logging
import pickle
import sys
import threading

import pytest

import sky_rs_patch
from pytest_skyrs._arm import calls as _calls
from pytest_skyrs._arm.calls import CallRecorder, exception_text, outcome_parts, outcome_text
from pytest_skyrs._arm.logs import Heard
from pytest_skyrs._model.canonical import Canonical
from sky_rs_patch import _testing

MODULE = """\
import logging
import sys

logger = logging.getLogger(__name__)
boom = None


class Odd(Exception):
    pass


def depth():
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


def inner(number):
    return number + 1


def outer(number):
    return inner(number) * inner(number)


def fails(error):
    raise error


def chained(error):
    raise Odd("outer", 2) from error


def changes(items):
    items.append("more")


def talks(*messages):
    for message in messages:
        logger.warning("said %s", message)


def gives(value=None, *more, **named):
    return value
"""
NAMES = ("depth", "inner", "outer", "fails", "chained", "changes", "talks", "gives")
TARGETS = {name: f"an_observed_module.{name}" for name in NAMES}


class Tap:
    """Hears what the logger of the module says, as `_logs.LogTap` does."""

    def __init__(self):
        self.heard = []
        self.main = threading.get_ident()

    def say(self, message, thread=None):
        thread = thread or threading.get_ident()
        self.heard.append(Heard(thread, False, "logger", "WARNING", message))


class Listener(logging.Handler):
    def __init__(self, tap):
        super().__init__()
        self.tap = tap

    def emit(self, record):
        self.tap.say(record.getMessage())


class PlainCanonical:
    """Reads like the real one, with digests that a test can foretell."""

    def digest(self, value):
        return f"digest of {value!r}"

    def describe(self, value):
        return f"<{value!r}>"

    def describe_call(self, args, kwargs):
        return f"{args}{kwargs}"

    def text(self, text):
        return text.replace("secret", "***")


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "an_observed_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("an_observed_module")
    _testing.observe(None)
    for target in TARGETS.values():
        with contextlib.suppress(KeyError):
            sky_rs_patch.unregister(target)
    del sys.modules["an_observed_module"]


def route(name, candidate=lambda *_, **__: NotImplemented, **options):
    """Routes a function; without a candidate every call is declined."""
    sky_rs_patch.register(TARGETS[name], candidate, **options)


@pytest.fixture
def tap():
    return Tap()


@pytest.fixture
def recorder(module, enabled, tap):
    """A recorder with the real digests that watches all routes."""
    listener = Listener(tap)
    module.logger.addHandler(listener)
    module.logger.propagate = False
    made = CallRecorder(Canonical(), tap, keep_arguments=False)
    _testing.observe(made)
    yield made
    module.logger.removeHandler(listener)


def entries(recorder):
    """The calls in order."""
    taken = recorder.take()
    return [taken["table"][index] for index in taken["sequence"]]


# By hand: what the recorder makes of what it is told.


def by_hand(tap=None, **options):
    options.setdefault("keep_arguments", False)
    return CallRecorder(PlainCanonical(), tap or Tap(), **options)


def test_nothing_happened():
    assert by_hand().take() == {
        "table": [],
        "sequence": [],
        "paths": {},
        "threads": 0,
        "nested": {},
    }


def test_a_call_by_hand():
    made = by_hand()
    made("m.f", (1, "a"), {"b": 2})("rust", 500, "result", None)
    assert made.take() == {
        "table": [
            {
                "function": "m.f",
                "args": "digest of ((1, 'a'), {'b': 2})",
                "outcome": "digest of (('returned', 'result'), None)",
                "called": "(1, 'a'){'b': 2}",
                "gave": "returned <'result'>",
            }
        ],
        "sequence": [0],
        "paths": {"m.f": {"rust": 1}},
        "threads": 1,
        "nested": {},
    }


def test_equal_calls_share_an_entry():
    made = by_hand()
    for value, result in ((1, "a"), (2, "a"), (1, "a"), (1, "b"), (1, "a")):
        made("m.f", (value,), {})("rust", 1, result, None)
    made("m.g", (1,), {})("rust", 1, "a", None)
    taken = made.take()
    assert taken["sequence"] == [0, 1, 0, 2, 0, 3]
    assert [(entry["function"], entry["called"]) for entry in taken["table"]] == [
        ("m.f", "(1,){}"),
        ("m.f", "(2,){}"),
        ("m.f", "(1,){}"),
        ("m.g", "(1,){}"),
    ]


def test_start_forgets():
    made = by_hand()
    finish = made("m.f", (1,), {})
    made("m.f", (1,), {})
    finish("rust", 100, 1, None)
    made.start()
    assert made.take() == by_hand().take()


def test_paths_are_counted():
    made = by_hand()
    for path in ("rust", "candidate", "rust", "switch"):
        made("m.f", (), {})(path, 1, None, None)
    assert made.take()["paths"] == {"m.f": {"rust": 2, "candidate": 1, "switch": 1}}


def test_what_a_call_logged_belongs_to_it():
    tap = Tap()
    made = by_hand(tap)
    tap.say("before")
    finish = made("m.f", (1,), {})
    tap.say("during")
    tap.say("of another thread", thread=1)
    finish("rust", 1, "a", None)
    tap.say("after")
    made("m.f", (1,), {})("rust", 1, "a", None)
    talking, silent = entries(made)
    assert talking["logs"] == ["WARNING logger: during"]
    assert "logs" not in silent
    assert talking["outcome"] != silent["outcome"]
    assert talking["args"] == silent["args"]


def test_what_a_call_left_in_its_arguments():
    made = by_hand()
    items = [1]
    finish = made("m.f", (items,), {})
    items.append(2)
    finish("rust", 1, None, None)
    made("m.f", ([1],), {})("rust", 1, None, None)
    changed, unchanged = entries(made)
    assert (changed["called"], changed["left"]) == ("([1],){}", "([1, 2],){}")
    assert "left" not in unchanged
    assert changed["args"] == unchanged["args"]
    assert changed["outcome"] != unchanged["outcome"]


def test_what_tests_share_is_marked():
    made = by_hand()
    made.shared += 1
    made("m.f", (1,), {})("rust", 1, "a", None)
    made.shared -= 1
    made("m.f", (1,), {})("rust", 1, "a", None)
    shared, own = entries(made)
    assert "shared" not in own
    assert shared == {**own, "shared": True}


def test_calls_of_other_threads_are_marked():
    tap = Tap()
    made = by_hand(tap)
    made("m.f", (1,), {})("rust", 1, "a", None)
    tap.main = 1
    made("m.f", (1,), {})("rust", 1, "a", None)
    own, aside = entries(made)
    assert "aside" not in own
    assert aside == {**own, "aside": True}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("x" * 10, True),
        (b"x" * (_calls._PICKLE_LIMIT - 200), True),
        (b"x" * _calls._PICKLE_LIMIT, False),
        (lambda: 1, False),
        (threading.Lock(), False),
    ],
    ids=["small", "just-fits", "too-large", "lambda", "lock"],
)
def test_arguments_are_kept_if_they_can_be(value, kept):
    made = by_hand(keep_arguments=True)
    made("m.f", (value,), {"name": [value]} if kept and len(value) < 20 else {})("rust", 1, 0, None)
    (entry,) = entries(made)
    assert ("pickle" in entry) == kept
    if kept:
        args, _ = pickle.loads(base64.b64decode(entry["pickle"]))
        assert args == (value,)


def test_arguments_are_kept_as_they_were_before():
    made = by_hand(keep_arguments=True)
    items = [1]
    finish = made("m.f", (items,), {})
    items.append(2)
    finish("rust", 1, None, None)
    assert pickle.loads(base64.b64decode(entries(made)[0]["pickle"])) == (([1],), {})


def test_arguments_are_not_kept_unasked():
    made = by_hand()

    class Touchy:
        def __reduce_ex__(self, protocol):
            raise AssertionError("it was pickled")

    made("m.f", (Touchy(),), {})("rust", 1, None, None)
    assert "pickle" not in entries(made)[0]


def test_texts_are_bounded_and_calls_are_not(monkeypatch):
    monkeypatch.setattr(_calls, "_DESCRIBED", 2)
    made = by_hand(keep_arguments=True)
    for number in range(4):
        made("m.f", (number,), {})("rust", 1, number, None)
    told = entries(made)
    assert ["called" in entry for entry in told] == [True, True, False, False]
    assert ["pickle" in entry for entry in told] == [True, True, False, False]
    assert len({(entry["args"], entry["outcome"]) for entry in told}) == 4


def test_a_call_that_begins_while_another_one_runs_is_only_counted():
    made = by_hand()
    finish = made("m.f", (1,), {})
    assert made("m.g", (2,), {}) is None
    assert made("m.g", (3,), {}) is None
    assert made("m.f", (4,), {}) is None
    finish("python", 1, None, None)
    assert made("m.g", (5,), {}) is not None
    taken = made.take()
    assert taken["nested"] == {"m.g": 2, "m.f": 1}
    assert [entry["function"] for entry in taken["table"]] == ["m.f"]
    assert taken["paths"] == {"m.f": {"python": 1}}


def test_a_failing_digest_leaves_no_call_open():
    class Failing(PlainCanonical):
        fails = True

        def digest(self, value):
            if self.fails:
                raise RuntimeError("no digest")
            return super().digest(value)

    failing = Failing()
    made = CallRecorder(failing, Tap(), keep_arguments=False)
    with pytest.raises(RuntimeError):
        made("m.f", (), {})
    failing.fails = False
    finish = made("m.f", (), {})
    failing.fails = True
    with pytest.raises(RuntimeError):
        finish("rust", 1, None, None)
    failing.fails = False
    made("m.f", (), {})("rust", 1, None, None)
    assert made.take()["nested"] == {}
    assert len(entries(made)) == 1


def raised(error, cause=None):
    error.__cause__ = cause
    return error


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a"), "raised ValueError: a"),
        (ValueError(), "raised ValueError:  with the arguments ()"),
        (KeyError("a"), "raised KeyError: 'a' with the arguments ('a',)"),
        (
            raised(ValueError("a"), TypeError("b")),
            "raised ValueError: a (from TypeError: b)",
        ),
        (
            OSError(2, "No such file", "/secret"),
            "raised FileNotFoundError: [Errno 2] No such file: '<HOME>' with the arguments "
            "(2, 'No such file')",
        ),
        (
            Unprintable("a"),
            f"raised {__name__}.Unprintable: (its text can't be had: ValueError) "
            "with the arguments ('a',)",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exceptions_for_people(error, text):
    canonical = Canonical([("/secret", "<HOME>")])
    assert outcome_text(canonical, outcome_parts(None, error)) == text


PAIRS = [
    (ValueError("a"), ValueError("a"), True),
    (ValueError("a"), ValueError("b"), False),
    (ValueError("a"), TypeError("a"), False),
    (ValueError("a"), UnicodeError("a"), False),
    (ValueError(1), ValueError("1"), False),
    (ValueError("a"), raised(ValueError("a"), TypeError()), False),
    (raised(ValueError("a"), TypeError("b")), raised(ValueError("a"), TypeError("c")), False),
    (raised(ValueError("a"), KeyError("b")), raised(ValueError("a"), TypeError("'b'")), False),
    (raised(ValueError("a"), TypeError("b")), raised(ValueError("a"), TypeError("b")), True),
    (OSError(2, "a", "f"), OSError(2, "a", "g"), False),
]


@pytest.mark.parametrize(("left", "right", "same"), PAIRS)
def test_exceptions_are_compared_by_type_text_arguments_and_cause(left, right, same):
    digests = [Canonical().digest(outcome_parts(None, error)) for error in (left, right)]
    assert (digests[0] == digests[1]) == same


def test_an_exception_is_no_result():
    error = ValueError("a")
    assert outcome_parts(error, None) == ("returned", error)
    assert outcome_parts(None, error)[0] == "raised"
    assert outcome_parts(None, None) == ("returned", None)


def test_the_text_of_an_interrupt_goes_up():
    class Interrupting(Exception):
        def __str__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exception_text(Interrupting())


# With real routes.


def test_a_result(module, recorder):
    route("inner", lambda number: number + 1)
    assert module.inner(2) == 3
    (entry,) = entries(recorder)
    assert entry["function"] == TARGETS["inner"]
    assert (entry["called"], entry["gave"]) == ("(2)", "returned 3")
    taken = recorder.take()
    assert taken["paths"] == {TARGETS["inner"]: {"rust": 1}}
    assert taken["threads"] == 1


def test_keywords_and_defaults_are_as_they_were_written(module, recorder):
    route("gives")
    module.gives(1, 2, a=3)
    module.gives()
    module.gives(value=None)
    assert [entry["called"] for entry in entries(recorder)] == ["(1, 2, a=3)", "()", "(value=None)"]


def test_both_backends_leave_the_same_record(module, recorder, monkeypatch):
    route("inner", lambda number: number + 1)
    records = []
    for switch in "10":
        monkeypatch.setenv("SKYPILOT_USE_RUST", switch)
        recorder.start()
        assert module.inner(2) == 3
        records.append(recorder.take())
    assert records[0]["table"] == records[1]["table"]
    assert [record["paths"][TARGETS["inner"]] for record in records] == [
        {"rust": 1},
        {"switch": 1},
    ]


@pytest.mark.parametrize("raises", [True, False], ids=["of-the-candidate", "of-the-original"])
def test_an_exception(module, recorder, raises):
    def candidate(error):
        raise error

    route("fails", candidate, raises=raises)
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        module.fails(error)
    assert caught.value is error
    (entry,) = entries(recorder)
    assert entry["gave"] == "raised ValueError: no"
    assert recorder.take()["paths"] == {
        TARGETS["fails"]: {"rust" if raises else "candidate-raised": 1}
    }


def test_a_cause(module, recorder):
    route("chained")
    with pytest.raises(module.Odd):
        module.chained(KeyError("inside"))
    assert entries(recorder)[0]["gave"] == (
        "raised an_observed_module.Odd: ('outer', 2) (from KeyError: 'inside') "
        "with the arguments ('outer', 2)"
    )


def test_a_changed_argument(module, recorder):
    route("changes")
    items = ["first"]
    module.changes(items)
    assert items == ["first", "more"]
    (entry,) = entries(recorder)
    assert entry["called"] == "(['first'])"
    assert entry["left"] == "(['first', 'more'])"


@pytest.mark.parametrize("prepare", [lambda file: None, next], ids=["opened", "iterated"])
def test_what_a_call_leaves_of_an_open_file(module, recorder, tmp_path, prepare):
    """Wrong candidates differ from the original by what they read, and where they stop."""
    path = tmp_path / "task.yaml"
    path.write_text("first\nsecond\nthird\n")
    found = {}
    candidates = {
        "all": lambda file: bool(file.read()),
        "all again": lambda file: bool(file.readlines()),
        "less": lambda file: bool(file.read(9)),
        "nothing": lambda file: True,
        "elsewhere": lambda file: bool(file.read()) and file.seek(1) == 1,
        "closed": lambda file: file.close() or True,
    }
    for name, candidate in candidates.items():
        route("gives", candidate)
        with path.open() as file:
            prepare(file)
            assert module.gives(file) is True
        sky_rs_patch.unregister(TARGETS["gives"])
        entry = entries(recorder)[-1]
        found[name] = entry["args"], entry["outcome"]
    assert len({args for args, _ in found.values()}) == 1
    assert found["all"] == found["all again"]
    assert len({outcome for _, outcome in found.values()}) == len(candidates) - 1


def test_logs(module, recorder):
    route("talks")
    module.talks("a", "b")
    module.talks()
    talking, silent = entries(recorder)
    assert talking["logs"] == ["WARNING logger: said a", "WARNING logger: said b"]
    assert "logs" not in silent


def test_a_routed_function_that_calls_another(module, recorder):
    route("inner", lambda number: number + 1)
    route("outer")
    assert module.outer(1) == 4
    assert module.inner(1) == 2
    taken = recorder.take()
    assert taken["nested"] == {TARGETS["inner"]: 2}
    assert [entry["function"] for entry in entries(recorder)] == [
        TARGETS["outer"],
        TARGETS["inner"],
    ]


def test_a_call_after_an_exception_is_one_from_outside(module, recorder):
    route("fails")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            module.fails(KeyboardInterrupt())
    assert recorder.take()["nested"] == {}
    assert recorder.take()["sequence"] == [0, 0]


def test_threads_do_not_meddle(module, recorder):
    """While one thread is inside a call, those of another are recorded as its own."""
    route("gives", lambda value: value() if callable(value) else value)
    arrived, go_on = threading.Event(), threading.Event()

    def wait():
        arrived.set()
        assert go_on.wait(10)
        return 1

    thread = threading.Thread(target=module.gives, args=(wait,))
    thread.start()
    assert arrived.wait(10)
    assert module.gives(2) == 2
    go_on.set()
    thread.join()
    taken = recorder.take()
    assert taken["threads"] == 2
    assert taken["nested"] == {}
    assert ["aside" in entry for entry in entries(recorder)] == [False, True]


def test_many_threads(module, recorder):
    route("inner", lambda number: number + 1)

    def work(start):
        for number in range(start, start + 50):
            assert module.inner(number) == number + 1

    threads = [threading.Thread(target=work, args=(100 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry["called"] for entry in entries(recorder)}) == 200
    assert len(recorder.take()["sequence"]) == 200


def test_pickles_of_real_calls(module, enabled, tap):
    recorder = CallRecorder(Canonical(), tap, keep_arguments=True)
    _testing.observe(recorder)
    route("gives")
    module.gives({"a": [1]}, named="b")
    args, kwargs = pickle.loads(base64.b64decode(entries(recorder)[0]["pickle"]))
    assert (args, kwargs) == (({"a": [1]},), {"named": "b"})


# The observer itself.


class Told:
    """Remembers what it is told."""

    def __init__(self):
        self.begun, self.ended = [], []

    def __call__(self, *call):
        self.begun.append(call)
        return lambda *end: self.ended.append(end)


def test_what_an_observer_is_told(module, enabled):
    told = Told()
    _testing.observe(told)
    route("gives", lambda *args, **kwargs: args)
    result = module.gives(1, 2, name=3)
    assert told.begun == [(TARGETS["gives"], (1, 2), {"name": 3})]
    ((path, nanoseconds, given, exception),) = told.ended
    assert (path, exception) == ("rust", None)
    assert given is result
    assert type(nanoseconds) is int
    assert nanoseconds > 0


def test_an_exception_is_told_as_it_is(module, enabled):
    told = Told()
    _testing.observe(told)
    route("fails")
    error = ValueError("no")
    with pytest.raises(ValueError):
        module.fails(error)
    ((path, _, result, exception),) = told.ended
    assert (path, result) == ("candidate", None)
    assert exception is error


@pytest.mark.parametrize(
    "observer",
    [
        lambda *_: None,
        lambda *_: lambda *_: "another result",
        lambda name, args, kwargs: (kwargs.update(value=9, more=9), None)[1],
        lambda name, args, kwargs: lambda *_: kwargs.clear(),
    ],
    ids=["no-finish", "finish-returns", "changes-keywords", "changes-them-later"],
)
@pytest.mark.parametrize("candidate", [None, lambda value: [value]], ids=["python", "rust"])
def test_an_observer_changes_nothing(module, enabled, observer, candidate):
    route("gives", **({"candidate": candidate} if candidate else {}))
    _testing.observe(observer)
    assert module.gives(value=1) == ([1] if candidate else 1)


@pytest.fixture
def unraisable(monkeypatch):
    caught = []
    monkeypatch.setattr(sys, "unraisablehook", caught.append)
    return caught


def failing(error):
    def observer(*_):
        raise error

    return observer


def failing_at_the_end(error):
    return lambda *_: failing(error)


BROKEN = [failing, failing_at_the_end]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("error", [ValueError("mine"), StopIteration(), RecursionError()])
def test_an_observer_that_fails_is_left_out(module, enabled, unraisable, broken, error):
    route("inner", lambda number: number + 1)
    route("fails")
    _testing.observe(broken(error))
    assert module.inner(1) == 2
    with pytest.raises(KeyError, match="its own") as caught:
        module.fails(KeyError("its own"))
    assert caught.value.__context__ is None
    assert [found.exc_value for found in unraisable] == [error, error]


def test_a_finish_that_cannot_be_called_is_left_out(module, enabled, unraisable):
    route("inner")
    _testing.observe(lambda *_: "no function")
    assert module.inner(1) == 2
    assert [found.exc_type for found in unraisable] == [TypeError]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_in_an_observer_goes_up(module, enabled, unraisable, broken, error):
    calls = []
    route("inner", lambda number: calls.append(number) or number + 1)
    _testing.observe(broken(error))
    with pytest.raises(type(error)) as caught:
        module.inner(1)
    assert caught.value is error
    # Before the call it keeps it from being made, after it, the result from being given.
    assert calls == ([] if broken is failing else [1])
    assert unraisable == []


def test_nobody_looks_any_more(module, enabled):
    told = Told()
    _testing.observe(told)
    route("inner")
    module.inner(1)
    _testing.observe(None)
    module.inner(1)
    assert len(told.begun) == len(told.ended) == 1


def test_the_observer_of_a_route(module, enabled):
    route("inner")
    route("gives")
    inner, gives = (module.inner._self_route, module.gives._self_route)
    assert inner.observer is None
    told = Told()
    inner.observer = told
    assert inner.observer is told
    assert gives.observer is None
    module.inner(1)
    module.gives(1)
    assert [call[0] for call in told.begun] == [TARGETS["inner"]]
    inner.observer = None
    module.inner(1)
    assert inner.observer is None
    assert len(told.begun) == 1


def test_one_observer_takes_the_place_of_another(module, enabled):
    first, second = Told(), Told()
    route("inner")
    _testing.observe(first)
    _testing.observe(second)
    module.inner(1)
    assert (len(first.begun), len(second.begun)) == (0, 1)
    _testing.observe(None)
    assert sys.getrefcount(first) == sys.getrefcount(second)


def test_routes_that_come_later_are_watched_too(module, enabled):
    told = Told()
    _testing.observe(told)
    route("inner")
    module.inner(1)
    sky_rs_patch.unregister(TARGETS["inner"])
    module.inner(1)
    route("inner", lambda number: 7)
    assert module.inner(1) == 7
    assert [end[0] for end in told.ended] == ["candidate", "rust"]


def test_a_module_that_is_loaded_again_is_watched(module, enabled):
    told = Told()
    _testing.observe(told)
    route("inner", lambda number: 7)
    importlib.reload(module)
    assert module.inner(1) == 7
    del sys.modules[module.__name__]
    again = importlib.import_module(module.__name__)
    assert again.inner(2) == 7
    assert [call[1] for call in told.begun] == [(1,), (2,)]


def test_a_disabled_route_tells_nobody(module):
    told = Told()
    _testing.observe(told)
    with sky_rs_patch.enabled():
        route("inner")
        proxy = module.inner
        proxy(1)
    proxy(1)
    module.inner(1)
    assert len(told.begun) == 1


@pytest.mark.parametrize("observer", [None, lambda *_: None, Told()], ids=["none", "deaf", "told"])
def test_the_original_is_as_deep_in_the_stack_as_ever(module, enabled, observer):
    plain = module.depth()
    route("depth")
    _testing.observe(observer)
    assert module.depth() == plain


def test_what_an_observer_calls_is_routed_and_told(module, enabled):
    """It is the observer's own business to see to that; the recorder does."""
    told = []

    def observer(name, args, kwargs):
        told.append(args)
        if args[0] > 0:
            module.inner(args[0] - 1)

    route("inner")
    _testing.observe(observer)
    assert module.inner(2) == 3
    assert told == [(2,), (1,), (0,)]


def test_arguments_are_not_kept_alive(module, recorder):
    import weakref

    class Kept:
        pass

    route("gives", lambda value: value)
    value = Kept()
    reference = weakref.ref(value)
    assert module.gives(value) is value
    del value
    assert reference() is None
