"""The options that users type, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_skyrs._model import verdicts

if TYPE_CHECKING:
    from collections.abc import Callable


_FOR_SESSIONS = (
    *("json", "html", "known", "update_known", "cov", "side_by_side", "keep", "timeout"),
    "allow_unreached",
)


def add(parser: pytest.Parser) -> None:
    """Adds them to pytest's."""
    group = parser.getgroup("skyrs", "SkyPilot's utilities on Rust and Python (sky_rs_patch)")
    option = group.addoption
    option(
        "--skyrs-both",
        nargs="?",
        const="sessions",
        choices=("sessions", "inline"),
        help="run every test on both backends and compare: a whole session for each backend, or "
        "('inline') twice in this process, for --pdb",
    )
    option(
        "--skyrs-backend",
        choices=("python", "rust"),
        help="run an ordinary session on this backend: the routes are enabled either way, so that "
        "both see the same proxies, and calls go to Rust or to the originals",
    )
    option(
        "--skyrs-shadow",
        action="store_true",
        help="run an ordinary session on Rust, and run the original, too, in every routed call of "
        "a function without side effects; a test in which they differ fails",
    )
    option(
        "--skyrs-selftest",
        action="store_true",
        help="plant errors of all kinds in a small suite, and see that each gets its verdict",
    )
    option(
        "--skyrs-cov",
        action="store_true",
        help="with --skyrs-both: show which lines and branches of each original the compared "
        "tests ran, and find calls that passed by the proxies (needs coverage)",
    )
    option(
        "--skyrs-fail-on",
        metavar="VERDICTS",
        default=",".join(verdicts.FAILING),
        help="verdicts that make a test fail, separated by commas (default: %(default)s)",
    )
    option(
        "--skyrs-texts",
        choices=("reached", "all"),
        default="reached",
        help="judge what is printed and logged in tests in which Rust answered a call (default), "
        "or in all of them",
    )
    option(
        "--skyrs-allow-unreached",
        action="store_true",
        help="registered routes that answered no call of the whole run don't make it fail",
    )
    option("--skyrs-json", metavar="FILE", type=Path, help="write the result as JSON")
    option("--skyrs-html", metavar="FILE", type=Path, help="write the result as an HTML page")
    option(
        "--skyrs-known",
        metavar="FILE",
        type=Path,
        help=f"known differences (default: {verdicts.KNOWN_FILE} at the root, if it is there)",
    )
    option(
        "--skyrs-update-known",
        action="store_true",
        help="propose entries for the differences that were found; writes a file beside the list",
    )
    option(
        "--skyrs-isolate",
        choices=("auto", "none", "net"),
        default="auto",
        help="'net' gives each arm a network of its own, with nothing but a loopback; 'auto' "
        "(default) does so if somebody listens on --skyrs-ports, where the system lets us",
    )
    option(
        "--skyrs-side-by-side",
        action="store_true",
        help="run both arms at the same time (needs --skyrs-isolate=net)",
    )
    option(
        "--skyrs-ports",
        metavar="PORTS",
        default=",".join(map(str, verdicts.PORTS)),
        help="ports on which nobody may listen when an arm starts (default: %(default)s)",
    )
    option(
        "--skyrs-seed",
        metavar="N",
        type=int,
        help="for Hypothesis and pytest-randomly, the same in all arms (default: by chance)",
    )
    option(
        "--skyrs-keep",
        action="store_true",
        help="keep the arms' folders (HOME, temporary files, output)",
    )
    option(
        "--skyrs-timeout",
        metavar="SECONDS",
        help="end the whole double run after so many seconds; what was compared by then is "
        "reported, and the session fails",
    )
    option(
        "--skyrs-record-schedule",
        metavar="FILE",
        type=Path,
        help="write down which worker of xdist runs which tests, in which order; of a double run, "
        "its python arm's",
    )
    option(
        "--skyrs-schedule",
        metavar="FILE[::WORKER]",
        help="run the tests on the same workers in the same order as they were recorded (needs as "
        "many workers); with WORKER, run that one's tests alone, in this process",
    )
    option("--skyrs-arm", help="for the plugin's own use")


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a double run."""

    mode: str
    fail_on: tuple[str, ...]
    json: Path | None
    html: Path | None
    known: Path | None
    update_known: bool
    isolate: str
    side_by_side: bool
    ports: tuple[int, ...]
    seed: int | None
    keep: bool
    coverage: bool
    all_texts: bool
    timeout: float | None
    allow_unreached: bool

    def known_path(self, config: pytest.Config) -> Path | None:
        """Where known differences are listed."""
        if self.known is not None:
            return self.known
        default = Path(config.rootpath / verdicts.KNOWN_FILE)
        return default if default.is_file() else None


def read(config: pytest.Config) -> Options:
    """Reads and checks the options.

    Raises:
        pytest.UsageError: if one of them can't be, or two don't go together.
    """
    value: Callable[[str], object] = config.getoption
    mode = str(value("skyrs_both"))
    if mode == "sessions":
        for name in ("usepdb", "trace"):
            if config.getoption(name, False):
                raise pytest.UsageError(
                    f"--{'pdb' if name == 'usepdb' else name} needs the test in this process; "
                    "use --skyrs-both=inline with it"
                )
        from pytest_skyrs._model import other_plugins

        other_plugins.refuse(config.option)
    if config.getoption("skyrs_side_by_side") and config.getoption("skyrs_isolate") != "net":
        raise pytest.UsageError(
            "--skyrs-side-by-side needs --skyrs-isolate=net: on one loopback the arms' servers "
            "would serve each other's tests"
        )
    coverage = bool(config.getoption("skyrs_cov"))
    if coverage and config.getoption("skyrs_measures_coverage", False):
        raise pytest.UsageError("--skyrs-cov and --cov can't measure at the same time; drop one")
    known = config.getoption("skyrs_known")
    if known is not None and not known.is_file():
        raise pytest.UsageError(f"--skyrs-known={known}: there is no such file")
    for name in ("skyrs_json", "skyrs_html"):
        path = config.getoption(name)
        if path is not None:
            check_target(f"--{name.replace('_', '-')}={path}", path.absolute())
    options = Options(
        mode=mode,
        fail_on=_fail_on(config.getoption("skyrs_fail_on")),
        json=config.getoption("skyrs_json"),
        html=config.getoption("skyrs_html"),
        known=known,
        update_known=bool(config.getoption("skyrs_update_known")),
        isolate=str(config.getoption("skyrs_isolate")),
        side_by_side=bool(config.getoption("skyrs_side_by_side")),
        ports=_ports(config.getoption("skyrs_ports")),
        seed=config.getoption("skyrs_seed"),
        keep=bool(config.getoption("skyrs_keep")),
        coverage=coverage,
        all_texts=config.getoption("skyrs_texts") == "all",
        timeout=_seconds(config.getoption("skyrs_timeout")),
        allow_unreached=bool(config.getoption("skyrs_allow_unreached")),
    )
    _check_known(options.known_path(config))
    return options


def check_target(option: str, path: Path) -> None:
    """Sees before anything runs whether a file can be written."""
    if not path.parent.is_dir():
        raise pytest.UsageError(f"{option}: there is no folder {path.parent}")
    if path.is_dir():
        raise pytest.UsageError(f"{option}: that is a folder; name a file in it")
    if path.exists() and not path.is_file():
        # A device.
        return
    try:
        # Reports are written beside their places, and moved there.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise pytest.UsageError(
            f"{option}: no file can be made in {path.parent}: {error.strerror}"
        ) from None


def _check_known(path: Path | None) -> None:
    """Sees before anything runs whether the list of known differences can be read."""
    if path is None:
        return
    from pytest_skyrs._model import accepted_differences

    try:
        accepted_differences.load(path, None)
    except accepted_differences.BadEntry as error:
        raise pytest.UsageError(str(error)) from None


def check_environment() -> None:
    """Variables that the arms would choke on.

    Raises:
        pytest.UsageError: if one of them can't be.
    """
    from sky_rs_patch import _testing

    try:
        _testing.opted_in()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def refuse_unused(config: pytest.Config) -> None:
    """Options that say something of a double run mean nothing without one.

    Raises:
        pytest.UsageError: if there is such an option.
    """
    for name in _FOR_SESSIONS:
        if config.getoption(f"skyrs_{name}"):
            raise pytest.UsageError(f"--skyrs-{name.replace('_', '-')} needs --skyrs-both")


def _fail_on(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in verdicts.ALL:
            raise pytest.UsageError(
                f"--skyrs-fail-on: {name!r} is no verdict; there are {', '.join(verdicts.ALL)}"
            )
    return names


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # Neither is 'nan'.
    if not 0 < seconds < float("inf"):
        raise pytest.UsageError(f"--skyrs-timeout: {text!r} is no number of seconds above 0")
    return seconds


def _ports(text: str) -> tuple[int, ...]:
    ports = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if not part.isdecimal() or not 0 < int(part) < 65536:
            raise pytest.UsageError(
                f"--skyrs-ports: {part!r} is no port; give numbers from 1 to 65535, "
                "separated by commas, or nothing"
            )
        ports.append(int(part))
    return tuple(ports)
