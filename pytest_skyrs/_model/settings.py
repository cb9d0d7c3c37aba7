"""What a controller tells an arm, in one option that xdist passes on to every worker."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

#: Set in the environment of an arm's processes: one that lacks it runs on another machine.
FOLDER_VARIABLE = "SKYRS_ARM_FOLDER"


@dataclasses.dataclass(frozen=True)
class ArmSettings:
    """One arm.

    Attributes:
        backend: ``python`` or ``rust``.
        round: 1 for the whole run, 2 and up for confirmations.
        folder: everything of the arm is below it: HOME, temporary files, its report.
        seed: for Hypothesis and pytest-randomly.
        tests: run the files of these tests, each up to the last of them; all if ``None``.
        skip: node ids to leave out: an arm that goes on after a crash.
        coverage: measure which lines of the originals run.
        roots: folders whose files are the user's: what tests write there is looked after.
        screen: columns of the controller's terminal, and whether it has colours.
    """

    backend: str
    round: int
    folder: str
    seed: int
    tests: tuple[str, ...] | None = None
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
        """Whether differences are being confirmed: files in order, arguments kept for `replay`."""
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
    def log(self) -> Path:
        """What the arm prints."""
        return self.path / "output.log"

    @property
    def file(self) -> Path:
        """Where the settings are written for the arm."""
        return self.path / "settings.json"

    def to_json(self) -> str:
        """The settings as the value of the option, for workers on other machines as well."""
        return json.dumps(dataclasses.asdict(self))

    def write_argument(self) -> str:
        """Writes the file, and gives the option that an arm is started with.

        A file, for Linux takes no word of over 131,072 bytes, and node ids may be many and long.
        One word: as two, pytest would count the value among the paths that decide on its root.
        """
        self.file.write_text(self.to_json(), encoding="utf-8")
        return f"--skyrs-arm={self.file}"

    @classmethod
    def from_option(cls, text: str) -> ArmSettings:
        """Reads the option's value: the settings, or the file that has them."""
        values = json.loads(text if text.startswith("{") else Path(text).read_text("utf-8"))
        if values["tests"] is not None:
            values["tests"] = tuple(values["tests"])
        for name in ("roots", "screen"):
            values[name] = tuple(values[name])
        return cls(**values)
