"""Calls of the routes of ``sky.utils.common_utils``."""

from __future__ import annotations

import logging
import re

from one_call import Call, call, environment

from cases.case import RouteCases
from cases.material import (
    busy_port,
    log_file,
    sky_at_least,
    user_hash,
    validations,
    with_environment,
)
from cases.wrong import accepting, changed


def each_text(change):
    """A wrong candidate that changes each item of the list that the original gives."""
    return changed(
        lambda result, argv: (
            list(map(change, result)) if all(type(item) is str for item in argv) else result
        ),
        list,
    )


def redact_next_option(redacted, argv):
    """Takes the option that follows another one for its value, and what follows for one, too."""
    if all(type(item) is str for item in argv):
        for at in range(len(argv) - 2):
            if argv[at] == argv[at + 1] == "--secret":
                redacted[at + 2] = re.sub("^([^=]+)=.*", r"\1=<redacted>", argv[at + 2])
    return redacted


CASES = (
    RouteCases(
        "read_last_n_lines",
        guards=lambda: (call(log_file(), 3), call(log_file(), 0)),
        memory=lambda m: [(path, count) for path in m.paths for count in (0, 1, 7, 10**6)],
        hot=lambda m: {"10 lines": (m.log, 10)},
        fuzz=lambda m: m.Description(
            {
                "file_path": m.mostly(m.path_of(m.content), m.one_of(*m.files.SPECIAL), odd=0.02),
                "n": m.mostly(lambda rng: rng.randrange(12), m.values.integer, odd=0.02),
                "chunk_size": m.sometimes(
                    m.one_of(1, 2, 3, 7, 100, 8192, 2**20, 2**62, 0, -1), 0.3
                ),
                "encoding": m.sometimes(
                    m.one_of("utf-8", "utf-8", "UTF-8", "latin-1", "utf-16", "nope")
                ),
                "errors": m.sometimes(
                    m.one_of(
                        "replace", "ignore", "strict", "backslashreplace", "surrogateescape", "nope"
                    )
                ),
            },
            ("files", "test_read_last_n_lines"),
            weight=3_000,
            around=m.hindrance,
            light=False,
            allowed=m.tail_allowed,
        ),
    ),
    RouteCases(
        "hash_file",
        guards=lambda: (call(log_file(), "sha256"), call(log_file(), "sha3_256")),
        memory=lambda m: [
            (path, name) for path in m.paths for name in ("md5", "sha512", "blake2b", "none")
        ],
        hot=lambda m: {"8 KiB, md5": (m.log, "md5")},
        fuzz=lambda m: m.Description(
            {
                "path": m.mostly(m.path_of(m.content), m.one_of(*m.files.SPECIAL), odd=0.02),
                "hash_alg": m.mostly(m.one_of(*m.COMMON_ALGORITHMS), m.spelled, odd=0.02),
            },
            ("files", "test_hash_file"),
            weight=3_000,
            around=m.hindrance,
            light=False,
            allowed=m.closes_nothing,
        ),
    ),
    RouteCases(
        "find_free_port",
        guards=lambda: (
            call(busy_port() + 1),
            Call((busy_port(),), log_level=logging.INFO),
        ),
        memory=lambda m: [(1024,), (65535,), (70000,)],
        fuzz=lambda m: m.Description(
            {
                "start_port": m.mostly(
                    lambda rng: 20_000 + rng.randrange(40),
                    lambda rng: 20_000 + rng.randrange(40),
                    lambda rng: rng.randrange(19_000, 31_000),
                    m.one_of(0, 1, 65_533, 65_534, 65_535, 65_536, -1),
                    m.values.integer,
                )
            },
            ("system", "test_find_free_port"),
            weight=3_000,
            around=m.free_ports,
            levels=(m.SILENT, m.SILENT, logging.DEBUG, None),
            light=False,
            restless=True,
        ),
    ),
    RouteCases(
        "base36_encode",
        guards=lambda: (call("deadbeef"), call("0")),
        memory=lambda m: [(text,) for text in ("ff", "f" * 5000, "-1", "g", *m.WIDE)],
        hot=lambda m: {"an md5": ("d41d8cd98f00b204e9800998ecf8427e",)},
        fuzz=lambda m: m.Description(
            {
                "hex_str": m.mostly(
                    m.hexadecimal, m.altered(m.hexadecimal), m.written("0fF_xX+- "), m.values.text
                )
            },
            ("text", "test_base36_encode_of"),
            weight=110_000,
            allowed=m.comes_back,
        ),
    ),
    RouteCases(
        "format_float",
        guards=lambda: (call(3.14159), call(2.0), call(7), call(float("nan"))),
        memory=lambda m: [
            (number, *rest)
            for number in (0.0, -1.5, 1e300, 5e-324, float("nan"), 3, True, 2**80)
            for rest in ((), (0,), (64,), (65,))
        ],
        hot=lambda m: {
            "1.0": (1.0,),
            "3.14159": (3.14159,),
            "an int": (7,),
            "a declined one": ("1.0",),
        },
        fuzz=lambda m: m.Description(
            {
                "num": m.mostly(
                    m.values.real, m.values.real, m.values.integer, m.one_of(True, False)
                ),
                "precision": m.sometimes(
                    m.mostly(lambda rng: rng.randrange(8), lambda rng: rng.randrange(-1, 66))
                ),
            },
            ("text", "test_format_float_"),
            weight=190_000,
            allowed=m.affordable,
        ),
    ),
    RouteCases(
        "truncate_long_string",
        guards=lambda: (
            call("some words of a long description " * 3),
            call("some words of a long description " * 3, 30, truncate_middle=True)
            if sky_at_least(10)
            else call("some words of a long description " * 3, 30),
            call("short"),
        ),
        memory=lambda m: [
            *[
                (text, length, middle)
                for text in m.texts
                for length in (-3, 0, 5, 90)
                for middle in (True, False)
            ],
            *[(text,) for text in m.texts],
        ],
        hot=lambda m: {
            "short": ("a short string",),
            "long": (m.SENTENCE,),
            "middle": (m.SENTENCE, 60, True),
        },
        fuzz=lambda m: m.Description(
            {
                "s": m.mostly(m.spaced, m.values.text, odd=0.02),
                "max_length": m.sometimes(
                    m.mostly(lambda rng: rng.randrange(-5, 60), m.values.integer), 0.85
                ),
                "truncate_middle": m.sometimes(
                    m.mostly(m.one_of(True, False), m.one_of(0, 1, None, 7))
                ),
            },
            ("text", "test_truncate_long_string_"),
            weight=160_000,
        ),
    ),
    RouteCases(
        "get_cpu_count",
        guards=lambda: (call(), with_environment(SKYPILOT_POD_CPU_CORE_LIMIT="2.5")),
        memory=lambda m: [()],
        fuzz=lambda m: m.Description(
            {},
            ("system", "test_get_cpu_count"),
            weight=3_000,
            around=m.processors,
            light=False,
        ),
    ),
    RouteCases(
        "get_mem_size_gb",
        guards=lambda: (call(), with_environment(SKYPILOT_POD_MEMORY_GB_LIMIT="2.5")),
        memory=lambda m: [()],
        hot=lambda m: {"": ()},
        fuzz=lambda m: m.Description(
            {},
            ("system", "test_get_mem_size_gb"),
            weight=3_000,
            around=m.memory,
            light=False,
        ),
    ),
    RouteCases(
        "validate_schema",
        guards=validations,
        memory=lambda m: [
            (value, schema, "prefix")
            for value in (
                m.TASK,
                {**m.TASK, "name": 3},
                {},
                {**m.TASK, "nodes": None},
                m.nested,
                {3: 4},
            )
            for schema in (
                m.SCHEMA,
                {},
                True,
                {"$ref": "#"},
                {"enum": [1, m.TASK]},
                {"not": {"type": "array"}},
            )
        ],
        hot=lambda m: {"a task": (m.TASK, m.task_schema())},
        fuzz=lambda m: m.Description(
            dict.fromkeys(("obj", "schema", "err_msg_prefix", "skip_none"), m.values.odd),
            ("schema", "test_"),
            whole=m.schema_call,
            weight=4_000,
            own=0.9,
            shared=True,
        ),
    ),
    RouteCases(
        "is_valid_user_hash",
        guards=lambda: (call("abc-123"), call("-"), call(None)),
        memory=lambda m: [("0123abcd",), (None,), *((text,) for text in m.WIDE)],
        hot=lambda m: {"": ("a1b2c3d4",)},
        fuzz=lambda m: m.Description(
            {"user_hash": m.mostly(m.user_hash, m.values.text, m.one_of(None))},
            weight=115_000,
        ),
        inputs=lambda s: {
            "user_hash": s.either(
                s.nearly_hashes, s.hashes, s.hashes.map("{}\n".format), s.any_text, s.none()
            )
        },
        odd=lambda s: {
            "user_hash": s.either(s.odd_values(), s.hashes.map(s.OddStr), s.hashes.map(str.encode))
        },
        mutants={
            "refuses a newline at the end": changed(lambda valid, text: valid and text[-1] != "\n"),
            "takes letters of all scripts": accepting(r"[^\W_][^\W_-]*(-[^\W_]*)*", True),
            "gives the match": changed(lambda valid, text: valid and re.match(".", text)),
        },
    ),
    RouteCases(
        "get_user_hash",
        guards=lambda: (
            Call(around=(environment(SKYPILOT_USER_ID="abc123"), user_hash(b"def456"))),
            Call(around=(environment(SKYPILOT_USER_ID=None), user_hash(b"def456\n"))),
        ),
        memory=lambda m: [()],
        fuzz=lambda m: m.Description(
            {},
            ("users", "test_get_user_hash"),
            weight=3_000,
            around=m.identity,
            light=False,
        ),
    ),
    RouteCases(
        "make_cluster_name_on_cloud",
        guards=lambda: (
            Call(
                ("My_cluster.with-a-long-name",),
                around=(environment(SKYPILOT_USER_ID=None), user_hash(b"def456\n")),
                log_level=logging.INFO,
            ),
            Call(("short",), {"max_length": 35}, (environment(SKYPILOT_USER_ID="abc123"),)),
        ),
        memory=lambda m: [
            (text, length) for text in ("a-b", "A_b.c" * 9, *m.WIDE) for length in (3, 30, None)
        ],
        hot=lambda m: {"": ("a.training_run", 10, False)},
        fuzz=lambda m: m.Description(
            {
                "display_name": m.mostly(m.cluster_name, m.altered(m.cluster_name)),
                "max_length": m.sometimes(
                    m.mostly(lambda rng: rng.randrange(-3, 60), m.one_of(None, 15, 35)), 0.9
                ),
                "add_user_hash": m.sometimes(m.mostly(m.one_of(True, False), m.one_of(None, 0, 1))),
            },
            ("users", "test_make_cluster_name_on_cloud"),
            weight=4_000,
            around=m.identity,
            levels=(m.SILENT, m.SILENT, m.SILENT, logging.DEBUG, None),
            light=False,
        ),
    ),
    RouteCases(
        "check_cluster_name_is_valid",
        guards=lambda: (call("my-cluster.1"), call(None)),
        memory=lambda m: [("a-b",), ("-",), *((text,) for text in m.WIDE)],
        hot=lambda m: {"": ("dev-1",)},
        fuzz=lambda m: m.Description(
            {"cluster_name": m.mostly(m.cluster_name, m.altered(m.cluster_name), m.values.text)},
            weight=65_000,
        ),
        inputs=lambda s: {
            "cluster_name": s.either(
                s.from_regex(r"\A[a-zA-Z]([-_.a-zA-Z0-9]{0,50}[a-zA-Z0-9])?\Z"), s.none()
            )
        },
        odd=lambda s: {
            "cluster_name": s.either(
                s.nearly_names, s.nearly_names, s.odd_values(), s.cluster_names.map(s.OddStr)
            )
        },
        mutants={
            "a dash at the end": accepting("[a-zA-Z].*-", None),
            "a newline at the end": accepting("(?s)[a-zA-Z]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?\n?", None),
            "no letter first": accepting("[-_.a-zA-Z0-9]*[a-zA-Z0-9]", None),
        },
    ),
    RouteCases(
        "check_workspace_name_is_valid",
        guards=lambda: (call("my-workspace_1"), call(None)),
        memory=lambda m: [("a-b",), ("-",), ("a" * 64,), *((text,) for text in m.WIDE)],
        fuzz=lambda m: m.Description(
            {"workspace_name": m.mostly(m.cluster_name, m.written("ab-_1", 70), m.values.text)},
            weight=65_000,
        ),
        inputs=lambda s: {
            "workspace_name": s.either(
                s.from_regex(r"\A[a-z]([-_a-z0-9]{0,61}[a-z0-9])?\Z"), s.none()
            )
        },
        odd=lambda s: {
            "workspace_name": s.either(
                s.from_regex(r"\A[a-z][-_a-z0-9]{58,66}\n?\Z"), s.nearly_names, s.odd_values()
            )
        },
        mutants={
            "a dash at the end": accepting("[a-z][-_a-z0-9]*", None),
            "a newline at the end": accepting("[a-z]([-_a-z0-9]*[a-z0-9])?\n?", None),
            "no letter first": accepting("[-_a-z0-9]{0,62}[a-z0-9]", None),
            "upper case and dots": accepting("[a-zA-Z]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?", None),
            "one character more": accepting("[a-z]([-_a-z0-9]{0,62}[a-z0-9])?", None),
        },
    ),
    RouteCases(
        "is_valid_env_var",
        guards=lambda: (call("HF_TOKEN"), call("1_TOKEN")),
        memory=lambda m: [("HOME",), ("1",), *((text,) for text in m.WIDE)],
        fuzz=lambda m: m.Description(
            {"name": m.mostly(m.joined(*m.VARIABLE), m.written("abZ_09"), m.values.text)},
            weight=115_000,
        ),
        inputs=lambda s: {
            "name": s.either(
                s.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_]*\n?\Z"),
                s.from_regex(r"\A[a-zA-Z0-9_]*\Z"),
                s.nearly_names,
            )
        },
        odd=lambda s: {"name": s.either(s.odd_values(), s.nearly_names.map(s.OddStr))},
        mutants={
            "a newline at the end": accepting("[a-zA-Z_][a-zA-Z0-9_]*\n?", True),
            "a digit first": accepting("[a-zA-Z0-9_]+", True),
            "letters of all scripts": accepting(r"(?u)[^\W\d]\w*", True),
        },
    ),
    RouteCases(
        "remove_color",
        guards=lambda: (call("\x1b[31mred\x1b[0m text"), call("plain")),
        memory=lambda m: [(text,) for text in (*m.colors, *m.texts)],
        hot=lambda m: {"a plain line": (m.SENTENCE,)},
        fuzz=lambda m: m.Description(
            {"s": m.mostly(m.joined(*m.COLORS), m.written("\x1b[m1é日\n"), m.values.text)},
            weight=115_000,
        ),
        inputs=lambda s: {"s": s.either(s.colored, s.any_text)},
        odd=lambda s: {
            "s": s.either(s.odd_values(), s.colored.map(s.OddStr), s.colored.map(str.encode))
        },
        mutants={
            "stops at a line end": changed(lambda _, text: re.sub("\x1b.*?m", "", text)),
            "takes unfinished ones": changed(lambda plain, _: re.sub("\x1b[^m]*$", "", plain)),
            "copies what has no color": changed(lambda plain, _: (plain + " ")[:-1]),
            "overlooks wide text": changed(lambda plain, s: s if s > "\uffff" else plain),
        },
    ),
    RouteCases(
        "_redact_secrets_values",
        guards=lambda: (
            call(["sky", "launch", "--secret", "A=b", "--secret=C=d", "--env", "E=f"]),
        ),
        memory=lambda m: [
            (["--secret", f"A={text}", f"--secret=B={text}\n", text],) for text in m.texts
        ],
        hot=lambda m: {"a launch": (m.ARGV,)},
        fuzz=lambda m: m.Description(
            {"argv": m.mostly(m.secrets)},
            weight=60_000,
        ),
        inputs=lambda s: {"argv": s.arguments},
        odd=lambda s: {"argv": s.odd_arguments},
        mutants={
            "beyond the line": each_text(
                lambda item: re.sub("(?s)<redacted>.*", "<redacted>", item)
            ),
            "a secret without a name": each_text(
                lambda item: "=<redacted>" if item.startswith("=") else item
            ),
            "the last value": each_text(
                lambda item: re.sub("^(--secret=.*)=.*", r"\1=<redacted>", item)
            ),
            "the next option is one": changed(redact_next_option, list),
            "the list itself": changed(
                lambda redacted, argv: argv if redacted == argv else redacted, list
            ),
        },
    ),
    RouteCases(
        "release_memory",
        guards=lambda: (call(),),
    ),
)
