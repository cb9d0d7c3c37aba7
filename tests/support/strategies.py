"""Hypothesis strategies for names, hashes, colors and arguments: for cases and property tests."""

import string

from differential import any_text, either, odd_values
from hypothesis import strategies as st
from hypothesis.strategies import from_regex, none
from one_call import OddStr

__all__ = ["OddStr", "any_text", "either", "from_regex", "none", "odd_values"]

# Users' hashes

pieces = st.sampled_from([*"aZ09-_. \t\n\r\v\f\x1c\x1f\x85\0é²Ⅷ", "abcd1234", "sa-", "\r\n", "０"])
nearly_hashes = st.lists(pieces, max_size=6).map("".join)
hashes = st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9-]{0,12}\Z")

# Names of clusters and variables

cluster_names = either(
    st.from_regex(r"\A[a-z]([-a-z0-9]{0,38}[a-z0-9])?\Z"),
    st.from_regex(r"\A[a-zA-Z]([-_.a-zA-Z0-9]{0,50}[a-zA-Z0-9])?\Z"),
    st.text(string.ascii_letters + string.digits + "-._", max_size=70),
    st.text("a-._", max_size=70),
    # Where it is cut, there are dashes in front.
    st.builds(
        lambda *counts: "".join(c * n for c, n in zip("xy.-_z", counts)),
        *[st.integers(0, 20)] * 2,
        *[st.integers(0, 4)] * 3,
        st.integers(0, 40),
    ),
)
nearly_names = either(
    cluster_names,
    st.from_regex(r"\A[a-zA-Z]([-_.a-zA-Z0-9]{0,20}[a-zA-Z0-9])?\n?\Z"),
    st.lists(st.sampled_from([*"aZ09-_. \n\0é²", "１"]), max_size=6).map("".join),
    st.from_regex(r"\A[a-zA-Z][-_.a-z0-9]{0,4}[-_.]\Z"),
    st.from_regex(r"\A[-_.0-9][-_.a-z0-9]{0,4}[a-z0-9]\Z"),
    st.text("aé²１_9ªℕ", max_size=3),
    any_text,
)

# Text with colors

colored = st.lists(
    either(
        st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[1;32m", "\x1b[\n1m", "\x1bm", "\x1b[\r\nm"]),
        st.sampled_from(["\x1b", "\x1b[", "m", "\n"]),
        st.text(max_size=4),
        st.text("\x1bm[1é日🙂", max_size=4),
        st.integers(28, 70).map(lambda length: "x" * length),
        st.integers(28, 70).map(lambda length: "日" * length),
    ),
    max_size=9,
).map("".join)

# Command lines with secrets

argument = either(
    st.sampled_from(
        ["sky", "-c", "--secret", "--secret=", "--secret=A", "--secret=A=b", "--secret=="]
    ),
    st.builds(
        "{}{}".format, st.sampled_from(["", "--secret=", "--secre", "--secrets="]), st.text()
    ),
    st.lists(st.sampled_from([*"A=\n\r\x85\u2028é日🙂", "--secret", "<redacted>"]), max_size=7).map(
        "".join
    ),
    st.lists(st.sampled_from([*"=\nAé日🙂"]), max_size=5).map("--secret={}".format).map(str),
    any_text,
)
secret = st.tuples(st.just("--secret"), argument)
arguments = st.lists(either(argument.map(lambda a: (a,)), secret), max_size=6).map(
    lambda parts: [each for part in parts for each in part]
)
odd_arguments = either(
    odd_values(),
    arguments.map(tuple),
    st.lists(either(argument, argument.map(OddStr), odd_values()), max_size=5),
)
