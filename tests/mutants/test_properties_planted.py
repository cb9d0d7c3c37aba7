"""Each property notices an error of the kind that a rewrite makes.

Wrong functions are put in the place of the native ones, and the property for the function must
fail, naming it. Each is right for most inputs, so that the strategies are on trial as well. Errors
that take a line or two stand in the `mutants` of a route's cases.
"""

import contextlib
import hashlib
import itertools
import logging
import os
import re
import socket
import warnings
from pathlib import Path

import pytest
import test_properties_basics as basics
import test_properties_files as files
import test_properties_system as system
import test_properties_text as text
import test_properties_users as users
from cases import CASES
from differential import (
    COMMON,
    FALLBACK,
    HASTY,
    SUBPROCESS,
    difference,
    enable,
    home,
    planted,
    proxy_of,
)

import sky_rs_patch

#: Function -> the properties of which one must notice.
PROPERTIES = {
    "base36_encode": [text.test_base36_encode_of_hexadecimal, text.test_base36_encode_of_anything],
    "format_float": [
        text.test_format_float_of_numbers,
        text.test_format_float_rounds_as_python,
        text.test_format_float_of_anything,
    ],
    "truncate_long_string": [
        text.test_truncate_long_string_of_text,
        text.test_truncate_long_string_at_every_small_limit,
        text.test_truncate_long_string_of_anything,
    ],
    "read_last_n_lines": [
        files.test_read_last_n_lines_of_files,
        files.test_read_last_n_lines_of_large_files,
        files.test_read_last_n_lines_decodes_as_python,
        files.test_read_last_n_lines_of_anything,
    ],
    "hash_file": [files.test_hash_file_of_files, files.test_hash_file_of_anything],
    "estimate_fd_for_directory": [
        files.test_estimate_fd_for_directory_of_directories,
        files.test_estimate_fd_for_directory_of_anything,
    ],
    "find_free_port": [
        system.test_find_free_port_among_busy_ones,
        system.test_find_free_port_with_a_handler_for_every_record,
        system.test_find_free_port_of_anything,
    ],
    "get_cpu_count": [
        system.test_get_cpu_count_of_a_set_number,
        system.test_get_cpu_count_of_anything,
    ],
    "get_mem_size_gb": [
        system.test_get_mem_size_gb_of_a_set_number,
        system.test_get_mem_size_gb_of_anything,
    ],
    "get_parallel_threads": [
        system.test_get_parallel_threads_of_clouds,
        system.test_get_parallel_threads_of_anything,
    ],
    "get_max_workers_for_file_mounts": [
        system.test_get_max_workers_of_directories,
        system.test_get_max_workers_with_limits_and_handlers,
        system.test_get_max_workers_of_anything,
    ],
    "is_process_alive": [
        system.test_is_process_alive_of_numbers,
        system.test_is_process_alive_of_anything,
    ],
    "get_user_hash": [
        users.test_get_user_hash_where_there_is_one,
        users.test_get_user_hash_of_anything,
    ],
    "make_cluster_name_on_cloud": [
        users.test_make_cluster_name_on_cloud_of_names,
        users.test_make_cluster_name_on_cloud_with_hashes_and_handlers,
        users.test_make_cluster_name_on_cloud_of_anything,
    ],
    **basics.PROPERTIES,
}
PLANTED = []


def error_in(name):
    """Registers a maker of a wrong function; it is given the original."""

    def register(make):
        PLANTED.append(pytest.param(name, make, id=f"{name}-{make.__name__}"))
        return make

    return register


def swallowing(default, *exceptions):
    """Makes an error by which a failure becomes an ordinary result."""

    def make(original):
        def wrong(*args, **kwargs):
            try:
                return original(*args, **kwargs)
            except exceptions:
                return default

        return wrong

    return make


def changed(change):
    """Makes an error by which a result becomes another."""

    def make(original):
        return lambda *args, **kwargs: change(original(*args, **kwargs))

    return make


def plant(name, label, make):
    PLANTED.append(pytest.param(name, make, id=f"{name}-{label}"))


# Errors that any function might have

