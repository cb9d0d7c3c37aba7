"""Where memory is short the original raises `MemoryError`: native code must leave that to it.

An allocation that fails in Rust ends the process, so each case has one of its own.
"""

import pytest
from support import run_code

_CHILD = """
import pathlib, re, resource, sys, tempfile
from sky_rs_patch import _native
function, make, room = getattr(_native, sys.argv[1]), sys.argv[2], int(sys.argv[3])

def file_of(line):
    path = pathlib.Path(sys.argv[4], "file")
    with path.open("wb") as file:
        file.write(line)
        file.truncate(1 << 30)
    return str(path)

arguments = eval(make)
try:
    # What is imported at a first call had better be there.
    function(*eval(sys.argv[5]))
except _native.Declined:
    pass
size = int(re.search(r"VmSize:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
limit = (size << 10) + (room << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    function(*arguments)
except _native.Declined as declined:
    print("declined", declined)
else:
    print("answered")
"""

CASES = {
    "one long line": ("read_last_n_lines", "(file_of(b''), 1)", 300, "('/proc/self/status', 1)"),
    "two of them": ("read_last_n_lines", "(file_of(b'a\\n'), 2)", 100, "('/nowhere', 1)"),
    "colors": ("remove_color", "('x\\x1b[m' * (20 << 20),)", 30, "('x\\x1b[m',)"),
    "wide colors": ("remove_color", "('é日\\x1b[m' * (9 << 20),)", 30, "('日\\x1b[m',)"),
    "a secret": (
        "_redact_secrets_values",
        "(['--secret=' + '日' * (20 << 20) + '=x'],)",
        30,
        "(['--secret=日=x'],)",
    ),
    "a long text": ("dump_yaml_str", "({'a': 'b ' * (20 << 20)},)", 30, "({'a': 1},)"),
    "many texts": ("dump_yaml_str", "(['b ' * 500_000] * 40,)", 30, "({'a': 1},)"),
    "a long YAML": ("safe_load", "('- a\\n' * (9 << 20),)", 30, "('a',)"),
}


@pytest.mark.parametrize("case", CASES)
def test_too_large_is_left_to_the_original(case, tmp_path):
    name, make, room, first = CASES[case]
    shown = run_code(_CHILD, name, make, room, tmp_path, first)
    assert shown.startswith("declined"), shown
    (tmp_path / "file").unlink(missing_ok=True)


def test_with_memory_it_is_answered(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000 + b"\n" + "é".encode() * 1_000_000)
    for name, make in (
        ("read_last_n_lines", f"({str(path)!r}, 2)"),
        ("remove_color", "('é日\\x1b[m' * 100_000,)"),
        ("_redact_secrets_values", "(['--secret=' + '日' * 1_000_000 + '=x'],)"),
        ("dump_yaml_str", "({'a': 'b ' * 1_000_000},)"),
    ):
        assert run_code(_CHILD, name, make, 300, tmp_path, "('',)") == "answered\n"
