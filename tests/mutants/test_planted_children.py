"""Wrong candidates for `_safe_children` are noticed in a tree of processes that is made for it."""

import contextlib

import psutil
import pytest
import test_properties_processes as processes
from differential import compare, enable, planted, proxy_of
from one_call import call
from test_properties_planted import extra_record, extra_warning, leftover_global


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
