"""The results as text: for the terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sky_rs_patch._bench.timing import seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_NONE = "-"
COLUMNS = (
    *("function", "workload", "original", "routed", "native", "limit"),
    *("ratio", "its quartiles", "changing", "note"),
)


READING = (
    "Times are medians; a ratio is the original's time over the routed call's, taken in the same "
    "round: below 1 the route is slower. 'native' is the native function without the proxy, "
    "'limit' what nothing that does the work gets below. 'changing' is the ratio where a global of "
    "the original's module is set before each call."
)


def facts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured, on what, when."""
    machine, versions, build = result["machine"], result["versions"], result["build"]
    settings = result["settings"]
    memory = machine.get("memory_bytes") or 0
    found = [
        ("measured", result["created"]),
        ("CPU", f"{machine['cpu']}, {machine['usable_processors']} of {machine['processors']}"),
        ("memory", f"{memory / (1 << 30):.1f} GiB"),
        ("kernel", f"{machine['kernel']} {machine['architecture']}, {machine['libc']}"),
        ("frequency governor", machine["governor"] or "can't be read"),
        ("load before", f"{machine['load']:.2f}"),
        ("build", f"{build.get('profile')}, {build.get('rustc')}, commit {build.get('commit')}"),
        *((name, str(version)) for name, version in versions.items() if version),
        (
            "runs",
            f"processes: {settings['processes']}, values in each: {settings['rounds']}, of "
            f"{settings['seconds'] * 1000:g} ms{', quick' if settings['quick'] else ''}"
            f"{', processor time' if settings.get('cpu_time') else ''}",
        ),
    ]
    return [(name, value) for name, value in found if value]


def median(spread: Any) -> str:
    """The median of a spread of seconds."""
    return seconds_text(spread["median"]) if spread else _NONE


def ratio(spread: Any) -> str:
    """The median of a ratio."""
    return f"{spread['median']:.2f}x" if spread else _NONE


def quartiles(spread: Any) -> str:
    """The quartiles of a ratio."""
    return f"{spread['low']:.2f}..{spread['high']:.2f}" if spread else _NONE


def mebibytes(value: Any) -> str:
    """Bytes as MiB."""
    return f"{value / (1 << 20):.1f} MiB" if value is not None else _NONE


def route_cells(row: dict[str, Any]) -> list[str]:
    """A workload's cells, as in `COLUMNS`."""
    seconds = row["seconds"]
    state = row["state"]
    notes = [
        "" if state == "measured" else state,
        "slower" if row["ratio"] and row["ratio"]["median"] < 1 else "",
        row["note"] or "",
    ]
    return [
        row["function"],
        row["workload"],
        *(median(seconds.get(name)) for name in ("original", "routed", "native", "limit")),
        "no route" if state == "no route" else ratio(row["ratio"]),
        quartiles(row["ratio"]),
        ratio(row.get("changing")),
        ": ".join(note for note in notes if note and note != "no route"),
    ]


def peer_rows(result: dict[str, Any]) -> list[list[str]]:
    """What other compilers make of the same originals."""
    rows = []
    for row in result["routes"]:
        for name, peer in row["peers"].items():
            rows.append(
                [
                    row["function"],
                    row["workload"],
                    name,
                    median(row["seconds"].get("original")),
                    median(peer["seconds"]),
                    ratio(peer["ratio"]),
                    quartiles(peer["ratio"]),
                    ratio(row["ratio"]),
                ]
            )
    return rows


PEER_COLUMNS = (
    *("function", "workload", "peer", "original", "peer's time", "peer's ratio"),
    *("its quartiles", "routed ratio"),
)


def memory_rows(result: dict[str, Any]) -> list[list[str]]:
    """Peak memory by backend."""
    return [
        [
            row["function"],
            row["workload"],
            mebibytes(row.get("original")),
            mebibytes(row.get("routed")),
            row.get("note") or "",
        ]
        for row in result["memory"]
    ]


MEMORY_COLUMNS = ("function", "workload", "original", "routed", "note")


def end_rows(result: dict[str, Any]) -> list[list[str]]:
    """The end-to-end section."""
    return [
        [
            row["what"],
            median(row.get("without")),
            median(row.get("with")),
            ratio(row.get("ratio")),
            quartiles(row.get("ratio")),
            row.get("note") or "",
        ]
        for row in result["end_to_end"]
    ]


END_COLUMNS = ("what", "without", "with", "ratio", "its quartiles", "note")


def call_rows(result: dict[str, Any]) -> list[list[str]]:
    """What a call costs by itself."""
    return [[name, median(spread)] for name, spread in result["calls"].items()]


CALL_COLUMNS = ("a call that returns its argument", "time")


class Section:
    """A titled table.

    Attributes:
        key: short name.
        title: said above it.
        columns: heads.
        rows: cells.
        right: the columns of numbers.
    """

    def __init__(
        self, key: str, title: str, columns: Sequence[str], rows: list[list[str]], right: set[int]
    ) -> None:
        self.key = key
        self.title = title
        self.columns = columns
        self.rows = rows
        self.right = right


def sections(result: dict[str, Any]) -> list[Section]:
    """All tables that have rows."""
    found = [
        Section(
            "routes", "Routes", COLUMNS, [route_cells(r) for r in result["routes"]], {*range(2, 9)}
        ),
        Section("peers", "Other compilers", PEER_COLUMNS, peer_rows(result), {*range(3, 8)}),
        Section("calls", "A call by itself", CALL_COLUMNS, call_rows(result), {1}),
        Section("memory", "Peak memory", MEMORY_COLUMNS, memory_rows(result), {2, 3}),
        Section("end", "End to end", END_COLUMNS, end_rows(result), {1, 2, 3, 4}),
    ]
    return [section for section in found if section.rows]


def server_sections(result: dict[str, Any]) -> list[Section]:
    """The tables of the API server's benchmark, as far as they can be told.

    A list of objects that have the same keys is a table; whatever else there is is left to the
    JSON file.
    """
    given = result.get("server")
    named = given.items() if isinstance(given, dict) else [("requests", given)]
    found = []
    for name, rows in named:
        if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
            continue
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[_plain(row.get(column)) for column in columns] for row in rows]
        numbers = {
            at
            for at, column in enumerate(columns)
            if all(isinstance(row.get(column), (int, float)) for row in rows)
        }
        found.append(Section("server", str(name), list(map(str, columns)), cells, numbers))
    return found


def _plain(value: Any) -> str:
    if value is None:
        return _NONE
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def render(result: dict[str, Any]) -> str:
    """The tables as plain text."""
    from sky_rs_patch._runtime.status import aligned

    parts = []
    for section in sections(result):
        lines = aligned([list(section.columns), *section.rows], section.right)
        parts.append("\n".join([f"{section.title}\n", *(line.rstrip() for line in lines)]))
    return "\n\n".join(parts) + "\n"
