"""All routes that this project brings, by the modules of SkyPilot that they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sky_rs_patch._routes import common_utils, subprocess_utils, yaml_utils

if TYPE_CHECKING:
    from sky_rs_patch._routes.spec import RouteSpec

ROUTES: tuple[RouteSpec, ...] = (
    *common_utils.ROUTES,
    *subprocess_utils.ROUTES,
    *yaml_utils.ROUTES,
)
