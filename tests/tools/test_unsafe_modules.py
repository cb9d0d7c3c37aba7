"""`rust/SAFETY.md` names the modules of the binding that have unsafe code, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

RUST = Path(__file__).parents[2] / "rust"
SOURCES = RUST / "binding" / "src"
DECLARED = re.compile(r"^#\[(?:expect|allow)\(unsafe_code\b[^\n]*\]\nmod (\w+);", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*")


def listed() -> list[str]:
    text = (RUST / "SAFETY.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([\w:]+)` \|", text, re.MULTILINE)


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return "::".join(part for part in parts if part != "mod")


def with_unsafe_code() -> list[str]:
    return sorted(
        module_of(path)
        for path in SOURCES.rglob("*.rs")
        if path.name != "lib.rs"
        and re.search(r"\bunsafe\b", COMMENT.sub("", path.read_text(encoding="utf-8")))
    )


def declared() -> list[str]:
    found = DECLARED.findall((SOURCES / "lib.rs").read_text(encoding="utf-8"))
    natives = DECLARED.findall((SOURCES / "natives" / "mod.rs").read_text(encoding="utf-8"))
    return sorted([*found, *(f"natives::{name}" for name in natives)])


def test_the_table_names_the_modules_with_unsafe_code():
    assert listed() == with_unsafe_code()


def test_the_table_names_the_modules_that_may_have_some():
    # That of `natives` itself is one function that its macro makes.
    assert [name for name in listed() if name != "natives"] == declared()


@pytest.mark.parametrize(
    ("crate", "attribute"),
    [("core", "#![forbid(unsafe_code)]"), ("binding", "#![deny(unsafe_code)]")],
)
def test_the_crate_refuses_it_elsewhere(crate, attribute):
    assert attribute in (RUST / crate / "src" / "lib.rs").read_text(encoding="utf-8").splitlines()
