"""Names that the parts of the package share: its version, variables and virtual module."""

from __future__ import annotations

__version__ = "0.1.0"

#: Set in the environment of a program that ``python -m sky_rs_patch.activate`` runs, and read
#: by ``zz_sky_rs_patch.pth`` in every child interpreter. An off value keeps the shim out of a
#: process, whatever has switched it on.
ACTIVE_VARIABLE = "SKY_RS_PATCH_ACTIVE"

#: By which installed packages declare routes: name = target, value = candidate.
ENTRY_POINT_GROUP = "sky_rs_patch.routes"

#: Exists while the import hook is installed.
VIRTUAL_MODULE = "sky.utils.rust_fallback"
