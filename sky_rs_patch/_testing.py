"""Facade for test sessions: what pytest_skyrs uses of this package beside its public names."""

from __future__ import annotations

from sky_rs_patch._base import html_page
from sky_rs_patch._base.child_environment import child_environment
from sky_rs_patch._base.names import ACTIVE_VARIABLE
from sky_rs_patch._base.network import isolate_network
from sky_rs_patch._base.processes import adopt_orphans, end_descendants
from sky_rs_patch._base.switch import VARIABLE as SWITCH_VARIABLE
from sky_rs_patch._binding import counters
from sky_rs_patch._binding.counters import VARIABLE as COUNTERS_VARIABLE
from sky_rs_patch._binding.extension import build_info
from sky_rs_patch._binding.extension import load as load_extension
from sky_rs_patch._routes.opt_in import current as opted_in
from sky_rs_patch._routes.registry import registry
from sky_rs_patch._runtime.observe import observe
from sky_rs_patch._runtime.status import aligned, table
from sky_rs_patch._runtime.table import forget as reset

__all__ = (
    "ACTIVE_VARIABLE",
    "COUNTERS_VARIABLE",
    "SWITCH_VARIABLE",
    "adopt_orphans",
    "aligned",
    "build_info",
    "child_environment",
    "counters",
    "end_descendants",
    "html_page",
    "isolate_network",
    "load_extension",
    "observe",
    "opted_in",
    "registry",
    "reset",
    "table",
)
