"""base36_encode, format_float and truncate_long_string against their originals."""

import fractions
import math
import os
import subprocess
import sys
import textwrap

import pytest
from differential import (
    any_text,
    calls,
    compare,
    either,
    home,
    huge_integers,
    odd_values,
    property_test,
)
from hypothesis import assume
from hypothesis import strategies as st
from one_call import Call, Fresh, call

# base36_encode

HEX = "0123456789abcdefABCDEF"
hex_digits = either(
    st.text(HEX, min_size=1, max_size=200),
    st.integers(0, 2**64 - 1).map("{:x}".format),
    st.integers(0, 2**512).map("{:X}".format),
    # Around the powers of 36, where a digit is added.
    st.builds(
        lambda power, d: f"{max(36**power + d, 0):x}", st.integers(0, 120), st.integers(-2, 2)
    ),
    st.builds(lambda digit, n: digit * n, st.sampled_from("0f1"), st.integers(1, 1100)),
)
SPACES = " \t\n\r\v\f"
plain_hex = either(
    hex_digits,
    st.builds(
        "{}{}{}{}{}".format,
        st.text(SPACES, max_size=3),
        st.sampled_from(["", "+"]),
        st.sampled_from(["", "0x", "0X", "0x_"]),
        hex_digits.flatmap(lambda digits: st.sampled_from([digits, "_".join(digits)])),
        st.text(SPACES, max_size=3),
    ),
)
SEPARATORS = "\x1c\x1d\x1e\x1f\x85\xa0\u2003"
odd_hex = either(
    st.builds(
        "{}{}{}".format,
        st.text(SPACES + SEPARATORS, max_size=2),
        plain_hex,
        st.text(SPACES + SEPARATORS, max_size=2),
    ),
    st.text("0f_", min_size=1, max_size=9),
    st.builds(
        "{}{}".format, st.sampled_from(["", "+", "-0", "++", "0x", "0x0x", "+0X_"]), hex_digits
    ),
)
#: Characters near those that int() accepts.
almost_hex = st.text(
    st.sampled_from("0019afxXgG_+- \t\x1c\x1d\x1e\x1f\x85\xa0\u2003\0\x7f٣߁𝟘é\udc80l.e"),
    max_size=12,
)


@property_test(calls({"hex_str": plain_hex}), examples=400, share=1.0)
def test_base36_encode_of_hexadecimal(given):
    compare("base36_encode", given)


@property_test(
    calls(
        {
            "hex_str": either(
                plain_hex,
                odd_hex,
                almost_hex,
                any_text,
                almost_hex.map(lambda text: text.encode("utf-8", "surrogatepass")),
                plain_hex.map(str.encode),
                plain_hex.map(lambda text: bytearray(text.encode())),
                odd_values(),
            )
        },
        malformed=True,
    ),
    examples=600,
)
def test_base36_encode_of_anything(given):
    for value in (*given.args, *given.kwargs.values()):
        # With a negative number the original never returns; see the test of its own below.
        assume(not is_negative(value))
    compare("base36_encode", given)


def is_negative(value):
    if isinstance(value, Fresh):
        return False
    try:
        return int(value, 16) < 0
    except (TypeError, ValueError):
        return False


