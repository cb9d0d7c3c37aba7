"""The plan of a session's arms, from how the user started pytest."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_skyrs._controller import sandbox
from pytest_skyrs._controller.arm_process import Plan

if TYPE_CHECKING:
    import pytest

    from pytest_skyrs._options import Options


def make(config: pytest.Config, options: Options) -> Plan:
    """What the arms have in common; pytest's cache isn't there before it is configured."""
    return Plan(
        arguments=tuple(map(str, config.invocation_params.args)),
        directory=Path(config.invocation_params.dir),
        first_path=_first_path(),
        cache=_cache_folder(config),
        isolate=_isolation(options),
        ports=options.ports,
        hash_seed=os.environ.get("PYTHONHASHSEED", "0"),
        measures_coverage=config.option.skyrs_measures_coverage,
    )


def _isolation(options: Options) -> str:
    """``net`` or ``none``: a network of their own takes more from the arms than servers."""
    if options.isolate != "auto":
        return options.isolate
    taken = sandbox.listeners(options.ports)
    return "net" if taken and sandbox.has_namespaces() else "none"


def _first_path() -> str:
    """What ``sys.path`` began with: pytest may have put test folders before it since."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(Path.cwd())
    return str(Path(sys.argv[0]).resolve().parent)


def _cache_folder(config: pytest.Config) -> Path | None:
    cache = getattr(config, "cache", None)
    return Path(cache.mkdir("skyrs")).parents[1] if cache is not None else None
