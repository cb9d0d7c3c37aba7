"""The user's hash, names, colors and secrets against their originals."""

import builtins
import contextlib
import hashlib
import logging
import os
import re
from pathlib import Path

import applicability
import pytest
from differential import (
    COMMON,
    any_text,
    calls,
    compare,
    either,
    enable,
    home,
    huge_integers,
    odd_values,
    property_test,
    proxy_of,
)
from hypothesis import strategies as st
from one_call import (
    Call,
    Fresh,
    OddInt,
    OddStr,
    environment,
    limit,
    scratch,
    setting,
    unprivileged,
)
from strategies import cluster_names, hashes, nearly_hashes

from sky_rs_patch import _native
from sky_rs_patch._binding import proxies
from sky_rs_patch._routes import registry
from sky_rs_patch._runtime import implementation as implementations

SILENT, DEBUG, OWN_HANDLER = logging.INFO, logging.DEBUG, None
LEVELS = (SILENT, DEBUG, OWN_HANDLER)
VARIABLE = "SKYPILOT_USER_ID"
#: Nobody's own file is touched.
HASH_FILE = str(scratch() / "user" / "user_hash")
READERS = ("get_user_hash", "make_cluster_name_on_cloud")


@pytest.fixture(autouse=True)
def other_file(disabled_before_and_after, monkeypatch):
    """The file of these tests, and routes whose guards were derived with it in place."""
    enable()
    module = home("get_user_hash")
    served = [name for name in READERS if applicability.reason(f"{COMMON}.{name}") is None]
    if served:
        monkeypatch.setattr(module, "USER_HASH_FILE", HASH_FILE)
    for name in served:
        target = f"{COMMON}.{name}"
        original = proxy_of(name).__wrapped__
        implementation, resolver = implementations.choose(
            original, module, target, registry.registry.get(target)
        )
        route = _native.Route(target, original, implementation, resolver)
        monkeypatch.setattr(module, name, proxies.kind().cls(route))


def hash_file(content):
    """The file with the user's hash: its bytes, None for none, or what else is there."""

    @contextlib.contextmanager
    def put():
        path = scratch() / "user"
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
        path /= "user_hash"
        with contextlib.ExitStack() as stack:
            if home("get_user_hash").USER_HASH_FILE is not HASH_FILE:
                stack.enter_context(setting(COMMON, "USER_HASH_FILE", HASH_FILE).factory(stack))
            if content == "directory":
                path.mkdir()
                stack.callback(path.rmdir)
            elif content == "link":
                path.symlink_to("/proc/version")
                stack.callback(path.unlink, missing_ok=True)
            elif content == "secret":
                path.write_bytes(b"abcd1234")
                path.chmod(0)
                stack.callback(path.unlink, missing_ok=True)
            else:
                if content is not None:
                    path.write_bytes(content)
                stack.callback(path.unlink, missing_ok=True)
            yield

    return Fresh(f"hash_file({content!r})", lambda _: put())


# get_user_hash

contents = either(
    hashes.map(str.encode),
    st.builds(
        lambda before, text, after: f"{before}{text}{after}".encode(),
        st.text(" \t\n\r\v\f\x1c\x1d\x1e\x1f", max_size=3),
        hashes,
        st.text(" \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0", max_size=3),
    ),
    nearly_hashes.map(str.encode),
    st.binary(max_size=9),
    st.integers(1000, 1050).map(lambda length: b"a" * length),
    st.sampled_from([None, "directory", "link", "secret", b"", b"\xef\xbb\xbfabc", b"a\r\nb"]),
)
variables = either(
    st.none(),
    hashes,
    hashes.map("{}\n".format),
    nearly_hashes.map(lambda text: text.replace("\0", "")),
    st.sampled_from(["", b"\xff", b"abc\xff", "-", "abc\n\n"]),
)


@property_test(
    st.tuples(hashes, st.booleans()).map(
        lambda drawn: Call(
            (),
            {},
            (
                environment(**{VARIABLE: drawn[0] if drawn[1] else None}),
                hash_file(drawn[0].encode()),
            ),
        )
    ),
    examples=200,
    share=1.0,
)
def test_get_user_hash_where_there_is_one(given):
    compare("get_user_hash", given)


@property_test(st.tuples(variables, contents, calls({}, malformed=True)), examples=500)
def test_get_user_hash_of_anything(drawn):
    variable, content, given = drawn
    around = (hash_file(content), environment(**{VARIABLE: variable}))
    compare("get_user_hash", given._replace(around=around))


@pytest.mark.parametrize("around", [unprivileged, limit("RLIMIT_NOFILE", 0)], ids=repr)
@pytest.mark.parametrize("content", [b"abcd1234", "secret", "directory"])
def test_get_user_hash_where_it_cannot_be_read(around, content):
    given = Call((), {}, (environment(**{VARIABLE: None}), hash_file(content), around))
    compare("get_user_hash", given)


