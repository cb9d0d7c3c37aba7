"""What a controller tells an arm, in one option that xdist passes on to every worker."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TypedDict, cast

#: Set in the environment of an arm's processes: one that lacks it runs on another machine.
FOLDER_VARIABLE = "SKYRS_ARM_FOLDER"


class Selected(TypedDict):
    """Which tests an arm runs.

    Attributes:
        files: the only ones that it collects; all if ``None``.
        tests: node ids.
        up_to: node ids, each with what is before it in its file.
    """

    files: list[str] | None
    tests: list[str]
    up_to: list[str]


@dataclasses.dataclass(frozen=True)
class ArmSettings:
    """One arm.

    Attributes:
        backend: ``python`` or ``rust``.
        round: 1 for the whole run, 2 and up for confirmations.
        folder: everything of the arm is below it: HOME, temporary files, its report.
        seed: for Hypothesis and pytest-randomly.
        selection: which tests to run, or the file that says so; all if ``None``.
        schedule: the file of the schedule to replay.
        skip: node ids to leave out: an arm that goes on after a crash.
        coverage: measure which lines of the originals run.
        roots: folders whose files are the user's: what tests write there is looked after.
        screen: columns of the controller's terminal, and whether it has colours.
    """

    backend: str
    round: int
    folder: str
    seed: int
    selection: str | Selected | None = None
    schedule: str | None = None
    skip: str | None = None
    coverage: bool = False
    roots: tuple[str, ...] = ()
    screen: tuple[int, bool] = (80, False)

    @property
    def name(self) -> str:
        """``python-1`` and so on."""
        return f"{self.backend}-{self.round}"

    @property
    def confirming(self) -> bool:
        """Whether differences are being confirmed: arguments are kept for `replay`."""
        return self.round > 1

    @property
    def is_the_sessions(self) -> bool:
        """Whether what plugins gather here is the session's: this arm runs as pytest alone does."""
        return self.backend == "python" and self.round == 1 and self.skip is None

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def home(self) -> Path:
        """HOME of the arm."""
        return self.path / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the arm."""
        return self.path / "tmp"

    @property
    def basetemp(self) -> Path:
        """Where ``tmp_path`` is."""
        return self.path / "tmp" / "pytest"

    @property
    def cache(self) -> Path:
        """The arm's copy of pytest's cache."""
        return self.path / "cache"

    @property
    def stats(self) -> Path:
        """Where the arm's processes count their calls."""
        return self.path / "stats"

    @property
    def events(self) -> Path:
        """What happens in the arm, a JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def recorded(self) -> Path | None:
        """Where the schedule is recorded, of the arm that others replay."""
        return self.path / "schedule.jsonl" if (self.backend, self.round) == ("python", 1) else None

    @property
    def log(self) -> Path:
        """What the arm prints."""
        return self.path / "output.log"

    @property
    def file(self) -> Path:
        """Where the settings are written for the arm."""
        return self.path / "settings.json"

    def selected(self) -> Selected | None:
        """Which tests to run; all if ``None``."""
        if isinstance(self.selection, str):
            return cast("Selected", json.loads(Path(self.selection).read_text("ascii")))
        return self.selection

    def to_json(self) -> str:
        """The settings as the value of the option."""
        return json.dumps(dataclasses.asdict(self))

    def to_other_machine(self) -> str:
        """The same for a process that can't read files of this machine."""
        return dataclasses.replace(self, selection=self.selected(), schedule=None).to_json()

    def write_argument(self) -> str:
        """Writes the file, and gives the option that an arm is started with.

        A file, so that no word of a command line grows with what the settings hold.
        One word: as two, pytest would count the value among the paths that decide on its root.
        """
        self.file.write_text(self.to_json(), encoding="utf-8")
        return f"--skyrs-arm={self.file}"

    @classmethod
    def from_option(cls, text: str) -> ArmSettings:
        """Reads the option's value: the settings, or the file that has them."""
        values = json.loads(text if text.startswith("{") else Path(text).read_text("utf-8"))
        for name in ("roots", "screen"):
            values[name] = tuple(values[name])
        return cls(**values)
