"""Files that an arm's pytest processes write: the first Python arm's are the session's.

All arms run in the user's folder with the user's options, so that a plugin which writes a file
writes it in each of them, and once more in the controller. Each process notes which files it opens
for writing (`Watch`). When all is over, those of the Python arm are as that arm left them. What
other arms have added is gone, and so is what plugins have added in the controller that don't make
their files of reports (`SessionFiles`).
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

    from pytest_skyrs._model.settings import ArmSettings

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Audit events that tell of a file which is about to be written, by the position of its name.
_EVENTS = {"open": 0, "os.rename": 1, "sqlite3.connect": 0}
_NOT_FILES = ("/dev/", "/proc/", "/sys/")
#: Packages of plugins that make their files of reports: the controller's are the session's.
_REPORTERS = {"_pytest", "pytest_skyrs", "pytest_html", "pytest_jsonreport", "pytest_reportlog"}


class Watch:
    """Notes the files that this process writes.

    Args:
        note: the file to note them in.
        apart: nothing below this folder is noted.
        roots: within a test, files outside of these folders aren't noted.
    """

    def __init__(self, note: Path, apart: str, roots: Iterable[str]) -> None:
        self._note = str(note)
        self._apart = os.path.join(apart, "")  # noqa: PTH118
        self._roots = tuple(os.path.join(root, "") for root in roots)  # noqa: PTH118
        self._seen: set[str] = set()
        self._pid: int | None = os.getpid()
        #: Whether a phase of a test is running.
        self.in_test = False
        sys.addaudithook(self._hear)

    def stop(self) -> None:
        """Notes nothing from now on; an audit hook can't be taken away."""
        self._pid = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        position = _EVENTS.get(event)
        if position is None:
            return
        name = arguments[position]
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & _WRITING:
                return
        # A descriptor, or a database in memory.
        if not isinstance(name, (str, bytes, os.PathLike)) or os.getpid() != self._pid:
            return
        with contextlib.suppress(OSError, ValueError, RecursionError):
            self._consider(os.path.abspath(os.fsdecode(name)))  # noqa: PTH100

    def _consider(self, path: str) -> None:
        if path in self._seen or path == self._note:
            return
        self._seen.add(path)
        if path.startswith((self._apart, *_NOT_FILES)) or ".pyc" in path:
            return
        if self.in_test and not path.startswith(self._roots):
            return
        entry = {
            "path": path,
            "new": not os.path.lexists(path),
            "test": self.in_test,
            "report": _makes_reports(),
        }
        file = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, json.dumps(entry).encode() + b"\n")
        finally:
            os.close(file)


def _makes_reports() -> bool:
    """Whether the plugin whose hook runs is one that makes its files of reports."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_back is not None:
        if str(frame.f_back.f_globals.get("__name__")).startswith("pluggy."):
            return str(frame.f_globals.get("__name__")).partition(".")[0] in _REPORTERS
        frame = frame.f_back
    return False


def watch(settings: ArmSettings) -> Watch:
    """Begins to watch this process of an arm."""
    note = settings.path / f"written-{os.getpid()}.jsonl"
    return Watch(note, settings.folder, settings.roots)


def written(folder: Path) -> Iterator[dict[str, Any]]:
    """What the processes of an arm have noted."""
    for note in folder.glob("written-*.jsonl"):
        for line in note.read_text(encoding="ascii").splitlines():
            # A process that is killed leaves half a line.
            with contextlib.suppress(ValueError):
                yield json.loads(line)


class SessionFiles:
    """In the controller: the files of the session, while it goes on.

    Args:
        folder: where to keep copies.
        apart: the folder of all arms.
        roots: nothing outside of these folders is ever removed.
    """

    def __init__(self, folder: Path, apart: str, roots: Iterable[str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._roots = tuple(os.path.join(root, "") for root in roots)  # noqa: PTH118
        self._kept: dict[str, Path] = {}
        self._watch = Watch(folder / "written-controller.jsonl", apart, self._roots)
        #: Files that could not be kept or put back, and why.
        self.problems: list[str] = []

    def arm_ended(self, settings: ArmSettings) -> None:
        """Keeps what the first Python arm wrote; removes what others have added."""
        for entry in written(settings.path):
            if settings.is_the_sessions:
                self._keep(entry["path"])
            elif not entry["test"]:
                self._remove(entry)

    def _keep(self, path: str) -> None:
        place = self._folder / str(len(self._kept))
        try:
            if path not in self._kept and stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
                shutil.copy2(path, place)
                self._kept[path] = place
        except FileNotFoundError:
            # It was needed during the session alone.
            return
        except OSError as error:
            self.problems.append(f"{path} could not be kept for the session: {error}")

    def _remove(self, entry: dict[str, Any]) -> None:
        path = entry["path"]
        if entry["new"] and path not in self._kept and path.startswith(self._roots):
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108

    def put_back(self) -> None:
        """Gives every file the content that the Python arm left: all plugins have written."""
        self._watch.stop()
        for entry in written(self._folder):
            if not entry["report"]:
                self._remove(entry)
        for path, place in self._kept.items():
            with contextlib.suppress(FileNotFoundError):
                if filecmp.cmp(place, path, shallow=False):
                    continue
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(place, path)
            except OSError as error:
                self.problems.append(f"{path} isn't as the python arm wrote it: {error}")
