"""The plugin's entry point: which of its parts a session needs.

Nothing happens without an option, and nothing of sky_rs_patch is imported: the plugin is loaded in
every pytest session of an environment that has it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter

    from pytest_skyrs._arm.joining import StaleProcess
    from pytest_skyrs._arm.recorder import Recorder
    from pytest_skyrs._model.events import RunRecord
    from pytest_skyrs._model.settings import ArmSettings


class _Session:
    """What this process's session is, as far as it concerns us."""

    recorder: Recorder | None = None
    refusal: StaleProcess | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    from pytest_skyrs import _options

    _options.add(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    """Comes before all other plugins: pytest-cov begins to measure here."""
    _prepare(early_config)
    return (yield)


def _prepare(early_config: pytest.Config) -> None:
    """Enables the routes before the first conftest can import SkyPilot."""
    known = early_config.known_args_namespace
    if known.skyrs_arm is not None:
        from pytest_skyrs._arm import joining

        try:
            _join_arm(known.skyrs_arm)
        except joining.StaleProcess as problem:
            _Session.refusal = problem
            # Nothing of the suite is to be imported.
            known.noconftest = True
        return
    modes = [
        name
        for name, given in (
            ("--skyrs-both", known.skyrs_both),
            ("--skyrs-backend", known.skyrs_backend),
            ("--skyrs-shadow", known.skyrs_shadow),
            ("--skyrs-selftest", known.skyrs_selftest),
        )
        if given
    ]
    if len(modes) > 1:
        raise pytest.UsageError(f"{' and '.join(modes)} don't go together; give one of them")
    if known.skyrs_backend is not None or known.skyrs_shadow or known.skyrs_both == "inline":
        from pytest_skyrs._arm import joining

        joining.join(known.skyrs_backend or "rust")
    if known.skyrs_both == "sessions" and not known.collectonly:
        from pytest_skyrs import _options
        from pytest_skyrs._model import other_plugins

        _options.check_environment()
        other_plugins.settle_in_controller(known)


def _join_arm(text: str) -> None:
    from pytest_skyrs._arm import joining
    from pytest_skyrs._arm.recorder import Recorder
    from pytest_skyrs._model.settings import ArmSettings

    settings = ArmSettings.from_option(text)
    coverage = None
    if settings.coverage:
        from pytest_skyrs._arm.body_coverage import BodyCoverage

        coverage = BodyCoverage()
    joining.join(settings.backend, settings)
    _Session.recorder = Recorder(settings, lambda nodeid, record: None)
    _Session.recorder.start(coverage)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Settles options before other plugins look at them."""
    options = config.option
    if options.skyrs_arm is not None:
        from pytest_skyrs._arm import joining
        from pytest_skyrs._model.settings import ArmSettings

        settings = ArmSettings.from_option(options.skyrs_arm)
        joining.adapt_options(config, settings)
    elif options.skyrs_both == "inline":
        from pytest_skyrs._arm import joining

        joining.fix_seeds(options, options.skyrs_seed or 0)
    elif options.skyrs_both == "sessions" and not options.collectonly:
        from pytest_skyrs._model import other_plugins

        options.skyrs_measures_coverage = other_plugins.measures_coverage(options)
        other_plugins.settle_in_controller(options)
        # The arms distribute, not we.
        options.skyrs_distributed = any(
            getattr(options, name, None) for name in ("numprocesses", "tx")
        )
        alone = {"numprocesses": 0, "dist": "no", "tx": [], "maxprocesses": None}
        for name, value in alone.items():
            if hasattr(options, name):
                setattr(options, name, value)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Registers the part that this session needs."""
    options = config.option
    if options.skyrs_both != "sessions" and options.skyrs_arm is None:
        from pytest_skyrs import _options

        _options.refuse_unused(config)
    schedule = options.skyrs_schedule is not None or options.skyrs_record_schedule is not None
    # Only the main process knows who runs what.
    if schedule and options.skyrs_arm is None and not hasattr(config, "workerinput"):
        _configure_schedule(config)
    if options.skyrs_arm is not None:
        _configure_arm(config)
    elif options.skyrs_selftest:
        from pytest_skyrs._modes.selftest import SelfTest

        config.pluginmanager.register(SelfTest(config), "skyrs-selftest")
    elif options.skyrs_both == "inline":
        from pytest_skyrs import _options
        from pytest_skyrs._modes.inline import Inline

        config.pluginmanager.register(Inline(config, _options.read(config)), "skyrs-inline")
    elif options.skyrs_both is not None and not options.collectonly:
        from pytest_skyrs import _options
        from pytest_skyrs._controller.controller import Controller

        controller = Controller(config, _options.read(config))
        config.pluginmanager.register(controller, "skyrs-controller")
    elif options.skyrs_shadow:
        from pytest_skyrs._modes.shadow import Shadow

        config.pluginmanager.register(Shadow(config), "skyrs-shadow")


def _configure_schedule(config: pytest.Config) -> None:
    """Of a session that isn't an arm."""
    from pytest_skyrs._schedule import given

    given.check(config)
    if config.option.skyrs_both is not None:
        # The arms have the options, too.
        return

    def say(text: str) -> None:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(f"skyrs: {text}")

    given.register(config, say)


def _configure_arm(config: pytest.Config) -> None:
    from pytest_skyrs._arm import joining, record_report
    from pytest_skyrs._arm.recorder import Protocol
    from pytest_skyrs._arm.remote import OtherMachines, Remote
    from pytest_skyrs._arm.selection import Selection
    from pytest_skyrs._arm.writer import Writer
    from pytest_skyrs._model import other_plugins
    from pytest_skyrs._model.settings import ArmSettings

    settings = ArmSettings.from_option(config.option.skyrs_arm)
    register = config.pluginmanager.register
    if _Session.refusal is not None:
        register(joining.Refusal(_Session.refusal), "skyrs-refusal")
        return
    register(Selection(settings), "skyrs-selection")
    if not hasattr(config, "workerinput"):
        register(OtherMachines(config, settings), "skyrs-other-machines")
    recorder = _Session.recorder
    assert recorder is not None
    if hasattr(config, "workerinput"):

        def send(nodeid: str, record: RunRecord) -> None:
            config.hook.pytest_runtest_logreport(report=record_report.make(nodeid, record))

        recorder.emit_to(send)
        register(recorder, "skyrs-recorder")
        register(Protocol(recorder), "skyrs-protocol")
        register(Remote(config, recorder), "skyrs-remote")
        recorder.configured(config)
    elif other_plugins.distribution(config.option) != "no":
        recorder.leave()
        writer = Writer(settings, config, None)
        register(writer, "skyrs-writer")
        _follow_schedule(config, settings, writer.note)
    else:
        writer = Writer(settings, config, recorder)
        recorder.emit_to(writer.record)
        # The writer's last word is the recorder's.
        register(recorder, "skyrs-recorder")
        register(Protocol(recorder), "skyrs-protocol")
        register(writer, "skyrs-writer")
        recorder.configured(config)
        _follow_schedule(config, settings, writer.note)


def _follow_schedule(
    config: pytest.Config, settings: ArmSettings, say: Callable[[str], None]
) -> None:
    """In an arm's main process."""
    from pytest_skyrs._model import schedule
    from pytest_skyrs._schedule import given
    from pytest_skyrs._schedule.recording import Recording
    from pytest_skyrs._schedule.replay import Replay

    register = config.pluginmanager.register
    if settings.schedule is not None:
        found = schedule.read(Path(settings.schedule))
        part = "::" in (config.option.skyrs_schedule or "")
        replay = Replay(
            config, found, say, insist=settings.confirming, part=part, tell_changes=False
        )
        register(replay, "skyrs-replay")
    elif settings.is_the_sessions:
        given.replay_given(config, say)
    if settings.recorded is not None:
        register(Recording(config, settings.recorded), "skyrs-recording")


@pytest.hookimpl(tryfirst=True)
def pytest_report_to_serializable(report: object) -> dict[str, Any] | None:
    """Records travel through xdist as reports."""
    if type(report).__module__ != "pytest_skyrs._arm.record_report":
        return None
    from pytest_skyrs._arm import record_report

    return record_report.to_serializable(report)


@pytest.hookimpl(tryfirst=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> object:
    """And back."""
    if data.get("$report_type") != "SkyrsRecord":
        return None
    from pytest_skyrs._arm import record_report

    return record_report.from_serializable(data)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """A record shows nowhere, a verdict by its letter."""
    if getattr(report, "when", None) == "skyrs":
        return "", "", ""
    verdict = getattr(report, "skyrs_verdict", None)
    if verdict is None:
        return None
    from pytest_skyrs._report import terminal

    return terminal.status(report, verdict)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """The double run decides on the exit code when all other plugins are done."""
    controller = session.config.pluginmanager.get_plugin("skyrs-controller")
    if controller is None:
        return (yield)
    try:
        result = yield
    except (SystemExit, pytest.exit.Exception) as error:
        # The Python arm has ended with that code, and it may be too good for what was found.
        controller.finish(session, error)
        return None
    except BaseException as error:
        controller.finish(session, error)
        raise
    controller.finish(session, None)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, object, object]:
    """Nor does what another plugin does after that make it better."""
    controller = config.pluginmanager.get_plugin("skyrs-controller")
    try:
        return (yield)
    except SystemExit:
        if controller is not None and controller.code:
            raise SystemExit(controller.code) from None
        raise


def pytest_report_header(config: pytest.Config) -> str | None:
    """Names the backend."""
    backend = config.getoption("skyrs_backend")
    return f"skyrs: backend {backend}" if backend is not None else None


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Shows what was routed in this process; workers of xdist count for themselves."""
    if config.getoption("skyrs_backend") is None or os.environ.get("PYTEST_XDIST_WORKER"):
        return
    from sky_rs_patch import _testing, status

    terminalreporter.section("skyrs: routes")
    terminalreporter.write_line(_testing.table(status()["routes"]))