@pytest.mark.parametrize("length", [1023, 1024, 1025, 5000, 16 * 1024, 16 * 1024 + 1, 20_000])
@pytest.mark.parametrize("digit", ["f", "1", "0"])
def test_base36_encode_of_long_numbers(digit, length):
    compare("base36_encode", call(digit * length))
    compare("base36_encode", call("_".join(digit * (length // 2))))


@pytest.mark.parametrize(
    "spaces", [*SPACES, "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u2003"]
)
def test_base36_encode_strips_what_int_strips(spaces):
    compare("base36_encode", call(f"{spaces}ff"))
    compare("base36_encode", call(f"ff{spaces}"))
    # Beyond ASCII other spaces count.
    compare("base36_encode", call(f"{spaces}f٣{spaces}"))


def test_base36_encode_of_negative_numbers_is_left_to_the_original():
    # The original never returns, so threads call it, and the process ends under them.
    program = """
        import os, threading, time
        import sky_rs_patch
        sky_rs_patch.enable()
        from sky.utils import common_utils

        def encode(number):
            common_utils.base36_encode(number)
            print(number, "came back", flush=True)

        route = common_utils.base36_encode._self_route
        numbers = ["-1", "-0x_fF", " -1\\n", "-" + "f" * 600, "-\u0661"]
        for number in numbers:
            threading.Thread(target=encode, args=(number,), daemon=True).start()
        while route.counts()[1] < len(numbers):
            time.sleep(0.01)
        time.sleep(0.1)
        print(route.counts()[:3], flush=True)
        os._exit(0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "SKYPILOT_USE_RUST": "1"},
    )
    assert done.stdout == "(0, 5, {'value': 5})\n", done.stdout + done.stderr


# format_float

decimal_floats = st.builds(
    lambda digits, places: digits / 10**places, st.integers(-(10**17), 10**17), st.integers(0, 20)
)
#: A half of the last digit: whether it is rounded up depends on the float's exact value.
ties = st.builds(
    lambda n, places: (2 * n + 1) / (2 * 10**places),
    st.integers(-(10**6), 10**6),
    st.integers(0, 4),
)
dyadic = st.builds(math.ldexp, st.integers(-(2**53), 2**53), st.integers(-1080, 960))
all_floats = either(
    st.floats(),
    st.floats(-1e4, 1e4),
    decimal_floats,
    ties,
    dyadic,
    st.integers(-(2**70), 2**70).map(float),
    st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, -math.nan, 2.0**52 + 0.5, 5e-324]),
    st.sampled_from([2.0**63, 2.0**64, 1e22, 1e23, 1.7976931348623157e308]),
)


def affordable(given):
    """Precisions in between ask the original for millions of digits.

    From CPython 3.12 on a fraction computes however many are asked for.
    """
    values = (*given.args, *given.kwargs.values())
    most = math.inf if any(isinstance(value, fractions.Fraction) for value in values) else 2**31
    for value in (*given.args[1:], *given.kwargs.values()):
        try:
            if 5000 < int(value) < most:
                return False
        except (TypeError, ValueError, OverflowError):
            pass
    return True


@property_test(
    calls(
        {"num": either(all_floats, huge_integers, st.booleans())},
        {"precision": st.integers(0, 64)},
    ),
    examples=600,
    share=1.0,
)
def test_format_float_of_numbers(given):
    compare("format_float", given)


@property_test(
    calls({"num": all_floats}, {"precision": st.integers(0, 5)}), examples=800, share=1.0
)
def test_format_float_rounds_as_python(given):
    compare("format_float", given)


@property_test(
    calls(
        {"num": all_floats},
        {"precision": st.integers(0, 9)},
        odd={
            "num": odd_values(),
            "precision": either(
                st.integers(-3, 400),
                odd_values(),
                st.sampled_from(["", "0", "3", "03", "+1", "1e", "{", "}", "٣", "2f}{"]),
            ),
        },
        malformed=True,
    ).filter(affordable),
    examples=800,
)
def test_format_float_of_anything(given):
    compare("format_float", given)


def test_format_float_of_more_digits_than_python_prints():
    for number in (10**4299, 10**4300, -(10**4300), 10**5000):
        compare("format_float", call(number))


# truncate_long_string


#: Up to SkyPilot 0.9.3 only the end is cut off.
MIDDLE = (
    {"truncate_middle": st.booleans()}
    if "truncate_middle" in home("truncate_long_string").truncate_long_string.__code__.co_varnames
    else {}
)


def spaced(alphabet):
    """Words and spaces, often enough at the ends and in runs."""
    return st.text(either(st.just(" "), alphabet), max_size=70)


words = either(
    spaced(st.sampled_from("ab")),
    spaced(st.characters(max_codepoint=0x7F)),
    spaced(st.characters(min_codepoint=0x80, max_codepoint=0xFF)),
    spaced(st.sampled_from("aé߁語")),
    spaced(st.sampled_from("a😀\U0010ffff")),
    spaced(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=None)),
    spaced(st.sampled_from("a\t\n\xa0\u2003\0.")),
    st.builds(lambda text, n: text * n, spaced(st.sampled_from("abé")), st.integers(0, 60)),
    # Wide characters that are cut off leave a string that fits a narrower kind.
    st.builds(lambda n, tail: "a " * n + tail, st.integers(0, 30), st.text(max_size=3)),
)


@property_test(
    calls(
        {"s": words},
        {
            "max_length": st.integers(-80, 90),
            **dict.fromkeys(MIDDLE, st.sampled_from([False, True, 0, 1, 7, -1, None])),
        },
    ),
    examples=700,
    share=1.0,
)
def test_truncate_long_string_of_text(given):
    compare("truncate_long_string", given)


@property_test(
    st.tuples(words, st.integers(0, 12), st.tuples(*MIDDLE.values())), examples=600, share=1.0
)
def test_truncate_long_string_at_every_small_limit(drawn):
    text, limit, middle = drawn
    compare("truncate_long_string", Call((text, limit, *middle)))
    # Where the limit is the length the argument itself is returned.
    compare("truncate_long_string", Call((text, len(text) + limit - 6, *middle)))


@property_test(
    calls(
        {"s": words},
        {"max_length": st.integers(-80, 90), **MIDDLE},
        odd={
            "s": either(any_text, odd_values()),
            "max_length": odd_values(),
            **dict.fromkeys(MIDDLE, odd_values()),
        },
        malformed=True,
    ),
    examples=600,
)
def test_truncate_long_string_of_anything(given):
    compare("truncate_long_string", given)
