"""Runs an original and its proxy on the same call and compares everything that shows.

A test is made with `property_test`: a strategy for `Call`s and a body that gives them to
`compare`. The test fails if a call differs, and if fewer calls than promised were answered by
Rust: a route that declines everything would prove nothing.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import gc
import importlib
import io
import logging
import os
import re
import struct
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import applicability
import hypothesis
import open_files
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from one_call import (
    Call,
    Fresh,
    OddBytes,
    OddFloat,
    OddInt,
    OddStr,
    Watched,
    short,
)

import sky_rs_patch
from sky_rs_patch._binding import proxies

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMON = "sky.utils.common_utils"
SUBPROCESS = "sky.utils.subprocess_utils"
FALLBACK = "sky.utils.rust_fallback"
YAML = "sky.utils.yaml_utils"
#: Not every SkyPilot has a module for YAML.
MODULES = tuple(
    name
    for name in (COMMON, SUBPROCESS, FALLBACK, YAML)
    if name != YAML or applicability.skypilot().source(name)
)

settings.register_profile(
    "default",
    deadline=None,
    # The same examples everywhere: `make test` passes or fails, `make fuzz` looks for more.
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("deep", settings.get_profile("default"), derandomize=False)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
settings.load_profile(PROFILE)
#: How many times the examples of the default profile are run.
FACTOR = 20 if PROFILE == "deep" else 1

#: The end of what `object.__repr__` returns.
ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
#: How often an original that contradicts itself is asked again.
PATIENCE = 5


class Observation(NamedTuple):
    """All that shows of one call; each field is compared by `difference`."""

    result: Any
    identity: str | None
    error: Any
    records: list[Any]
    warnings: list[Any]
    arguments: Any
    descriptors: tuple[int, ...]
    module_globals: dict[str, Any]
    process: dict[str, Any]


class Outcome(NamedTuple):
    """What came of a comparison."""

    observation: Observation
    rust: bool
    declined: str | None


class NoValue:
    """Stands for a result that isn't there, or a name that isn't set."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = NoValue()


# Comparing


class Pairing:
    """Which object of one side stands for which of the other, of dictionaries and lists."""

    def __init__(self) -> None:
        self._there: dict[int, tuple[object, object]] = {}
        self._back: dict[int, tuple[object, object]] = {}

    def met(self, expected: object, actual: object) -> bool | None:
        """None for two that come for the first time, else whether they stand for each other."""
        known = self._there.get(id(expected)) or self._back.get(id(actual))
        if known is None:
            # The objects are kept, so that no other gets their place.
            self._there[id(expected)] = self._back[id(actual)] = (expected, actual)
            return None
        return known[0] is expected and known[1] is actual


def difference(
    expected: Any, actual: Any, where: str = "", pairing: Pairing | None = None
) -> str | None:
    """Says in what two values differ, type included; None if in nothing.

    They may hold themselves, and what is one object in one must be one in the other.
    """
    if type(expected) is not type(actual):
        return (
            f"{where}: {type(expected).__qualname__} {short(expected)} "
            f"became {type(actual).__qualname__} {short(actual)}"
        )
    if isinstance(expected, BaseException):
        expected, actual = describe_error(expected), describe_error(actual)
    elif isinstance(expected, Observation):
        expected, actual = expected._asdict(), actual._asdict()
    elif is_hash(expected):
        expected, actual = describe_hash(expected), describe_hash(actual)
    if isinstance(expected, (dict, list)):
        pairing = pairing or Pairing()
        met = pairing.met(expected, actual)
        if met is not None:
            return None if met else f"{where}: {short(actual)} is another object than it was"
    if isinstance(expected, dict):
        kinds = [list(map(type, value)) for value in (expected, actual)]
        if list(expected) != list(actual) or kinds[0] != kinds[1]:
            return f"{where}: keys {short(list(expected))} became {short(list(actual))}"
        pairs = [(f"{where}.{key}".lstrip("."), expected[key], actual[key]) for key in expected]
        return first_difference(pairs, pairing)
    if isinstance(expected, (list, tuple)):
        if len(expected) != len(actual):
            return f"{where}: {short(expected)} became {short(actual)}"
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(expected, actual))]
        return first_difference(pairs, pairing)
    if isinstance(expected, str) and expected != actual:
        # Each side has got its own objects, and some are represented by where they are.
        expected, actual = (ADDRESS.sub(" at 0x…>", text) for text in (expected, actual))
    if isinstance(expected, float):
        equal = struct.pack("d", expected) == struct.pack("d", actual)
    else:
        equal = expected is actual or bool(expected == actual)
    return None if equal else f"{where}: {short(expected)} became {short(actual)}"


