"""The project's source folder: commands that are run in it would use sources without extension."""

from __future__ import annotations

import os


def problem() -> str | None:
    """Why a command can't be run with this copy of the package; ``None`` if it is installed."""
    package = os.path.dirname(os.path.dirname(__file__))
    folder = os.path.dirname(package)
    has_extension = any(
        name.startswith("_native") and name.endswith(".so") for name in os.listdir(package)
    )
    if has_extension or not os.path.isfile(os.path.join(folder, "rust", "Cargo.toml")):
        return None
    return (
        f"you are in the source folder {folder}, whose sky_rs_patch has no extension: "
        "run this command from another folder, with the Python that sky-rs-patch is installed in "
        "(after `make build`: cd .venv && bin/python -m ...)"
    )
