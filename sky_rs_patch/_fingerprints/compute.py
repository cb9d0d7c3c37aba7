"""Which code a native function is known to equal.

A fingerprint is the hash of a function's syntax tree without its docstring: comments, blank
lines and layout don't change it, and it is the same under every Python. That the tree belongs
to the code that really runs is checked by compiling it again.

Parsing and compiling takes half a millisecond a function. Where the code itself is known (see
``_known_code.py``) its tree is, too.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
import weakref
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING

from sky_rs_patch._binding import bytecode

if TYPE_CHECKING:
    from collections.abc import Mapping

# Fields that differ between Python versions, or say nothing about what the code does.
_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_params"})
# `from __future__` features that change how annotations are compiled.
_FUTURE_FLAGS = 0x1000000 | 0x0FF0000


#: Fingerprints that were computed, with the code and the defaults that they belong to.
_known: weakref.WeakKeyDictionary[FunctionType, tuple[tuple[object, ...], str]] = (
    weakref.WeakKeyDictionary()
)
#: Ends the digests of code in ``_known_code.py`` whose definition has decorators.
DECORATED = "@"
_PLAIN = frozenset({bool, bytes, complex, float, int, str, type(None), type(...)})


class Unknown(Exception):
    """A function has no fingerprint; the message says why."""


def fingerprint(function: object, *, decorated: bool = False) -> str:
    """The fingerprint of a Python function.

    Args:
        function: a plain function, defined at the top level of a module.
        decorated: it was taken out of what a decorator had made of it, of which its code says
            nothing.

    Returns:
        16 hexadecimal digits.

    Raises:
        Unknown: if it is no plain function, its source can't be found, or the source isn't
            that of the code that runs.
    """
    # Wrappers, wrapt's among them, say that they were functions.
    if type(function) is not FunctionType:
        raise Unknown(f"{function!r} is no plain Python function")
    code = function.__code__
    now = parts(function)
    known_parts, known = _known.get(function, (None, ""))
    if known_parts is not None and are_same(known_parts, now):
        return known
    by_code = _of_known_code(function, decorated)
    if by_code is not None:
        _known[function] = (now, by_code)
        return by_code
    lines = linecache.getlines(code.co_filename, function.__globals__)
    source = _definition(lines, code.co_firstlineno)
    if not source:
        raise Unknown(f"no source of {function.__qualname__} in {code.co_filename}")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise Unknown(f"the source of {function.__qualname__} can't be parsed: {error}") from None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef) or definition.name != code.co_name:
        raise Unknown(f"{code.co_filename}:{code.co_firstlineno} doesn't define {code.co_name}")
    if not _compiles_to(source, function):
        raise Unknown(f"the code of {function.__qualname__} isn't that of its source")
    if not _has_defaults_of(definition.args, function):
        raise Unknown(f"the defaults of {function.__qualname__} aren't those of its source")
    _known[function] = (now, of_definition(definition))
    return _known[function][1]


def parts(function: FunctionType) -> tuple[object, ...]:
    """What may be changed of a function where it stands: its code and its defaults."""
    # A dictionary of defaults may change as well.
    return function.__code__, function.__defaults__, dict(function.__kwdefaults__ or {})


def are_same(known: tuple[object, ...], now: tuple[object, ...]) -> bool:
    """Whether a function's code and defaults are the very ones that were looked at."""
    return all(
        a is b or (isinstance(a, dict) and isinstance(b, dict) and _same_items(a, b))
        for a, b in zip(known, now)
    )


def _same_items(known: dict[str, object], now: dict[str, object]) -> bool:
    return known.keys() == now.keys() and all(known[name] is now[name] for name in known)


def _has_defaults_of(arguments: ast.arguments, function: FunctionType) -> bool:
    """Whether a function has the defaults that its source gives it, as far as they are literals."""
    defaults = function.__defaults__ or ()
    keywords = {
        argument.arg: node
        for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults)
        if node is not None
    }
    given = function.__kwdefaults__ or {}
    if len(defaults) != len(arguments.defaults) or given.keys() != keywords.keys():
        return False
    pairs = [*zip(arguments.defaults, defaults)]
    pairs += [(node, given[name]) for name, node in keywords.items()]
    for node, value in pairs:
        try:
            literal = ast.literal_eval(node)
        except ValueError:
            continue
        if type(literal) is not type(value) or repr(literal) != repr(value):
            return False
    return True


def _of_known_code(function: FunctionType, decorated: bool) -> str | None:
    from sky_rs_patch._fingerprints.known_code import KNOWN_CODE

    known = KNOWN_CODE.get(f"{sys.version_info.major}.{sys.version_info.minor}")
    if known is None:
        return None
    digest = code_digest(function.__code__, function.__defaults__, function.__kwdefaults__)
    return known.get(digest + DECORATED * decorated)


