"""What the workloads work on: files, task YAMLs, processes. Made at first use, in one folder."""

from __future__ import annotations

import importlib.resources
import os
import subprocess
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import TracebackType

_LINE = "I 11-21 12:00:00.000 PID=1 server.py:1] request " + "x" * 281 + "\n"
_CHILDREN = 20


class TaskFile(NamedTuple):
    """A task as users write it."""

    name: str
    text: str


class Corpus:
    """Inputs of workloads.

    Args:
        folder: an empty directory for files.
        tasks: a directory of task YAMLs in the place of the package's own, or ``None``.
        quick: make the large inputs smaller.
    """

    def __init__(self, folder: Path, *, tasks: Path | None = None, quick: bool = False) -> None:
        #: Where a sample call may make its files.
        self.folder = folder
        self._tasks = tasks
        self._children: list[subprocess.Popen[bytes]] = []
        self.quick = quick
        #: Lines of the log, and bytes of one of them.
        self.lines = 10_000 if quick else 100_000
        self.line_bytes = len(_LINE)
        self.big_bytes = (8 if quick else 64) << 20

    def __enter__(self) -> Corpus:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in self._children:
            child.kill()
            child.wait()
        self._children.clear()

    @cached_property
    def log(self) -> str:
        """A server's log, 33 MB of it (3.3 MB if quick)."""
        path = self.folder / "server.log"
        # In pieces: the memory that this takes is nobody's to measure.
        with path.open("w") as file:
            for _ in range(self.lines // 1000):
                file.write(_LINE * 1000)
        return str(path)

    @cached_property
    def small(self) -> str:
        """4 KiB of noise."""
        path = self.folder / "small"
        path.write_bytes(os.urandom(4096))
        return str(path)

    @cached_property
    def big(self) -> str:
        """64 MiB of noise (8 MiB if quick)."""
        path = self.folder / "big"
        with path.open("wb") as file:
            for _ in range(self.big_bytes >> 20):
                file.write(os.urandom(1 << 20))
        return str(path)

    @cached_property
    def directory(self) -> str:
        """A directory of 1,000 entries."""
        path = self.folder / "mount"
        path.mkdir()
        for number in range(1000):
            (path / f"file-{number:04}").touch()
        return str(path)

    @cached_property
    def process_tree(self) -> int:
        """A process id that has 20 children."""
        for _ in range(_CHILDREN):
            self._children.append(subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL))
        return os.getpid()

    @cached_property
    def tasks(self) -> list[TaskFile]:
        """Task files by size: the package's own, or those of ``--tasks``."""
        if self._tasks is not None:
            found = sorted(p for p in self._tasks.rglob("*.y*ml") if p.suffix in {".yaml", ".yml"})
            tasks = [TaskFile(p.stem, p.read_text(encoding="utf-8")) for p in found]
        else:
            folder = importlib.resources.files("sky_rs_patch._bench").joinpath("tasks")
            tasks = [
                TaskFile(file.name.rpartition(".")[0], file.read_text(encoding="utf-8"))
                for file in folder.iterdir()
                if file.name.endswith(".yaml")
            ]
        if not tasks:
            raise ValueError(f"--tasks {self._tasks}: no *.yaml or *.yml there")
        return sorted(tasks, key=lambda task: (len(task.text), task.name))

    @cached_property
    def recipe(self) -> TaskFile:
        """The task that SkyPilot itself ships as an example, or else the smallest one."""
        import sky

        path = Path(sky.__file__).parent / "recipes" / "examples" / "basic_cluster.yaml"
        if path.is_file():
            return TaskFile("SkyPilot's basic_cluster", path.read_text(encoding="utf-8"))
        return self.tasks[0]

    def task(self, size: str) -> str:
        """A task's text: ``smallest``, ``median`` or ``largest``, or SkyPilot's own ``recipe``."""
        if size == "recipe":
            return self.recipe.text
        # Pipelines are for the end-to-end part: some functions take one document only.
        tasks = [task for task in self.tasks if "\n---" not in task.text] or self.tasks
        return tasks[{"smallest": 0, "median": len(tasks) // 2, "largest": -1}[size]].text

    def document(self, size: str) -> dict[str, object]:
        """A task as it is loaded; of a pipeline the last document."""
        import yaml

        documents = [d for d in yaml.safe_load_all(self.task(size)) if isinstance(d, dict)]
        return documents[-1]
