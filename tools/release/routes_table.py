"""The tables of docs/routes.md, made of what the routes themselves declare.

    python tools/release/routes_table.py            # writes them
    python tools/release/routes_table.py --check    # 1 if the document has others

A route says what it answers and what it declines in its `RouteSpec`; routes that say the same share
a line.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from sky_rs_patch._routes.spec import RouteSpec
from sky_rs_patch._routes.table import ROUTES

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "routes.md"
#: What a table stands between, by the heading of its second column.
PLACE = "(<!-- routes: {} -->\n).*?(<!-- end -->)"


def name_of(route: RouteSpec) -> str:
    """The target as the table has it, with the variants that are served where not A alone is."""
    name = f"`{route.target.removeprefix('sky.utils.')}`"
    return name if set(route.natives) == {"A"} else f"{name} ({', '.join(route.natives)})"


def table(routes: list[RouteSpec], heading: str) -> str:
    """The lines, in the routes' order."""
    rows: dict[tuple[str, str], list[str]] = {}
    for route in routes:
        rows.setdefault((route.answers, route.declines), []).append(name_of(route))
    lines = [f"| target | {heading} | declines |", "|---|---|---|"]
    lines += [f"| {', '.join(names)} | {' | '.join(cells)} |" for cells, names in rows.items()]
    return "\n".join(lines) + "\n"


def written(document: str) -> str:
    """The document with the tables that the routes declare.

    Raises:
        ValueError: if it has no place for one of them.
    """
    for heading, opt_in in (("answers", False), ("does", True)):
        made = table([route for route in ROUTES if (route.opt_in is not None) is opt_in], heading)
        parts = re.split(PLACE.format(heading), document, flags=re.DOTALL)
        if len(parts) != 4:
            raise ValueError(
                f"{DOCUMENT} has no single place for the table of what routes {heading}"
            )
        document = "".join((parts[0], parts[1], made, parts[2], parts[3]))
    return document


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is stale")
    check = parser.parse_args().check
    before = DOCUMENT.read_text("utf-8")
    after = written(before)
    if check and after != before:
        print(
            f"docs/{DOCUMENT.name} is stale: the routes declare other tables; "
            "run python tools/release/routes_table.py"
        )
        return 1
    if not check:
        DOCUMENT.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
