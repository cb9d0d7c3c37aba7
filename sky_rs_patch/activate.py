"""``python -m sky_rs_patch.activate``: SkyPilot with its utilities served by Rust.

``activate PROGRAM.py ARGS``, ``-m MODULE ARGS`` or ``-c CODE`` runs one program so, and every
Python process that it starts. Without arguments the whole environment is switched on, for every
later interpreter.
"""

from __future__ import annotations

import os
import sys

from sky_rs_patch._base import source_folder, switch
from sky_rs_patch._base.names import ACTIVE_VARIABLE
from sky_rs_patch._cli import site_hook

# Nothing more here: it delays the program.

_NAME = "sky_rs_patch.activate"

_USAGE = """\
usage: python -m sky_rs_patch.activate [-h]
       python -m sky_rs_patch.activate PROGRAM.py ARGS... | -m MODULE ARGS... | -c CODE ARGS...

With a program: run it with SkyPilot's utilities served by Rust, as if Python had been called
with these arguments itself; Python processes that it starts are served, too.

Without: switch this Python environment on for every later interpreter
({file} in its site-packages). `python -m sky_rs_patch.deactivate` undoes it.

{switch}=0 keeps everything on Python while the switch is on; {active}=0
keeps the shim out of a process altogether.
{opt_in}={names} also serves what isn't exact in effect.

examples:
  python -m sky_rs_patch.activate                                    from now on, for all
  python -m sky_rs_patch.activate train.py --epochs 3                one program
  python -m sky_rs_patch.activate -m sky.server.server --port 46580  one module
  python -m sky_rs_patch status --check                              is it served?
"""


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code unless it becomes another program."""
    if arguments[:1] in (["-h"], ["--help"]):
        return _help()
    problem = source_folder.problem()
    if problem is not None:
        return _fail(problem)
    try:
        switch.current()
        if "SKY_RS_ENABLE" in os.environ:
            from sky_rs_patch._routes import opt_in

            opt_in.current()
    except ValueError as error:
        return _fail(str(error))
    if not arguments:
        return _switch_on()
    return _run(arguments)


def _help() -> int:
    from sky_rs_patch._routes import opt_in

    usage = _USAGE.format(
        file=site_hook.SWITCH,
        switch=switch.VARIABLE,
        active=ACTIVE_VARIABLE,
        opt_in=opt_in.VARIABLE,
        names=",".join(opt_in.NAMES),
    )
    print(usage, end="")
    return 0


def _switch_on() -> int:
    try:
        path, new = site_hook.turn_on()
    except (OSError, LookupError) as error:
        return _fail(f"the environment {sys.prefix} can't be switched on: {error}")
    print(f"{'wrote' if new else 'unchanged'}: {path}")
    print(f"SkyPilot in {sys.prefix} is served by Rust in every Python process that starts now.")
    print(f"undo: {sys.executable} -m sky_rs_patch.deactivate")
    print("pip doesn't know of that file: deactivate before `pip uninstall sky-rs-patch`")
    return 0


def _run(arguments: list[str]) -> int:
    """Becomes the interpreter of a program; returns only if it can't."""
    if site_hook.child_hook() is None and site_hook.switch() is None:
        directories = ", ".join(site_hook.site_directories()) or "none"
        return _fail(
            f"{site_hook.CHILD_HOOK} is in none of the directories in which {sys.executable} "
            f"looks at its start ({directories}): "
            "install sky-rs-patch with pip into this environment, and don't use -S"
        )
    # Becoming the interpreter of the program, rather than running it in here, leaves argv,
    # __main__, tracebacks, signals and exit codes to Python itself.
    os.environ[ACTIVE_VARIABLE] = "1"
    # Under the name by which this interpreter was called, since its messages show it.
    name = (*_original_arguments(), sys.executable)[0]
    command = [name, *_interpreter_options(), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    return os.execv(sys.executable, command)


def _original_arguments() -> list[str]:
    """How this interpreter was called; empty where nothing tells."""
    original: list[str] | None = getattr(sys, "orig_argv", None)
    if original is not None:
        return original
    # Up to Python 3.9 only the system knows.
    try:
        with open("/proc/self/cmdline", "rb") as file:
            arguments = file.read().split(b"\0")
    except OSError:
        return []
    return [os.fsdecode(argument) for argument in arguments[:-1]]


def _interpreter_options() -> list[str]:
    """The options with which this interpreter was called, such as ``-X dev`` or ``-u``."""
    original = _original_arguments()
    for at, argument in enumerate(original):
        # The option may share its dash with others, and the name its argument.
        if argument.startswith("-") and argument.endswith("m"):
            shared, name = argument[:-1], "".join(original[at + 1 : at + 2])
        else:
            shared, _, name = argument.partition("m")
        if shared.startswith("-") and name == _NAME:
            return [*original[1:at], *([shared] if len(shared) > 1 else [])]
    # They can only be guessed from their effects.
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]

    return list(_args_from_interpreter_flags())


def _fail(message: str) -> int:
    print(f"sky_rs_patch.activate: error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