@pytest.mark.parametrize("content", [None, b"", b"-", b"abc\xff"])
def test_get_user_hash_makes_one_as_the_original_does(content):
    applicability.require("get_user_hash")
    written = []
    module = home("get_user_hash")
    proxy = module.get_user_hash
    for function in (proxy.__wrapped__, proxy):
        with contextlib.ExitStack() as stack:
            stack.enter_context(environment(**{VARIABLE: None}).factory(stack))
            stack.enter_context(hash_file(content).factory(stack))
            try:
                result = function()
            except UnicodeDecodeError as error:
                result = str(error)
            written.append((result, Path(HASH_FILE).read_bytes()))
    assert written[0] == written[1]
    assert proxy._self_route.counts()[0] == 0


def with_hash(name):
    """Surroundings in which there is a user's hash, for those that read it."""
    file = (hash_file(b"abcd1234"),) if name in READERS else ()
    return (environment(**{VARIABLE: None}), *file)


# make_cluster_name_on_cloud

odd_names = either(
    cluster_names.map(OddStr),
    any_text,
    # Letters that become ASCII in lower case, or longer.
    st.sampled_from(["\u212a", "A\u0130", "ß.", "é_", "x" * 200]),
    odd_values(),
)
lengths = either(st.integers(11, 70), st.just(35), st.none())
odd_lengths = either(
    st.integers(-30, 15), st.booleans(), huge_integers, st.integers(0, 50).map(OddInt), odd_values()
)
user_hash = (environment(**{VARIABLE: None}), hash_file(b"abcd1234\n"))
surroundings = either(
    st.just(user_hash),
    st.builds(lambda variable: (environment(**{VARIABLE: variable}), *user_hash[1:]), hashes),
)


@property_test(
    calls(
        {"display_name": cluster_names},
        {"max_length": either(st.integers(13, 70), st.none()), "add_user_hash": st.booleans()},
        around=st.just(user_hash),
        log_levels=(SILENT, OWN_HANDLER),
    ),
    examples=400,
    share=1.0,
)
def test_make_cluster_name_on_cloud_of_names(given):
    compare("make_cluster_name_on_cloud", given)


@property_test(
    calls(
        {"display_name": cluster_names},
        {"max_length": lengths, "add_user_hash": st.booleans()},
        around=surroundings,
        log_levels=LEVELS,
    ),
    examples=400,
)
def test_make_cluster_name_on_cloud_with_hashes_and_handlers(given):
    compare("make_cluster_name_on_cloud", given)


@property_test(
    calls(
        {"display_name": cluster_names},
        {"max_length": lengths, "add_user_hash": st.booleans()},
        odd={
            "display_name": odd_names,
            "max_length": odd_lengths,
            "add_user_hash": either(st.none(), st.integers(-1, 2), odd_values()),
        },
        malformed=True,
        around=either(
            surroundings, contents.map(lambda content: (user_hash[0], hash_file(content)))
        ),
        log_levels=LEVELS,
    ),
    examples=600,
)
def test_make_cluster_name_on_cloud_of_anything(given):
    compare("make_cluster_name_on_cloud", given)


def test_make_cluster_name_on_cloud_at_every_small_limit():
    for name in ("abc-def", "a---------b", "A.b_c-", "x" * 40, "-a", "---", "a-" * 60, ""):
        for most in range(-5, 60):
            for add in (True, False):
                given = Call((name, most, add), {}, user_hash, SILENT)
                compare("make_cluster_name_on_cloud", given)


def test_redact_secrets_values_keeps_the_objects():
    argv = ["sky", "--secret", "no value " * 3, "--secret=" + "x" * 3, "--secret"]
    redact = proxy_of("_redact_secrets_values")
    for function in (redact, redact.__wrapped__):
        result = function(argv)
        assert result is not argv
        assert all(before is after for before, after in zip(argv, result))
    assert redact._self_route.counts()[0]


# What the originals read


class Other:
    """A stand-in that is nothing but different."""


def replaced(module, name, value):
    @contextlib.contextmanager
    def put():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, name, value)
            yield

    return Fresh(f"replaced({name})", lambda _: put())


