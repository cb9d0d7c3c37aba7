"""The project's source folder: commands that are run in it would use sources without extension."""

from __future__ import annotations

from pathlib import Path


def problem() -> str | None:
    """Why a command can't be run with this copy of the package; ``None`` if it is installed."""
    package = Path(__file__).parents[1]
    if any(package.glob("_native*.so")) or not (package.parent / "rust" / "Cargo.toml").is_file():
        return None
    return (
        f"you are in the source folder {package.parent}, whose sky_rs_patch has no extension: "
        "run this command from another folder, with the Python that sky-rs-patch is installed in "
        "(after `make build`: cd .venv && bin/python -m ...)"
    )
