"""Differences that are known and accepted: a strict list, with a reason for each."""

from __future__ import annotations

import datetime
import fnmatch
import platform
from typing import TYPE_CHECKING, Any

from pytest_skyrs._model import verdicts

if TYPE_CHECKING:
    from pathlib import Path

_MATCHERS = ("test", "function", "observable")
_OBSERVABLES = (
    *("call", "sequence", "results", "outcome", "exception", "stdout", "stderr"),
    *("logs", "warnings", "crash", "collection"),
)
_KEYS = {*_MATCHERS, "reason", "issue", "condition", "expires", "verdict"}


class BadEntry(ValueError):
    """The file isn't as it should be; the message says where and what would be right."""


class Entry:
    """One entry of the file.

    Attributes:
        number: its place in the file, from 1.
        reason: why the difference is accepted.
        issue: where it is followed up.
        used: how many differences it has matched.
        seen: how many tests that it speaks of were compared.
    """

    def __init__(self, number: int, data: dict[str, Any]) -> None:
        self.number = number
        self._data = data
        self.reason = str(data["reason"])
        self.issue = str(data["issue"])
        self.used = 0
        self.seen = 0

    def speaks_of(self, test: str) -> bool:
        """Whether it could match a difference of this test."""
        return _matches(self._data.get("test", "*"), test)

    def matches(self, test: str, verdict: str, function: str | None, observable: str) -> bool:
        """Whether it accepts a difference."""
        return (
            self.speaks_of(test)
            and _matches(self._data.get("function", "*"), function or "")
            and _matches(self._data.get("observable", "*"), observable)
            and verdict == self._data.get("verdict", verdicts.DIVERGED)
        )

    def describe(self) -> str:
        """The entry in a line."""
        parts = [f"{name} {self._data[name]}" for name in _MATCHERS if name in self._data]
        return f"entry {self.number} ({', '.join(parts)})"


def _matches(pattern: str, text: str) -> bool:
    # Brackets are part of many node ids, so an exact match comes first.
    return pattern == text or fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def load(path: Path, skypilot: str | None) -> list[Entry]:
    """Reads the entries whose conditions hold here.

    Raises:
        BadEntry: if the file can't be read, or an entry isn't valid.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadEntry(f"{path}: {error}") from None
    if content is None:
        return []
    if not isinstance(content, list):
        raise BadEntry(f"{path}: it holds a {type(content).__name__}, not a list of entries")
    entries = []
    for number, data in enumerate(content, 1):
        place = f"{path}, entry {number}"
        _check(data, place)
        if _applies(data.get("condition"), skypilot, place):
            entries.append(Entry(number, data))
    return entries


def _check(data: Any, place: str) -> None:
    if not isinstance(data, dict):
        raise BadEntry(f"{place}: {data!r} is no mapping of {', '.join(sorted(_KEYS))}")
    unknown = sorted(set(map(str, data)) - _KEYS)
    if unknown:
        raise BadEntry(
            f"{place}: {', '.join(unknown)} means nothing; there are {', '.join(sorted(_KEYS))}"
        )
    for name in ("reason", "issue"):
        if not str(data.get(name) or "").strip():
            raise BadEntry(f"{place}: it has no {name}; say why the difference is accepted")
    if not any(data.get(name) for name in ("test", "function")):
        raise BadEntry(f"{place}: it names neither a test nor a function")
    for name in _MATCHERS:
        if name in data and not isinstance(data[name], str):
            raise BadEntry(f"{place}: {name} is {data[name]!r}, not a text")
    observable = data.get("observable", "call")
    if not set("*?[") & set(observable) and observable not in _OBSERVABLES:
        raise BadEntry(f"{place}: observable {observable!r} is none of {', '.join(_OBSERVABLES)}")
    if data.get("verdict", verdicts.DIVERGED) not in verdicts.FAILING:
        known = ", ".join(verdicts.FAILING)
        raise BadEntry(f"{place}: verdict {data['verdict']!r} is none of {known}")
    expires = data.get("expires")
    if expires is not None:
        if not isinstance(expires, datetime.date) or isinstance(expires, datetime.datetime):
            raise BadEntry(f"{place}: expires {expires!r} is no date like 2027-01-31")
        if expires < datetime.date.today():
            raise BadEntry(f"{place}: it expired on {expires}; mend the difference or look again")


def _applies(condition: Any, skypilot: str | None, place: str) -> bool:
    """Whether ``{"skypilot": ">=0.13", "python": "<3.12"}`` and the like hold."""
    if condition is None:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    versions = {"skypilot": skypilot, "python": platform.python_version()}
    if not isinstance(condition, dict) or not set(condition) <= set(versions):
        raise BadEntry(f"{place}: condition {condition!r} is no mapping of skypilot and python")
    holds = True
    for name, text in condition.items():
        try:
            specifier = SpecifierSet(str(text))
        except InvalidSpecifier:
            raise BadEntry(
                f"{place}: {name}: {text!r} is no version specifier like '>=0.13,<0.15'"
            ) from None
        version = versions[name]
        holds &= version is not None and specifier.contains(version, prereleases=True)
    return holds


def propose(divergences: list[dict[str, Any]]) -> str:
    """YAML entries for differences that aren't in the file, to be completed by hand."""
    import yaml

    entries = []
    for divergence in divergences:
        entry = {"test": divergence["test"]}
        if divergence["function"]:
            entry["function"] = divergence["function"]
        entry["observable"] = divergence["observable"]
        if divergence["verdict"] != verdicts.DIVERGED:
            entry["verdict"] = divergence["verdict"]
        entry.update(reason="", issue="")
        if entry not in entries:
            entries.append(entry)
    return str(yaml.safe_dump(entries, sort_keys=False, allow_unicode=False))
