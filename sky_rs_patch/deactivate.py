"""``python -m sky_rs_patch.deactivate``: undoes ``python -m sky_rs_patch.activate``."""

from __future__ import annotations

import argparse
import sys

from sky_rs_patch._cli import site_hook


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sky_rs_patch.deactivate",
        description="Removes what `python -m sky_rs_patch.activate` wrote into this Python "
        "environment.",
        epilog="example: python -m sky_rs_patch.deactivate && pip uninstall sky-rs-patch",
    )
    parser.parse_args(arguments)
    try:
        removed = site_hook.turn_off()
    except OSError as error:
        print(f"sky_rs_patch.deactivate: error: {error}", file=sys.stderr)
        return 1
    for path in removed:
        print(f"removed: {path}")
    if not removed:
        print(f"the environment {sys.prefix} was not switched on")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
