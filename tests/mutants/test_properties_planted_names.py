"""The properties of names, hashes, colors, secrets and processes notice wrong functions, too.

As in test_properties_planted.py: wrong candidates are put in the place of the native ones.
"""

import contextlib
import logging
import os
import re
import warnings

import psutil
import pytest
import test_properties_processes as processes
import test_properties_users as users
from differential import HASTY, compare, enable, home, planted, proxy_of
from one_call import call

PROPERTIES = {
    "is_valid_user_hash": [
        users.test_is_valid_user_hash_of_text,
        users.test_is_valid_user_hash_of_anything,
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
    "check_cluster_name_is_valid": [
        users.test_check_cluster_name_is_valid_of_valid_names,
        users.test_check_cluster_name_is_valid_of_anything,
    ],
    "is_valid_env_var": [
        users.test_is_valid_env_var_of_text,
        users.test_is_valid_env_var_of_anything,
    ],
    "remove_color": [users.test_remove_color_of_text, users.test_remove_color_of_anything],
    "_redact_secrets_values": [
        users.test_redact_secrets_values_of_arguments,
        users.test_redact_secrets_values_of_anything,
    ],
}
PLANTED = []


def error_in(name):
    """Registers a maker of a wrong function; it is given the original."""

    def register(make):
        PLANTED.append(pytest.param(name, make, id=f"{name}-{make.__name__}"))
        return make

    return register


# Errors that any function might have


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


def leftover_global(original):
    def wrong(*args, **kwargs):
        result = original(*args, **kwargs)
        original.__globals__["left_behind"] = object()
        return result

    return wrong


def swallowed_exception(original):
    def wrong(*args, **kwargs):
        try:
            return original(*args, **kwargs)
        except Exception:
            return None

    return wrong


#: It takes all kinds of arguments, and never raises but for their number.
_TOLERANT = {"_redact_secrets_values"}
for _name in PROPERTIES:
    for _make in (extra_record, extra_warning, leftover_global, swallowed_exception):
        error_in(_name)(_make)


@pytest.fixture(autouse=True)
def no_leftovers():
    yield
    os.environ.pop("LEFT_BEHIND", None)
    vars(home("remove_color")).pop("left_behind", None)


# is_valid_user_hash


@error_in("is_valid_user_hash")
def refuses_a_newline_at_the_end(original):
    return lambda user_hash: original(user_hash) and not str(user_hash).endswith("\n")


@error_in("is_valid_user_hash")
def takes_letters_of_all_scripts(original):
    def wrong(user_hash):
        if type(user_hash) is not str:
            return original(user_hash)
        return bool(re.match(r"^[^\W_][^\W_-]*(-[^\W_]*)*$", user_hash)) or original(user_hash)

    return wrong


@error_in("is_valid_user_hash")
def gives_the_match(original):
    return lambda user_hash: original(user_hash) and re.match(".", user_hash)


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


# check_cluster_name_is_valid and is_valid_env_var


def accepting(name, expression):
    def make(original):
        def wrong(*args, **kwargs):
            texts = [*args, *kwargs.values()]
            if len(texts) == 1 and type(texts[0]) is str and re.fullmatch(expression, texts[0]):
                return None if name == "check_cluster_name_is_valid" else True
            return original(*args, **kwargs)

        return wrong

    make.__name__ = f"accepts {expression}"
    error_in(name)(make)


accepting("check_cluster_name_is_valid", "[a-zA-Z].*-")
accepting("check_cluster_name_is_valid", "(?s)[a-zA-Z]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?\n?")
accepting("check_cluster_name_is_valid", "[-_.a-zA-Z0-9]*[a-zA-Z0-9]")
accepting("is_valid_env_var", "[a-zA-Z_][a-zA-Z0-9_]*\n?")
accepting("is_valid_env_var", "[a-zA-Z0-9_]+")
accepting("is_valid_env_var", r"(?u)[^\W\d]\w*")

# remove_color


@error_in("remove_color")
def stops_at_a_line_end(original):
    return lambda s: re.sub("\x1b.*?m", "", s) if type(s) is str else original(s)


@error_in("remove_color")
def takes_unfinished_ones(original):
    return lambda s: re.sub("\x1b[^m]*$", "", original(s)) if type(s) is str else original(s)


@error_in("remove_color")
def copies_what_has_no_color(original):
    return lambda s: (original(s) + " ")[:-1] if type(s) is str else original(s)


@error_in("remove_color")
def overlooks_wide_text(original):
    return lambda s: s if type(s) is str and s > "\uffff" else original(s)


# _redact_secrets_values


def each(change):
    def make(original):
        def wrong(argv):
            if type(argv) is not list or any(type(item) is not str for item in argv):
                return original(argv)
            return change(original, argv)

        return wrong

    make.__name__ = change.__name__
    return error_in("_redact_secrets_values")(make)


@each
def redacts_beyond_the_line(original, argv):
    return [re.sub("(?s)<redacted>.*", "<redacted>", item) for item in original(argv)]


@each
def redacts_a_secret_without_a_name(original, argv):
    result = original(argv)
    return ["=<redacted>" if item.startswith("=") else item for item in result]


@each
def redacts_the_last_value(original, argv):
    return [re.sub("^(--secret=.*)=.*", r"\1=<redacted>", item) for item in original(argv)]


@each
def takes_the_next_option_for_one(original, argv):
    result = original(argv)
    for at in range(len(argv) - 2):
        if argv[at] == argv[at + 1] == "--secret":
            result[at + 2] = re.sub("^([^=]+)=.*", r"\1=<redacted>", argv[at + 2])
    return result


@each
def gives_the_list_itself(original, argv):
    return argv if original(argv) == argv else original(argv)


@pytest.mark.parametrize(("name", "make"), PLANTED)
def test_planted_error_is_noticed(name, make):
    if make is swallowed_exception and name in _TOLERANT:
        pytest.skip("it raises nothing")
    original = proxy_of(name).__wrapped__
    noticed = []
    with planted(name, make(original)):
        for run in reversed(PROPERTIES[name]):
            try:
                run.run(**HASTY)
            except AssertionError as error:
                noticed.append(str(error))
                break
    assert noticed, f"no property of {name} noticed"
    assert noticed[0].startswith(f"{name}("), noticed[0]


@pytest.mark.parametrize("name", PROPERTIES)
def test_right_candidate_passes(name):
    """What makes the properties fail is the error, not the planting."""
    original = proxy_of(name).__wrapped__

    def right(*args, **kwargs):
        values = [*args, *kwargs.values()]
        if any(type(value) not in (str, int, bool, list) for value in values):
            return NotImplemented
        return original(*args, **kwargs)

    with planted(name, right):
        for run in PROPERTIES[name]:
            run.run(max_examples=30, share=0, **HASTY)


# _safe_children


def by_level(original):
    """As psutil's own documentation has the order."""

    def wrong(process):
        found = [process]
        for each_ in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += each_.children()
        return found[1:]

    return wrong


def without_zombies(original):
    return lambda process: [p for p in original(process) if p.status() != psutil.STATUS_ZOMBIE]


def children_only(original):
    return lambda process: [p for p in original(process) if p.ppid() == process.pid]


def with_the_process_itself(original):
    return lambda process: [process, *original(process)]


def siblings_backwards(original):
    return lambda process: original(process)[::-1]


def numbers(original):
    return lambda process: [each_.pid for each_ in original(process)]


@pytest.mark.parametrize(
    "make",
    [
        by_level,
        without_zombies,
        children_only,
        with_the_process_itself,
        siblings_backwards,
        numbers,
        extra_record,
        extra_warning,
        leftover_global,
    ],
)
def test_wrong_children_are_noticed(make):
    enable()
    original = proxy_of("_safe_children").__wrapped__
    with contextlib.ExitStack() as stack:
        pid = processes.grow(((), ((), "zombie"), ((), ())), stack)
        stack.enter_context(planted("_safe_children", make(original)))
        with pytest.raises(AssertionError, match=r"^_safe_children\("):
            compare("_safe_children", call(processes.process(pid)))


def test_right_children_pass():
    enable()
    original = proxy_of("_safe_children").__wrapped__
    with contextlib.ExitStack() as stack:
        pid = processes.grow(((), ((), "zombie"), ((), ())), stack)
        stack.enter_context(planted("_safe_children", lambda process: original(process)))
        assert compare("_safe_children", call(processes.process(pid))).rust