def code_digest(
    code: CodeType, defaults: tuple[object, ...] | None, kwdefaults: dict[str, object] | None
) -> str:
    """A hash of all that decides what a call does, the namespaces apart.

    Args:
        code: a function's compiled code; the same for every patch release of a Python version.
        defaults: the function's ``__defaults__``.
        kwdefaults: the function's ``__kwdefaults__``.

    Returns:
        16 hexadecimal digits; of defaults that aren't plain data the identity counts.
    """
    # An exact `repr` of plain data; other types may say of themselves what they like.
    described = (_described(code), _described(defaults or ()), _described(kwdefaults or {}))
    return hashlib.sha256(repr(described).encode()).hexdigest()[:16]


def _described(value: object) -> object:
    """A value whose ``repr`` tells it from all others, also from equal ones of another type."""
    if isinstance(value, CodeType):
        return (
            value.co_name,
            value.co_code,
            value.co_names,
            value.co_varnames,
            value.co_freevars,
            value.co_cellvars,
            value.co_flags,
            value.co_argcount,
            value.co_posonlyargcount,
            value.co_kwonlyargcount,
            getattr(value, "co_exceptiontable", b""),
            [_described(constant) for constant in value.co_consts],
        )
    if type(value) is tuple:
        return tuple(map(_described, value))
    if type(value) is dict:
        return [(_described(key), _described(value[key])) for key in sorted(value)]
    if type(value) is frozenset:
        # Its order isn't the same in each process.
        return sorted(map(repr, value))
    return value if type(value) in _PLAIN else f"object at {id(value)}"


def of_definition(definition: ast.FunctionDef) -> str:
    """The fingerprint of a function's syntax tree."""
    body = definition.body
    has_docstring = ast.get_docstring(definition, clean=False) is not None
    text = canonical(definition, {"body": body[1:] if has_docstring else body})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(node: object, instead: Mapping[str, list[ast.stmt]] | None = None) -> str:
    """What is hashed of a syntax tree: the same text under every Python.

    Args:
        node: the tree.
        instead: fields of the outermost node, and what counts in their place.
    """
    if isinstance(node, ast.AST):
        fields = []
        for name in node._fields:
            value = getattr(node, name, None)
            if instead is not None:
                value = instead.get(name, value)
            if name not in _IGNORED_FIELDS and value is not None and value != []:
                fields.append(f"{name}={canonical(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(canonical(item) for item in node)}]"
    return repr(node)


def _definition(lines: list[str], first_line: int) -> str:
    """The lines of a top-level definition: up to the next line that isn't indented."""
    start = first_line - 1
    if start >= len(lines):
        return ""
    in_header = True
    for end, line in enumerate(lines[start + 1 :], start + 1):
        if not line.strip() or line[0] in " \t)]}#":
            in_header = in_header and not line.startswith((" ", "\t"))
            continue
        # Decorators stand above the definition at the same level.
        if in_header and line.startswith(("@", "def ")):
            continue
        return "".join(lines[start:end])
    return "".join(lines[start:])


def _compiles_to(source: str, function: FunctionType) -> bool:
    code = function.__code__
    # From 3.11 on the compiler treats attributes of imported names differently.
    modules = sorted(
        name
        for name in bytecode.names(code)
        if isinstance(function.__globals__.get(name), ModuleType)
    )
    for prelude in [f"import {', '.join(modules)}\n"] * bool(modules) + [""]:
        # From 3.13 on a class within the function has the number of its line among its constants.
        above = "\n" * (code.co_firstlineno - 1 - bool(prelude))
        compiled = compile(
            above + prelude + source,
            code.co_filename,
            "exec",
            flags=code.co_flags & _FUTURE_FLAGS,
            dont_inherit=True,
        )
        if any(isinstance(made, CodeType) and _same(made, code) for made in compiled.co_consts):
            return True
    return False


def _same(first: CodeType, second: CodeType) -> bool:
    if (
        first.co_name != second.co_name
        or first.co_code != second.co_code
        or first.co_names != second.co_names
        or first.co_varnames != second.co_varnames
        or first.co_freevars != second.co_freevars
        or first.co_argcount != second.co_argcount
        or first.co_kwonlyargcount != second.co_kwonlyargcount
        or len(first.co_consts) != len(second.co_consts)
    ):
        return False
    for ours, theirs in zip(first.co_consts, second.co_consts):
        if isinstance(ours, CodeType):
            if not isinstance(theirs, CodeType) or not _same(ours, theirs):
                return False
        elif type(ours) is not type(theirs) or repr(ours) != repr(theirs):
            return False
    return True
