"""``python -m sky_rs_patch``: the commands, each in a module of its own."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Callable

from sky_rs_patch._base import source_folder
from sky_rs_patch._base.names import __version__

_PROGRAM = "python -m sky_rs_patch"


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    problem = source_folder.problem()
    if problem is not None:
        print(f"sky_rs_patch: error: {problem}", file=sys.stderr)
        return 2
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough. What is left must not be written at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _parser() -> argparse.ArgumentParser:
    from sky_rs_patch._bench import command, report
    from sky_rs_patch._cli import demo, fingerprints, status

    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="SkyPilot's utilities served by Rust, in place.",
        epilog="switching on and off: python -m sky_rs_patch.activate --help",
    )
    parser.add_argument("--version", action="version", version=f"sky_rs_patch {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str,
        declare: Callable[[argparse.ArgumentParser], None],
        run: Callable[[argparse.Namespace], int],
        *,
        short: str,
        description: str,
        epilog: str,
    ) -> None:
        command = commands.add_parser(
            name,
            help=short,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        declare(command)
        command.set_defaults(run=run)

    add(
        "status",
        status.add_options,
        status.run,
        short="what is served here, and why not if not",
        description="Imports SkyPilot with the routes enabled, looks at what each takes for\n"
        "granted, and says what stands where.",
        epilog=status.EPILOG,
    )
    add(
        "fingerprints",
        fingerprints.add_options,
        fingerprints.run,
        short="which originals are known, and what changed",
        description="Says of a SkyPilot which functions are those that the routes were made for,\n"
        "and shows what changed in the others. Nothing of SkyPilot is imported.",
        epilog=fingerprints.EPILOG,
    )
    add(
        "demo",
        demo.add_options,
        demo.run,
        short="a real API server, served by Rust: see the README",
        description="Starts a real SkyPilot API server through the shim, in a home directory\n"
        "of its own, and shows what it was served by Rust.",
        epilog=demo.EPILOG,
    )
    add(
        "bench",
        command.add_options,
        command.run,
        short="what the routes gain, measured here",
        description="Times each original against its route by turns, and against what bounds it.\n"
        f"Needs pyperf: {command.INSTALL}",
        epilog=command.EPILOG,
    )
    add(
        "report",
        report.add_options,
        report.run,
        short="the results of bench as Markdown or as one HTML page",
        description="Without --from a benchmark is run first, end to end.",
        epilog=report.EPILOG,
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