def first_difference(pairs: list[tuple[str, Any, Any]], pairing: Pairing | None) -> str | None:
    found = (difference(a, b, where, pairing) for where, a, b in pairs)
    return next(filter(None, found), None)


def is_hash(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "digest")


def describe_hash(value: Any) -> dict[str, Any]:
    """The state of a hash object, now and after it is used further."""
    # SHAKE's digests have the length that one asks for.
    length = () if value.digest_size else (40,)
    described = {
        "name": value.name,
        "digest_size": value.digest_size,
        "block_size": value.block_size,
        "digest": value.digest(*length),
        "again": value.hexdigest(*length),
    }
    duplicate = value.copy()
    duplicate.update(b"more")
    described["copy"] = (type(duplicate), duplicate.digest(*length))
    described["untouched by its copy"] = value.digest(*length)
    value.update(memoryview(b"further"))
    described["updated"] = value.digest(*length)
    return described


def described(argument: object) -> object:
    """An exception's argument; one that equals nothing but itself by its text, if it has one."""
    kind = type(argument)
    if kind.__eq__ is object.__eq__ and kind.__str__ is not object.__str__:
        return kind, str(argument)
    return argument


def message(error: BaseException) -> str:
    """Its text, or why it has none: an argument may be an integer that is too long to print."""
    try:
        return str(error)
    except ValueError as problem:
        return f"<{problem}>"


