"""Table of known code that the extension reads at a start: rust/binding/src/start/known.rs.

    python tools/release/start_table.py [--check]

It says the same as the routes' declarations (`sky_rs_patch/_routes/`) and the tables of
fingerprints (`sky_rs_patch/_fingerprints/`), of which it is made anew whenever they change.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import TYPE_CHECKING

from sky_rs_patch._fingerprints.compute import DECORATED as DECORATED_END
from sky_rs_patch._fingerprints.known_code import KNOWN_CODE
from sky_rs_patch._fingerprints.known_variants import DECORATED, KNOWN
from sky_rs_patch._routes.table import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sky_rs_patch._routes.spec import RouteSpec

FILE = pathlib.Path(__file__).parents[2] / "rust/binding/src/start/known.rs"
_HEAD = """\
//! Known code by CPython version, and what each route relies on.
//!
//! Written by `tools/release/start_table.py`.
#![cfg_attr(rustfmt, rustfmt_skip)]

/// Code of a function that is known.
pub(super) struct Code {
    /// Dotted name.
    pub(super) function: &'static str,
    /// The start of its hash.
    pub(super) digest: u64,
    pub(super) decorated: bool,
    pub(super) variant: u8,
}

/// A route of a native function.
pub(super) struct Routed {
    pub(super) target: &'static str,
    pub(super) module: &'static str,
    pub(super) function: &'static str,
    /// Variant of the original, native function.
    pub(super) natives: &'static [(u8, &'static str)],
    /// Functions of the same module, and the variants that are covered.
    pub(super) callees: &'static [(&'static str, &'static [u8])],
    /// The same of other modules, by dotted names.
    pub(super) elsewhere: &'static [(&'static str, &'static [u8])],
}
"""


def written() -> str:
    """The text of the file."""
    lines = [_HEAD, "pub(super) const ROUTES: &[Routed] = &["]
    lines += [_route(route) for route in ROUTES if route.opt_in is None]
    lines += ["];", "", "/// By the minor version of CPython 3."]
    lines += ["pub(super) const CODE: &[(u8, &[Code])] = &["]
    for version, known in KNOWN_CODE.items():
        lines += [f"    ({version.partition('.')[2]}, &[", *sorted(_codes(known)), "    ]),"]
    return "\n".join([*lines, "];", ""])


def _route(route: RouteSpec) -> str:
    module, _, function = route.target.rpartition(".")
    natives = ", ".join(f"(b'{letter}', \"{name}\")" for letter, name in route.natives.items())
    return (
        "    Routed {\n"
        f'        target: "{route.target}",\n'
        f'        module: "{module}",\n'
        f'        function: "{function}",\n'
        f"        natives: &[{natives}],\n"
        f"        callees: &[{_covered(route.callees)}],\n"
        f"        elsewhere: &[{_covered(route.elsewhere)}],\n"
        "    },"
    )


def _covered(functions: Mapping[str, str]) -> str:
    return ", ".join(f'("{name}", b"{variants}")' for name, variants in functions.items())


def _codes(known: Mapping[str, str]) -> Iterator[str]:
    names = {
        name
        for route in ROUTES
        if route.opt_in is None
        for name in (
            route.target,
            *(f"{route.target.rpartition('.')[0]}.{callee}" for callee in route.callees),
            *route.elsewhere,
        )
    }
    for digest, fingerprint in known.items():
        decorated = digest.endswith(DECORATED_END)
        # Of what a decorator has made only the known one is taken, and undecorated it isn't it.
        if decorated is not (fingerprint in DECORATED):
            continue
        digits = digest.rstrip(DECORATED_END)
        literal = "_".join(digits[at : at + 4] for at in range(0, len(digits), 4))
        for name in names:
            variant = KNOWN.get(name, {}).get(fingerprint)
            if variant is not None:
                yield (
                    f'        Code {{ function: "{name}", '
                    f"digest: 0x{literal}, "
                    f"decorated: {str(decorated).lower()}, variant: b'{variant[0]}' }},"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is stale")
    check = parser.parse_args().check
    text = written()
    if not check:
        FILE.write_text(text, "utf-8")
    elif FILE.read_text("utf-8") != text:
        print(
            f"{FILE.name} is stale: the routes or the fingerprints are others; "
            "run python tools/release/start_table.py"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
