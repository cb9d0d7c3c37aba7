"""``python -m pytest_skyrs``."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    from pytest_skyrs._modes import replay as _replay

    parser = argparse.ArgumentParser(prog="python -m pytest_skyrs")
    commands = parser.add_subparsers(dest="command", required=True)
    replay = commands.add_parser("replay", help="run one recorded call on both backends")
    _replay.add_arguments(replay)
    return _replay.replay(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