def reads():
    enable()
    module = home("get_user_hash")
    constants = module.constants
    # Made before: `re.compile` would come back to it.
    never = re.compile("never")
    regex = [
        (re, "match", lambda *_: Other()),
        (re, "fullmatch", lambda *_: Other()),
        (re, "sub", lambda *_: "SUB"),
        (re, "_compile", lambda *_: never),
    ]
    # After SkyPilot 0.14.1 it is `re.fullmatch` that says what a user's hash is.
    whole = "fullmatch" in module.is_valid_user_hash.__code__.co_names
    hashes = regex[1] if whole else regex[0]
    name = ("My.Cluster" * 5, 30)
    return {
        "is_valid_user_hash": (("abc",), [hashes, regex[3]]),
        "is_valid_env_var": (
            ("abc",),
            [regex[1], regex[3], (module, "_VALID_ENV_VAR_REGEX", "x")],
        ),
        "check_cluster_name_is_valid": (
            ("abc",),
            [regex[1], regex[3], (constants, "CLUSTER_NAME_VALID_REGEX", "x")],
        ),
        "remove_color": (("a\x1bm",), [(module, "_COLOR_PATTERN", re.compile("a"))]),
        "_redact_secrets_values": (
            (["--secret", "a=b"],),
            [regex[2], regex[3], (module, "isinstance", lambda *_: False)],
        ),
        "get_user_hash": (
            (),
            [
                hashes,
                (module, "is_valid_user_hash", lambda _: True),
                (module, "USER_HASH_FILE", "/nowhere/at/all"),
                (constants, "USER_ID_ENV_VAR", "HOME"),
                (os, "getenv", lambda *_: "from-getenv"),
                (os.path, "exists", lambda _: False),
                (builtins, "open", lambda *_, **__: 1 / 0),
                (module, "open", lambda *_, **__: 1 / 0),
            ],
        ),
        "make_cluster_name_on_cloud": (
            name,
            [
                regex[2],
                hashes,
                (module, "get_user_hash", lambda: "mocked"),
                (module, "is_valid_user_hash", lambda _: True),
                (module, "base36_encode", lambda _: "zz"),
                (module, "CLUSTER_NAME_HASH_LENGTH", 5),
                (module, "USER_HASH_FILE", "/nowhere/at/all"),
                (module, "logger", logging.getLogger("other")),
                (hashlib, "md5", hashlib.sha1),
                (constants, "USER_ID_ENV_VAR", "HOME"),
                (os, "getenv", lambda *_: "from-getenv"),
                (os.path, "exists", lambda _: False),
            ],
        ),
    }


@pytest.mark.parametrize(
    ("name", "index"), [(name, i) for name, (_, all_) in reads().items() for i in range(len(all_))]
)
def test_what_an_original_reads_is_seen_to_be_replaced(name, index):
    arguments, replacements = reads()[name]
    module, attribute, value = replacements[index]
    around = with_hash(name)
    assert compare(name, Call(arguments, {}, around, SILENT)).rust
    if not hasattr(module, attribute):
        changed = Fresh("a new global", lambda _: with_global(module, attribute, value))
    else:
        changed = replaced(module, attribute, value)
    outcome = compare(name, Call(arguments, {}, (*around, changed), SILENT))
    assert outcome.declined == "guard"
    assert compare(name, Call(arguments, {}, around, SILENT)).rust


@contextlib.contextmanager
def with_global(module, name, value):
    setattr(module, name, value)
    try:
        yield
    finally:
        delattr(module, name)


@pytest.mark.parametrize(
    ("name", "constant", "value", "argument"),
    [
        ("check_cluster_name_is_valid", "constants.CLUSTER_NAME_VALID_REGEX", "[b-z]", "a"),
        ("remove_color", "_COLOR_PATTERN", re.compile("\x1b[^m]*m"), "x\x1b[0mÉ"),
        ("remove_color", "_COLOR_PATTERN", re.compile(r"\x1b[^m]*m", re.IGNORECASE), "x\x1b[0MÉ"),
        ("remove_color", "_COLOR_PATTERN", re.compile(r"\x1b[^n]*n"), "x\x1b[0nÉ"),
        ("is_valid_env_var", "_VALID_ENV_VAR_REGEX", "[0-9]*", "1"),
        ("make_cluster_name_on_cloud", "CLUSTER_NAME_HASH_LENGTH", 5, "x" * 50),
        ("make_cluster_name_on_cloud", "CLUSTER_NAME_HASH_LENGTH", -1, "x" * 50),
        ("make_cluster_name_on_cloud", "CLUSTER_NAME_HASH_LENGTH", True, "x" * 50),
    ],
)
def test_a_constant_that_was_another_from_the_start(name, constant, value, argument, monkeypatch):
    """Guards compare with what they find first; the native code looks at the value as well."""
    module = home(name)
    monkeypatch.setattr(f"{COMMON}.{constant}", value)
    target = f"{COMMON}.{name}"
    original = proxy_of(name).__wrapped__
    implementation, resolver = implementations.choose(
        original, module, target, registry.registry.get(target)
    )
    route = _native.Route(target, original, implementation, resolver)
    monkeypatch.setattr(module, name, proxies.kind().cls(route))
    around = (environment(**{VARIABLE: "abc"}),)
    compare(name, Call((argument,), {}, around, SILENT))


def test_a_replaced_environment_is_the_originals(monkeypatch):
    applicability.require("get_user_hash")

    class Contextual(dict):
        pass

    monkeypatch.setattr(os, "environ", Contextual({VARIABLE: "contextual"}))
    assert home("get_user_hash").get_user_hash() == "contextual"
    assert home("get_user_hash").make_cluster_name_on_cloud("a", 20) == "a-contextual"
