"""``pytest --skyrs-backend=python|rust``: one ordinary session on one backend.

Nothing happens without the option, and nothing of sky_rs_patch is imported: the plugin is loaded
in every pytest session of an environment that has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_OPTION = "skyrs_backend"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    group = parser.getgroup("skyrs", "SkyPilot's utilities on Rust or Python (sky_rs_patch)")
    group.addoption(
        "--skyrs-backend",
        dest=_OPTION,
        choices=("python", "rust"),
        help="run the session on this backend: the routes are enabled either way, so that both "
        "see the same proxies, and calls go to Rust or to the originals",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Enables the routes before the first conftest can import SkyPilot."""
    backend = early_config.known_args_namespace.skyrs_backend
    if backend is None:
        return
    import sky_rs_patch
    from sky_rs_patch import _extension, _finder, _switch

    os.environ[_switch.VARIABLE] = "1" if backend == "rust" else "0"
    # What the tests start is on the same backend.
    os.environ[_finder.ACTIVE_VARIABLE] = "1"
    problem = _extension.load().problem
    if backend == "rust" and problem is not None:
        raise pytest.UsageError(f"--skyrs-backend=rust: {problem}")
    sky_rs_patch.enable()


def pytest_report_header(config: pytest.Config) -> str | None:
    """Names the backend."""
    backend = config.getoption(_OPTION)
    return f"skyrs: backend {backend}" if backend is not None else None


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Shows what was routed in this process; workers of xdist count for themselves."""
    if config.getoption(_OPTION) is None:
        return
    from sky_rs_patch import _status, status

    terminalreporter.section("skyrs: routes")
    terminalreporter.write_line(_status.table(status()["routes"]))
