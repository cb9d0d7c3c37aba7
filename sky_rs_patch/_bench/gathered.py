"""Measurements of all worker processes, by workload, and the rows of results made of them."""

from __future__ import annotations

from typing import Any

from sky_rs_patch._bench import timing
from sky_rs_patch._bench.workloads import WORKLOADS, OpenSSL


class Gathered:
    """What the workers said, by workload.

    Args:
        chosen: the workloads' indices.

    Attributes:
        metadata: what pyperf knows of the last process.
        problems: peers that can't be measured, and why.
    """

    def __init__(self, chosen: list[int]) -> None:
        self._messages: dict[int, list[dict[str, Any]]] = {index: [] for index in chosen}
        self._calls: list[dict[str, list[float]]] = []
        self.metadata: dict[str, Any] = {}
        self.problems: list[str] = []

    def add(self, message: dict[str, Any]) -> None:
        """Takes in one message of a worker."""
        if "index" in message:
            self._messages[message["index"]].append(message)
        elif "problems" in message:
            self.problems = message["problems"]
        elif "calls" in message:
            self._calls.append(message["calls"])
        elif "metadata" in message:
            # The paths in it are nobody's business.
            self.metadata = {
                name: value
                for name, value in message["metadata"].items()
                if name not in {"hostname", "python_executable", "python_config_args"}
            }

    def complete(self) -> bool:
        """Whether each workload was measured."""
        return all(self._messages.values())

    def calls(self) -> dict[str, Any]:
        """What each kind of call costs, over all processes, in seconds."""
        pooled: dict[str, list[float]] = {}
        for calls in self._calls:
            for name, values in calls.items():
                pooled.setdefault(name, []).extend(values)
        return {name: timing.spread(values)._asdict() for name, values in pooled.items()}

    def rows(self, rates: dict[str, tuple[float | None, str | None]]) -> list[dict[str, Any]]:
        """The rows of results, a workload each.

        Args:
            rates: OpenSSL's speed by algorithm and size, in bytes a second, or why it isn't known.
        """
        return [_row(index, messages, rates) for index, messages in self._messages.items()]

    def write_pyperf(self, name: str) -> None:
        """Writes a suite: a benchmark for each column, a run for each process.

        Raises:
            OSError: if the file can't be written.
        """
        import pyperf

        benchmarks = []
        for index, messages in self._messages.items():
            workload = WORKLOADS[index]
            columns = dict.fromkeys(c for m in messages for c in m.get("values", ()))
            for column in columns:
                title = f"{workload.function} {workload.what}".strip() + f" [{column}]"
                runs = [
                    pyperf.Run(
                        message["values"][column],
                        metadata={
                            **self.metadata,
                            "name": title,
                            "loops": message["loops"][column],
                            "unit": "second",
                        },
                        collect_metadata=False,
                    )
                    for message in messages
                    if column in message.get("values", ())
                ]
                benchmarks.append(pyperf.Benchmark(runs))
        pyperf.BenchmarkSuite(benchmarks).dump(name, replace=True)


def _row(
    index: int,
    messages: list[dict[str, Any]],
    rates: dict[str, tuple[float | None, str | None]],
) -> dict[str, Any]:
    """One workload in all processes together."""
    workload, last = WORKLOADS[index], messages[-1]
    row: dict[str, Any] = {
        "function": workload.function,
        "workload": workload.what,
        "target": last.get("target"),
        "state": last["state"],
        "note": last.get("note"),
        "declined": workload.declined,
        "answered": bool(last.get("answered")),
        "seconds": {},
        "ratio": None,
        "changing": None,
        "limit": None,
        "peers": {},
    }
    failed = next((message for message in messages if message["state"] == "failed"), None)
    if failed is not None:
        row.update(state="failed", note=failed["note"])
        return row
    if "values" not in last:
        return row
    notes = [row["note"], *last["notes"]]
    pooled: dict[str, list[float]] = {}
    for message in messages:
        for column, values in message["values"].items():
            pooled.setdefault(column, []).extend(values)
    for column, values in pooled.items():
        spread = timing.spread(values)._asdict()
        if column.startswith("peer "):
            # Both were measured in the same rounds.
            ratios = [a / b for a, b in zip(pooled["original"], values)]
            row["peers"][column[5:]] = {
                "seconds": spread,
                "ratio": timing.spread(ratios)._asdict(),
            }
        else:
            row["seconds"][column] = spread
    for key, kind in (("ratio", ""), ("changing", ", changing")):
        if f"routed{kind}" in pooled:
            ratios = [a / b for a, b in zip(pooled[f"original{kind}"], pooled[f"routed{kind}"])]
            row[key] = timing.spread(ratios)._asdict()
    bound = workload.bound
    if bound is not None:
        row["limit"] = bound.what
    if isinstance(bound, OpenSSL):
        rate, problem = rates[f"{bound.algorithm} {last['bytes']}"]
        if rate:
            seconds = last["bytes"] / rate
            row["seconds"]["limit"] = timing.spread([seconds])._asdict()
        notes.append(problem)
    row["note"] = "; ".join(note for note in notes if note) or None
    return row
