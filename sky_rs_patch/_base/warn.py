"""Warnings of the package, which never break the program that they are for."""

from __future__ import annotations

import contextlib
import sys
import warnings


def complain(message: str) -> None:
    """Warns the user, whatever the warning filters make of it, and where it can be read."""
    # A daemon may have closed its standard error, and `warnings.showwarning` may be anybody's:
    # neither must break somebody's import.
    with contextlib.suppress(Exception):
        try:
            warnings.warn(f"sky_rs_patch: {message}", RuntimeWarning, stacklevel=2)
        except RuntimeWarning:
            # The filters turn warnings into errors.
            sys.stderr.write(f"sky_rs_patch: {message}\n")
