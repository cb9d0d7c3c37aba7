import argparse
import dis
import glob
import os
import subprocess
import tempfile
from types import CodeType, FunctionType, ModuleType

import psutil
import pytest
from sky.utils import common_utils, subprocess_utils

from sky_rs_patch._binding import bytecode


def by_dis(code: CodeType) -> set[tuple[str, ...]]:
    """Global chains as the standard library's disassembler shows them."""
    found, chain = set(), []
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and chain:
            chain.append(instruction.argval)
        elif instruction.opname not in ("EXTENDED_ARG", "CACHE"):
            found.add(tuple(chain))
            loads = instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
            chain = [instruction.argval] if loads else []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= by_dis(constant)
    return found - {()}


def assigned_by_dis(code: CodeType) -> set[str]:
    found = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")
    }
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= assigned_by_dis(constant)
    return found


MODULES = [
    common_utils,
    subprocess_utils,
    psutil,
    os,
    os.path,
    argparse,
    subprocess,
    tempfile,
    glob,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_reader_agrees_with_dis(module: ModuleType) -> None:
    functions = [value for value in vars(module).values() if isinstance(value, FunctionType)]
    assert functions
    for function in functions:
        code = function.__code__
        assert set(bytecode.global_chains(code)) == by_dis(code), function
        assert bytecode.assigned_globals(code) == assigned_by_dis(code), function


def test_names_beyond_one_byte() -> None:
    scope: dict[str, object] = {}
    lines = "\n".join(f"    name{number}.attribute{number}" for number in range(300))
    exec(f"def many():\n    global state\n    state = 1\n{lines}\n", scope)
    code = scope["many"].__code__
    chains = set(bytecode.global_chains(code))
    assert chains == {(f"name{number}", f"attribute{number}") for number in range(300)}
    assert bytecode.assigned_globals(code) == {"state"}