ANYWHERE = {
    "base36_encode": (ValueError, "0"),
    "format_float": (ValueError, "nan"),
    "truncate_long_string": (TypeError, ""),
    "read_last_n_lines": (AssertionError, []),
    "hash_file": (OSError, None),
    "estimate_fd_for_directory": (OSError, 0),
    "find_free_port": (OSError, 65_535),
    "get_cpu_count": (ValueError, 1),
    "get_mem_size_gb": (ValueError, 0.0),
    "get_parallel_threads": (AttributeError, 4),
    "get_max_workers_for_file_mounts": (AttributeError, 1),
    "is_process_alive": (ValueError, False),
    **dict.fromkeys(("get_user_hash", "make_cluster_name_on_cloud"), (Exception, None)),
    **dict.fromkeys(basics.PROPERTIES, (Exception, None)),
}
#: It takes all kinds of arguments, and never raises but for their number.
TOLERANT = {"_redact_secrets_values"}


def extra_record(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        logging.getLogger("sky.utils.common_utils").info("answered by a candidate")
        return result

    return wrong


def extra_warning(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        warnings.warn("a candidate answered", DeprecationWarning, stacklevel=2)
        return result

    return wrong


def leaked_descriptor(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        LEAKED.append(os.open("/dev/null", os.O_RDONLY))
        return result

    return wrong


LEAKED = []


def leftover_global(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        original.__globals__["left_behind"] = object()
        return result

    return wrong


def forgetful_of_keywords(original):
    """Takes keywords for positional arguments in the order of the call."""
    return lambda *args, **kwargs: original(*args, *kwargs.values())


def of_a_subclass(original):
    kinds = {}

    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        kind = type(result)
        if kind in (str, int, float):
            return kinds.setdefault(kind, type(kind.__name__, (kind,), {}))(result)
        if kind is bool:
            return int(result)
        if result is None:
            return False
        if kind is list:
            return tuple(result)
        return result.hexdigest()

    return wrong


for _name, (_exception, _default) in ANYWHERE.items():
    if _name not in TOLERANT:
        plant(_name, "swallowed exception", swallowing(_default, _exception))
    plant(_name, "extra record", extra_record)
    plant(_name, "extra warning", extra_warning)
    plant(_name, "leaked descriptor", leaked_descriptor)
    plant(_name, "leftover global", leftover_global)
    plant(_name, "other type of result", of_a_subclass)
for _name in ("format_float", "truncate_long_string"):
    plant(_name, "keywords by position", forgetful_of_keywords)

# base36_encode

plant("base36_encode", "upper case", changed(str.upper))
plant("base36_encode", "no zero", changed(lambda result: result.lstrip("0")))


@error_in("base36_encode")
def off_by_one_beyond_64_bits(original):
    def wrong(hex_str):
        number = int(hex_str, 16)
        return original(f"{number + (number >= 2**64):x}")

    return wrong


@error_in("base36_encode")
def strips_what_str_strips(original):
    return lambda hex_str: original(hex_str.strip().strip("\x1c\x1d\x1e\x1f\xa0"))


@error_in("base36_encode")
def ignores_underscores(original):
    return lambda hex_str: original(hex_str.replace("_", ""))


# format_float

plant("format_float", "no negative zero", changed(lambda result: "0" if result == "-0" else result))


@error_in("format_float")
def rounds_half_up(original):
    import decimal

    def wrong(num, precision=1):
        if type(num) is not float or num.is_integer() or num in (float("inf"), -float("inf")):
            return original(num, precision)
        step = decimal.Decimal(1).scaleb(-precision)
        exact = decimal.Decimal(num)
        with decimal.localcontext(prec=2000):
            return f"{exact.quantize(step, rounding=decimal.ROUND_HALF_UP):f}"

    return wrong


@error_in("format_float")
def rounds_the_shortest_text(original):
    import decimal

    def wrong(num, precision=1):
        if type(num) is not float or num.is_integer() or abs(num) == float("inf"):
            return original(num, precision)
        with decimal.localcontext(prec=2000):
            number = decimal.Decimal(repr(num))
            return f"{number.quantize(decimal.Decimal(1).scaleb(-precision)):f}"

    return wrong


@error_in("format_float")
def prints_truth_as_a_number(original):
    return lambda num, precision=1: original(int(num) if num is True else num, precision)


@error_in("format_float")
def loses_the_low_digits_of_large_numbers(original):
    def wrong(num, precision=1):
        return original(float(num) if isinstance(num, int) else num, precision)

    return wrong


# truncate_long_string


@error_in("truncate_long_string")
def counts_bytes(original):
    def wrong(s, max_length=35, truncate_middle=False):
        if len(s.encode("utf-8", "surrogatepass")) > max_length >= len(s):
            return s[: max_length - 1] + "..."
        return original(s, max_length, truncate_middle)

    return wrong


@error_in("truncate_long_string")
def copies_what_is_short(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        return (result + " ")[:-1]

    return wrong


@error_in("truncate_long_string")
def keeps_an_empty_tail(original):
    if not text.MIDDLE:
        pytest.skip("this SkyPilot's truncate_long_string doesn't cut out of the middle")

    def wrong(s, max_length=35, truncate_middle=False):
        if truncate_middle and max_length == 4 < len(s):
            return s[:1] + "..." + s[-0:]
        return original(s, max_length, truncate_middle)

    return wrong


@error_in("truncate_long_string")
def takes_negative_limits_for_zero(original):
    return lambda s, max_length=35, *middle, **named: original(
        s, max(max_length, 0), *middle, **named
    )


@error_in("truncate_long_string")
def replaces_surrogates(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        return result.encode("utf-8", "replace").decode() if type(result) is str else result

    return wrong


@error_in("truncate_long_string")
def splits_at_any_space(original):
    def wrong(s, max_length=35, truncate_middle=False):
        if len(s) <= max_length or truncate_middle:
            return original(s, max_length, truncate_middle)
        return original(s.replace("\t", " ").replace("\xa0", " "), max_length)

    return wrong


# read_last_n_lines

plant("read_last_n_lines", "last newline", changed(lambda lines: [*lines[:-1], lines[-1] + "\n"]))


@error_in("read_last_n_lines")
def strips_one_carriage_return(original):
    def wrong(file_path, n, chunk_size=8192, encoding="utf-8", errors="replace"):
        result = original(file_path, n, chunk_size, encoding, errors)
        with Path(file_path).open("rb") as content:
            last = content.read().split(b"\n")[-1].endswith(b"\r\r")
        return [*result[:-1], result[-1] + "\r"] if last and result else result

    return wrong


@error_in("read_last_n_lines")
def strips_before_decoding(original):
    def wrong(file_path, n, chunk_size=8192, encoding="utf-8", errors="replace"):
        result = original(file_path, n, chunk_size, encoding, errors)
        if not result:
            return result
        with Path(file_path).open("rb") as content:
            lines = content.read().split(b"\n")
        lines = lines[-n - 1 : -1] if lines[-1] == b"" else lines[-n:]
        decoded = [line.rstrip(b"\r").decode(encoding, errors) for line in lines]
        return [line + "\n" for line in decoded[:-1]] + decoded[-1:]

    return wrong


@error_in("read_last_n_lines")
def splits_at_every_line_boundary(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        return result if not result else "".join(result).splitlines(keepends=True)[-len(result) :]

    return wrong


@error_in("read_last_n_lines")
def replaces_each_invalid_byte(original):
    def wrong(file_path, n, chunk_size=8192, encoding="utf-8", errors="replace"):
        if errors != "replace":
            return original(file_path, n, chunk_size, encoding, errors)
        result = original(file_path, n, chunk_size, encoding, "surrogateescape")
        return ["".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in x) for x in result]

    return wrong


@error_in("read_last_n_lines")
def loses_a_byte_at_a_block_boundary(original):
    def wrong(file_path, n, chunk_size=8192, encoding="utf-8", errors="replace"):
        result = original(file_path, n, chunk_size, encoding, errors)
        return [line[:-1] if len(line) > 8192 else line for line in result]

    return wrong


@error_in("read_last_n_lines")
def one_line_too_many(original):
    def wrong(file_path, n, *args, **kwargs):
        return original(file_path, n + (n > 5), *args, **kwargs)

    return wrong


# hash_file

plant("hash_file", "used object", changed(lambda result: result.update(b"") or Digest(result)))


class Digest:
    """As good as a hash object, unless one looks."""

    def __init__(self, result):
        self.hexdigest, self.digest, self.name = result.hexdigest, result.digest, result.name
        self.block_size, self.digest_size = result.block_size, result.digest_size
        self.update, self.copy = result.update, result.copy


@error_in("hash_file")
def stops_after_one_block(original):
    def wrong(path, hash_alg):
        with Path(path).open("rb") as content:
            return hashlib.new(hash_alg, content.read(2**18))

    return wrong


@error_in("hash_file")
def builtin_instead_of_openssl(original):
    import _md5

    def wrong(path, hash_alg):
        if hash_alg != "md5":
            return original(path, hash_alg)
        with Path(path).open("rb") as content:
            return _md5.md5(content.read())

    return wrong


@error_in("hash_file")
def any_case_of_the_algorithm(original):
    return lambda path, hash_alg: original(path, hash_alg.strip().lower())


@error_in("hash_file")
def asks_the_path_twice(original):
    def wrong(path, hash_alg):
        return original(os.fspath(path) and path, hash_alg)

    return wrong


# estimate_fd_for_directory

plant("estimate_fd_for_directory", "dots", changed(lambda result: result + 10))


@error_in("estimate_fd_for_directory")
def follows_links(original):
    def wrong(path):
        return 5 * sum(entry.exists() for entry in Path(path).iterdir())

    return wrong


# find_free_port


@error_in("find_free_port")
def reuses_addresses(original):
    """Takes a port that another socket is bound to without listening."""

    def wrong(start_port):
        for port in range(start_port, 65_535):
            with socket.socket() as attempt:
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                with contextlib.suppress(OSError):
                    attempt.bind(("127.0.0.2", port))
                    return port
        raise OSError("No free ports available.")

    return wrong


@error_in("find_free_port")
def tries_the_last_port(original):
    def wrong(start_port):
        for port in itertools.chain(range(start_port, 65_536)):
            with socket.socket() as attempt, contextlib.suppress(OSError):
                attempt.bind(("", port))
                return port
        raise OSError("No free ports available.")

    return wrong


@error_in("find_free_port")
def says_nothing_of_busy_ports(original):
    """The right port without the records."""

    def wrong(start_port):
        logging.disable(logging.DEBUG)
        try:
            return original(start_port)
        finally:
            logging.disable(logging.NOTSET)

    return wrong


@error_in("find_free_port")
def skips_the_first_port(original):
    def wrong(start_port):
        return original(start_port + (start_port % 7 == 0))

    return wrong


# get_cpu_count and get_mem_size_gb


def with_text(variable, change):
    """Lets the original see another text."""

    def make(original):
        def wrong():
            before = os.environ.get(variable)
            if before is None:
                return original()
            os.environ[variable] = change(before)
            try:
                return original()
            finally:
                os.environ[variable] = before

        return wrong

    return make


def rounded_up(value):
    import math

    try:
        return str(math.ceil(float(value)))
    except (ValueError, OverflowError):
        return value


plant("get_cpu_count", "rounded up", with_text(system.CPU, rounded_up))
plant("get_cpu_count", "no underscores", with_text(system.CPU, lambda s: s.replace("_", "")))
plant("get_cpu_count", "infinity is one", with_text(system.CPU, lambda s: s.replace("inf", "1")))
plant("get_cpu_count", "at least one", changed(lambda count: max(count, 1)))
plant("get_mem_size_gb", "no sign of zero", changed(lambda size: size + 0.0))
plant("get_mem_size_gb", "without nan", changed(lambda size: size if size == size else 0.0))
plant(
    "get_mem_size_gb",
    "other digits",
    with_text(system.GB, lambda s: "".join(c if c < "\x80" else "0" for c in s)),
)


@error_in("get_mem_size_gb")
def thousands(original):
    def wrong():
        size = os.environ.get(system.BYTES)
        if system.GB in os.environ or size is None:
            return original()
        return float(size) / 1000**3

    return wrong


@error_in("get_mem_size_gb")
def bytes_first(original):
    def wrong():
        size = os.environ.get(system.BYTES)
        return original() if size is None else float(size) / 1024**3

    return wrong


# get_parallel_threads


@error_in("get_parallel_threads")
def case_matters(original):
    return lambda cloud_str=None: original(None if cloud_str == "Kubernetes" else cloud_str)


@error_in("get_parallel_threads")
def folds_letters(original):
    def wrong(cloud_str=None):
        return original(cloud_str.casefold() if type(cloud_str) is str else cloud_str)

    return wrong


@error_in("get_parallel_threads")
def strips_the_name(original):
    def wrong(cloud_str=None):
        return original(cloud_str.strip() if type(cloud_str) is str else cloud_str)

    return wrong


# get_max_workers_for_file_mounts


@error_in("get_max_workers_for_file_mounts")
def forgets_that_it_warned(original):
    def wrong(*args, **kwargs):
        before = original.__globals__["_fd_limit_warning_shown"]
        try:
            return original(*args, **kwargs)
        finally:
            original.__globals__["_fd_limit_warning_shown"] = before

    return wrong


@error_in("get_max_workers_for_file_mounts")
def never_warns(original):
    def wrong(*args, **kwargs):
        logging.disable(logging.WARNING)
        try:
            return original(*args, **kwargs)
        finally:
            logging.disable(logging.NOTSET)

    return wrong


@error_in("get_max_workers_for_file_mounts")
def empties_the_mounts(original):
    def wrong(common_file_mounts, cloud_str=None):
        result = original(common_file_mounts, cloud_str)
        common_file_mounts.clear()
        return result

    return wrong


@error_in("get_max_workers_for_file_mounts")
def no_reserve(original):
    import resource

    def wrong(common_file_mounts, cloud_str=None):
        result = original(common_file_mounts, cloud_str)
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(result, min(soft // 100, 4))

    return wrong


@error_in("get_max_workers_for_file_mounts")
def cloud_is_ignored(original):
    return lambda common_file_mounts, cloud_str=None: original(common_file_mounts)


# is_process_alive


@error_in("is_process_alive")
def asks_kill(original):
    def wrong(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    return wrong


@error_in("is_process_alive")
def wraps_around(original):
    return lambda pid: original(pid % 2**32 if type(pid) is int else pid)


@error_in("is_process_alive")
def takes_text(original):
    return lambda pid: original(int(pid) if isinstance(pid, str) else pid)


# get_user_hash


@error_in("get_user_hash")
def prefers_the_file(original):
    def wrong():
        with contextlib.suppress(OSError, ValueError):
            text = open(original.__globals__["USER_HASH_FILE"]).read().strip()  # noqa: PTH123, SIM115
            if original.__globals__["is_valid_user_hash"](text):
                return text
        return original()

    return wrong


@error_in("get_user_hash")
def strips_the_variable(original):
    return lambda: original().strip()


@error_in("get_user_hash")
def strips_less_of_the_file(original):
    def wrong():
        result = original()
        with contextlib.suppress(OSError, ValueError):
            text = open(original.__globals__["USER_HASH_FILE"]).read()  # noqa: PTH123, SIM115
            if text.strip() == result != text.strip(" \t\n\r"):
                return text.strip(" \t\n\r")
        return result

    return wrong


# make_cluster_name_on_cloud


def changed_name(change):
    def make(original):
        def wrong(display_name, max_length=15, add_user_hash=True):
            result = original(display_name, max_length, add_user_hash)
            return change(result, display_name, max_length)

        return wrong

    make.__name__ = change.__name__
    return error_in("make_cluster_name_on_cloud")(make)


@changed_name
def strips_no_dash(result, name, most):
    return result.replace("-", "--", 1) if "--" in name and len(result) < len(name) else result


@changed_name
def keeps_one_character_less(result, name, most):
    return result[1:] if most is not None and len(result) == most else result


@changed_name
def keeps_upper_case(result, name, most):
    return name if result == name.lower() and name != result else result


@error_in("make_cluster_name_on_cloud")
def hashes_the_converted_name(original):
    def wrong(display_name, max_length=15, add_user_hash=True):
        if type(display_name) is str and not re.search("[._]", display_name):
            display_name = display_name.lower()
        return original(display_name, max_length, add_user_hash)

    return wrong


# Those that the cases of a route have

for _cases in CASES.values():
    for _label, _make in _cases.mutants.items():
        plant(_cases.name, _label, _make)


@pytest.mark.parametrize(("name", "make"), PLANTED)
def test_planted_error_is_noticed(name, make):
    original = proxy_of(name).__wrapped__
    noticed = []
    with planted(name, make(original)):
        # What the calls of every kind don't show needs a closer look at ordinary ones.
        for run in reversed(PROPERTIES[name]):
            try:
                run.run(**HASTY)
            except AssertionError as error:
                noticed.append(str(error))
                break
    for descriptor in LEAKED:
        os.close(descriptor)
    LEAKED.clear()
    assert noticed, f"no property of {name} noticed"
    # The comparison must have failed, not the count of calls that Rust answered.
    assert noticed[0].startswith(f"{name}("), noticed[0]


@pytest.mark.parametrize("name", [name for name in PROPERTIES if name != "find_free_port"])
def test_right_candidate_passes(name):
    """What makes the properties fail is the error, not the planting."""
    original = proxy_of(name).__wrapped__

    def right(*args, **kwargs):
        values = [*args, *kwargs.values()]
        values += [item for value in values if type(value) is dict for item in value.values()]
        # What may raise has effects, which would come twice: on arguments, in the log.
        kinds = (str, int, float, bool, dict, *[list] * (name in TOLERANT))
        if any(type(value) not in kinds for value in values):
            return NotImplemented
        return original(*args, **kwargs)

    with planted(name, right):
        for run in PROPERTIES[name]:
            run.run(max_examples=40, share=0, **HASTY)


# The guards of those that read the user's file are derived before it is another one.
@pytest.mark.parametrize("name", [name for name in PROPERTIES if name not in users.READERS])
def test_registered_candidate_is_asked(name):
    """The same errors are noticed in routes that somebody registers: their guards hold."""
    if home(name).__name__ == FALLBACK:
        pytest.skip("no function of SkyPilot's")
    original = proxy_of(name).__wrapped__
    target = f"{home(name).__name__}.{name}"
    sky_rs_patch.register(target, extra_warning(original), replace=True)
    try:
        with pytest.raises(AssertionError, match=rf"^{name}\("):
            PROPERTIES[name][0].run(max_examples=40, **HASTY)
    finally:
        sky_rs_patch.unregister(target)


def test_a_route_that_always_declines_proves_nothing():
    with planted("base36_encode", lambda hex_str: NotImplemented):
        with pytest.raises(AssertionError, match="Rust answered none"):
            text.test_base36_encode_of_anything.run(**HASTY)
        with pytest.raises(AssertionError, match="Rust answered none"):
            text.test_base36_encode_of_hexadecimal.run(**HASTY)


def test_where_an_object_lies_is_no_difference():
    """Each side is given its own objects, and their representations get into messages."""
    texts = [f"No log in {thing!r}: [Errno 24]" for thing in (object(), object())]
    assert texts[0] != texts[1]
    assert difference({"error": texts[0]}, {"error": texts[1]}) is None
    assert difference({"error": texts[0]}, {"error": texts[1] + "."}) is not None
    assert difference("port 0x10", "port 0x11") is not None


def test_planted_errors_leave_nothing_behind():
    enable()
    before = {name: proxy_of(name).__wrapped__ for name in PROPERTIES}
    for name, original in before.items():
        with planted(name, lambda: None):
            assert proxy_of(name).__wrapped__ is original
        assert proxy_of(name).__wrapped__ is original
        assert home(name).__name__.startswith((COMMON, SUBPROCESS, "sky.utils."))
