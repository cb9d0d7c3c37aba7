"""``python -m sky_rs_patch report``: the results of a benchmark as Markdown, or as a page."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sky_rs_patch._bench import command, markdown, page

EPILOG = """\
examples:
  python -m sky_rs_patch report --from bench.json                    Markdown on stdout
  python -m sky_rs_patch report --from bench.json --html bench.html
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the command's options."""
    parser.add_argument("--from", dest="source", metavar="F", help="what `bench --json F` wrote")
    parser.add_argument("--html", metavar="F", help="write a page there")
    parser.add_argument("--markdown", metavar="F", help="write Markdown there, '-' for stdout")
    parser.add_argument(
        "--server", metavar="F", help="add the results of tools/bench/server_bench.py, JSON"
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns its exit code."""
    try:
        command.check_files(options, "html", "markdown")
        server = command.read_server(options.server)
        result = _measured(options) if options.source is None else load(options.source)
        if options.server:
            result["server"] = server
        if options.html:
            command.write(options.html, page.render(result))
        if options.markdown == "-" or not (options.html or options.markdown):
            print(markdown.render(result), end="")
        elif options.markdown:
            command.write(options.markdown, markdown.render(result))
    except command.Problem as problem:
        print(f"sky_rs_patch report: error: {problem}", file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        print("sky_rs_patch report: interrupted", file=sys.stderr)
        return 130
    return 0


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return command.collect(parser.parse_args(["--end-to-end"]), out=sys.stderr)


def load(name: str) -> dict[str, Any]:
    """Reads what ``bench --json`` wrote.

    Raises:
        Problem: if it is no such file, or of another schema.
    """
    try:
        result = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise command.Misuse(f"--from {name}: {error.strerror}") from None
    except ValueError as error:
        raise command.Misuse(f"--from {name}: no JSON: {error}") from None
    if not isinstance(result, dict) or result.get("kind") != command.KIND:
        raise command.Misuse(f"--from {name}: not written by `bench --json`")
    if result.get("schema") != command.SCHEMA:
        raise command.Misuse(
            f"--from {name}: its schema is {result.get('schema')!r}, this version reads "
            f"{command.SCHEMA}; run `bench --json` again"
        )
    return result