def describe_error(error: BaseException | None, depth: int = 3) -> Any:
    """An exception as a value: type, text, arguments, attributes, cause and context."""
    if error is None or depth == 0:
        return None
    attributes = {
        name: getattr(error, name, NOTHING)
        for name in ("errno", "filename", "filename2", "strerror", "start", "end", "reason")
    }
    # Where the error comes from; the first frame is the engine's.
    frames = [
        (frame.filename, frame.name, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__
    ]
    if isinstance(error, RecursionError):
        # From CPython 3.12 on calls by C code have a limit of their own, and a proxy is one more.
        frames = list(dict.fromkeys(frames))
    return {
        "type": type(error),
        "text": message(error),
        "args": tuple(map(described, error.args)),
        "attributes": attributes,
        "notes": getattr(error, "__notes__", None),
        "suppress": error.__suppress_context__,
        "frames": frames,
        "cause": describe_error(error.__cause__, depth - 1),
        "context": describe_error(error.__context__, depth - 1),
    }


# Observing


class Recorder(logging.Handler):
    """Keeps what a log record shows to a handler."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(
            {
                "logger": record.name,
                "level": (record.levelno, record.levelname),
                "message": record.getMessage(),
                "args": record.args,
                "place": (record.pathname, record.module, record.funcName, record.lineno),
                "exception": record.exc_info and describe_error(record.exc_info[1]),
            }
        )


@contextlib.contextmanager
def recording(level: int | None) -> Iterator[list[Any]]:
    """Records of SkyPilot's loggers and of all others; None leaves SkyPilot's handler alone."""
    if level is None:
        yield []
        return
    recorder = Recorder(level)
    sky, root = logging.getLogger("sky"), logging.getLogger()
    handlers = sky.handlers[:]
    sky.handlers[:] = [recorder]
    root.addHandler(recorder)
    try:
        yield recorder.records
    finally:
        root.removeHandler(recorder)
        sky.handlers[:] = handlers


def descriptors() -> frozenset[int]:
    return frozenset(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208


def process_state() -> dict[str, Any]:
    """What else a call might leave behind."""
    return {
        "tracebacklimit": getattr(sys, "tracebacklimit", NOTHING),
        "directory": Path.cwd(),
        # As it is kept: decoding it takes longer than most calls.
        "environment": dict(os.environ._data),
    }


def made(value: Any, stack: contextlib.ExitStack) -> Any:
    """An argument for one side."""
    if isinstance(value, Fresh):
        return value.factory(stack)
    if type(value) in (list, dict, set, bytearray):
        if type(value) is dict:
            return {key: made(item, stack) for key, item in value.items()}
        return copy.copy(value)
    return value


def state_of(value: Any) -> Any:
    """What may change of an argument, by value."""
    if isinstance(value, dict):
        return [(key, state_of(item)) for key, item in dict.items(value)]
    if isinstance(value, (list, set)):
        return [state_of(item) for item in value]
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, io.IOBase):
        return open_files.state(value)
    # Objects that count what is asked of them.
    return list(getattr(value, "asked", ()))


def observe(function: Callable[..., Any], original: Callable[..., Any], given: Call) -> Observation:
    """Calls once and notes all that shows."""
    namespace = original.__globals__
    with contextlib.ExitStack() as stack:
        args = [made(value, stack) for value in given.args]
        kwargs = {key: made(value, stack) for key, value in given.kwargs.items()}
        records = stack.enter_context(recording(given.log_level))
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        open_before = descriptors()
        result, error = NOTHING, None
        with contextlib.ExitStack() as around:
            for surrounding in given.around:
                around.enter_context(surrounding.factory(around))
            before, state = dict(namespace), process_state()
            try:
                result = function(*args, **kwargs)
            except KeyboardInterrupt:
                raise
            except BaseException as caught_error:
                error = caught_error
            after = dict(namespace)
            process = {key: value for key, value in process_state().items() if value != state[key]}
            if "tracebacklimit" in process:
                # SkyPilot leaves it at 0, where Hypothesis finds no frame of an error.
                vars(sys).pop("tracebacklimit", None)
                if state["tracebacklimit"] is not NOTHING:
                    sys.tracebacklimit = state["tracebacklimit"]
            changed = {
                name: (before.get(name, NOTHING), after.get(name, NOTHING))
                for name in {**before, **after}
                # Where warnings were given; those are compared themselves.
                if name != "__warningregistry__"
                and before.get(name, NOTHING) is not after.get(name, NOTHING)
            }
            for name in changed:
                if name in before:
                    namespace[name] = before[name]
                else:
                    del namespace[name]
        open_after = descriptors()
        values = [*args, *kwargs.values()]
        identity = next((f"argument {i}" for i, v in enumerate(values) if v is result), None)
        if isinstance(result, (str, bytes, int)) and (isinstance(result, int) or len(result) < 2):
            # Python keeps one object for each of many such values.
            identity = None
        return Observation(
            # Each side has arguments of its own, so the object itself can't be compared.
            result=NOTHING if identity else result,
            identity=identity,
            error=error,
            records=list(records),
            warnings=[(w.category, str(w.message), w.filename, w.lineno) for w in caught],
            arguments=[state_of(value) for value in values],
            descriptors=tuple(sorted(open_after ^ open_before)),
            module_globals=changed,
            process=process,
        )


@contextlib.contextmanager
def switch(value: str) -> Iterator[None]:
    """SKYPILOT_USE_RUST for a while: the oracle's own callees must be originals, too."""
    before = os.environ.get("SKYPILOT_USE_RUST")
    os.environ["SKYPILOT_USE_RUST"] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ["SKYPILOT_USE_RUST"]
        else:
            os.environ["SKYPILOT_USE_RUST"] = before


_homes: dict[str, str] = {}


def enable() -> None:
    """Routes SkyPilot's functions in this process."""
    sky_rs_patch.enable()
    for module in MODULES:
        importlib.import_module(module)


def home(name: str) -> Any:
    """The module in which a function's proxy stands."""
    if name not in _homes:
        enable()
        found = [m for m in MODULES if name in vars(sys.modules[m])]
        if not found:
            applicability.require(name)
        assert found, f"nothing is called {name}"
        _homes[name] = found[0]
    if _homes[name] not in sys.modules:
        enable()
    return sys.modules[_homes[name]]


def proxy_of(name: str) -> Any:
    """The proxy of one of the twelve, as it stands now."""
    route = proxies.route_of(getattr(home(name), name))
    if route is None or not route.enabled:
        # The test before this one switched it off.
        enable()
    proxy = getattr(home(name), name)
    if proxies.route_of(proxy) is None:
        applicability.require(name)
    assert proxies.route_of(proxy) is not None, f"{name} isn't routed: {status_of(name)}"
    return proxy


def status_of(name: str) -> Any:
    return sky_rs_patch.status(examine=False)["routes"].get(f"{_homes[name]}.{name}")


#: Calls that were compared, and that Rust answered, by function.
TALLY: dict[str, Counter[str]] = {}
#: What the last few declines of the running test were about.
declined: collections.deque[str] = collections.deque(maxlen=3)


@contextlib.contextmanager
def deep() -> Iterator[None]:
    """Nested values may be compared as far as they were made."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 10_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def compare(name: str, given: Call) -> Outcome:
    """Compares one call of a function on both backends.

    Raises:
        AssertionError: naming the function, the call and what differs.
    """
    proxy = proxy_of(name)
    original, route = proxy.__wrapped__, proxy._self_route
    for _ in range(PATIENCE):
        with switch("0"):
            expected = observe(original, original, given)
        rust, python, declines, _ = route.counts()
        with switch("1"):
            actual = observe(proxy, original, given)
        rust_after, python_after, declines_after, _ = route.counts()
        # A hash object is changed by being compared.
        spare = copy_of_hash(expected)
        with deep():
            found = difference(expected, actual)
        if found is None:
            break
        if found.startswith("descriptors: "):
            # Garbage that was collected meanwhile may have closed some; what leaks does so again.
            gc.collect()
            continue
        # The world may have moved between the two: another process took a port.
        with switch("0"):
            again = observe(original, original, given)
        with deep():
            same = difference(spare, again) is None
        if same:
            raise AssertionError(f"{name}{given}: {found}")
    else:
        raise AssertionError(f"{name}{given}: the original contradicts itself: {found}")
    answered = rust_after - rust
    assert answered + python_after - python == 1, f"{name}{given} was not counted once"
    reasons = [reason for reason, n in declines_after.items() if n > declines.get(reason, 0)]
    counts = TALLY.setdefault(name, Counter())
    counts["compared"] += 1
    counts["rust"] += answered
    counts.update(f"declined: {reason}" for reason in reasons)
    declined.extend(f"{name}{given} ({reason})" for reason in reasons)
    return Outcome(actual, bool(answered), reasons[0] if reasons else None)


def copy_of_hash(observation: Observation) -> Observation:
    if is_hash(observation.result):
        return observation._replace(result=observation.result.copy())
    return observation


# Tests


def property_test(
    strategy: st.SearchStrategy[Any], *, examples: int = 200, share: float = 0.0
) -> Callable[[Callable[[Any], Any]], Callable[..., None]]:
    """Makes a test of a body that compares one drawn call (or a list of them).

    Args:
        strategy: what the body is given.
        examples: how many are drawn in the default profile.
        share: the least part of the calls that Rust must have answered; at least one in any
            case.
    """

    def decorate(body: Callable[[Any], Any]) -> Callable[..., None]:
        def run(**overrides: Any) -> None:
            least = overrides.pop("share", share)
            overrides.setdefault("max_examples", examples * FACTOR)
            chosen = settings(settings.get_profile(PROFILE), **overrides)
            before = totals()
            declined.clear()
            chosen(hypothesis.given(strategy)(body))()
            compared, rust = (a - b for a, b in zip(totals(), before))
            print(f"{body.__name__}: Rust answered {rust} of {compared} calls")  # noqa: T201
            last = "; ".join(declined)
            assert rust > 0, f"{body.__name__}: Rust answered none of {compared} calls; not {last}"
            assert rust >= least * compared, (
                f"{body.__name__}: Rust answered {rust} of {compared} calls, less than "
                f"{least:.0%}; not {last}"
            )

        def test() -> None:
            run()

        test.__name__ = test.__qualname__ = body.__name__
        test.__module__, test.__doc__ = body.__module__, body.__doc__
        test.run = run  # type: ignore[attr-defined]
        # For those who want the calls and not the test.
        test.strategy, test.body = strategy, body  # type: ignore[attr-defined]
        return test

    return decorate


def totals() -> tuple[int, int]:
    return (
        sum(counts["compared"] for counts in TALLY.values()),
        sum(counts["rust"] for counts in TALLY.values()),
    )


#: For errors that are there on purpose: the first one found will do.
HASTY = {"phases": (Phase.explicit, Phase.generate), "derandomize": True}


@contextlib.contextmanager
def planted(name: str, candidate: Callable[..., Any]) -> Iterator[None]:
    """Puts a candidate in the place of a function's native code, without any guards."""
    from sky_rs_patch import _native

    module, proxy = home(name), proxy_of(name)
    route = _native.Route(f"{module.__name__}.{name}", proxy.__wrapped__, candidate)
    setattr(module, name, proxies.kind().cls(route))
    try:
        yield
    finally:
        setattr(module, name, proxy)


# Values of all kinds


def either(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of the strategies, each as likely; `one_of` would count the branches within them."""
    return st.integers(0, len(strategies) - 1).flatmap(lambda index: strategies[index])


def watched(answers: st.SearchStrategy[Any]) -> st.SearchStrategy[Fresh]:
    return answers.map(lambda answer: Fresh(f"Watched({answer!r})", lambda _: Watched(answer)))


def numpy_values() -> st.SearchStrategy[Any]:
    import numpy as np

    return st.one_of(
        st.sampled_from([np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_]).flatmap(
            lambda kind: st.integers(0, 100).map(kind)
        ),
        st.floats(width=16).map(np.float16),
        st.floats(width=32).map(np.float32),
        st.floats().map(np.float64),
        st.text(max_size=8).map(np.str_),
        st.binary(max_size=8).map(np.bytes_),
    )


huge_integers = st.one_of(
    st.integers(),
    st.sampled_from([2**31, 2**32, 2**63, 2**64, 2**65, 10**30, 10**400]).flatmap(
        lambda edge: st.integers(-2, 2).flatmap(lambda d: st.sampled_from([edge + d, -edge + d]))
    ),
)
#: Every width in which CPython keeps a str, lone surrogates and NUL included.
any_text = st.one_of(
    st.text(st.characters(max_codepoint=0x7F, categories=None), max_size=60),
    st.text(st.characters(max_codepoint=0xFF, categories=None), max_size=60),
    st.text(st.characters(max_codepoint=0xFFFF, categories=None), max_size=60),
    st.text(st.characters(categories=None), max_size=60),
    st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=None), max_size=9),
)


def odd_values() -> st.SearchStrategy[Any]:
    """Whatever somebody might pass by mistake or by malice."""
    import decimal
    import fractions
    import pathlib

    return st.one_of(
        st.none(),
        st.booleans(),
        huge_integers,
        st.floats(),
        any_text,
        st.binary(max_size=20),
        st.binary(max_size=20).map(bytearray),
        st.binary(max_size=20).map(memoryview),
        any_text.map(OddStr),
        st.integers(-50, 2**40).map(OddInt),
        st.floats().map(OddFloat),
        st.binary(max_size=20).map(OddBytes),
        st.complex_numbers(),
        st.decimals().map(lambda d: d if d.is_finite() else decimal.Decimal(1)),
        st.fractions().map(fractions.Fraction),
        st.sampled_from(["/tmp", "/proc/version", "x", "a/../b", ""]).map(pathlib.PurePosixPath),
        st.lists(st.integers(), max_size=3),
        st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        st.sampled_from([object, Ellipsis, NotImplemented, len, print]),
        watched(st.one_of(st.integers(0, 9), st.booleans(), st.text(max_size=4), st.none())),
        numpy_values(),
    )


@st.composite
def calls(
    draw: Callable[..., Any],
    required: dict[str, st.SearchStrategy[Any]],
    optional: dict[str, st.SearchStrategy[Any]] | None = None,
    *,
    odd: dict[str, st.SearchStrategy[Any]] | None = None,
    malformed: bool = False,
    around: st.SearchStrategy[tuple[Fresh, ...]] | None = None,
    log_levels: tuple[int | None, ...] = (logging.DEBUG,),
) -> Call:
    """Calls in every positional and keyword form.

    Args:
        required: strategies for the parameters without a default, in their order.
        optional: strategies for those with one.
        odd: further strategies. A call has mostly one odd argument, since among several the
            original looks at the first only.
        malformed: whether one call in five doesn't fit the signature.
        around: strategy for the call's surroundings.
        log_levels: from which to choose the call's `log_level`.
    """
    optional = optional or {}
    names = [*required, *optional]
    if odd:
        choices = [(), *((name,) for name in odd), tuple(odd)]
        chosen = {name: odd[name] for name in draw(st.sampled_from(choices))}
        required = {name: chosen.get(name, usual) for name, usual in required.items()}
        optional = {name: chosen.get(name, usual) for name, usual in optional.items()}
    # Those that are given by position are without gaps.
    positional = draw(st.integers(0, len(names)))
    given = {name: draw(strategy) for name, strategy in required.items()}
    args = []
    kwargs: dict[str, Any] = {}
    for position, name in enumerate(names):
        if name in optional and position >= positional and draw(st.booleans()):
            continue
        value = given[name] if name in given else draw(optional[name])
        if position < positional:
            args.append(value)
        else:
            kwargs[name] = value
    if len(kwargs) > 1 and draw(st.booleans()):
        kwargs = dict(draw(st.permutations(list(kwargs.items()))))
    if malformed and draw(st.integers(0, 4)) == 0:
        kind = draw(st.sampled_from(["missing", "extra", "unknown", "twice"]))
        if kind == "missing" and args:
            args.pop()
        elif kind == "missing" and kwargs:
            kwargs.popitem()
        elif kind == "extra":
            args += [1] * (len(names) - len(args) + draw(st.integers(1, 9)))
        elif kind == "twice" and args:
            kwargs[names[draw(st.integers(0, len(args) - 1))]] = 1
        else:
            known = draw(st.sampled_from(names)) if names else "x"
            kwargs[draw(st.sampled_from([known + "_", known.upper(), "", "é", "\udc80"]))] = 1
    surroundings = draw(around) if around is not None else ()
    return Call(tuple(args), kwargs, surroundings, draw(st.sampled_from(log_levels)))
