"""The environments of `make matrix`: a session a cell of tools/release/matrix_cells.py.

Each session makes an environment from its locked requirements, installs the wheel for its
CPython and runs the cell's tests there; what came of it goes to .work/matrix/results, from where
tools/release/matrix.py makes its table. `make matrix` is the way to start it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import nox

ROOT = pathlib.Path(__file__).parent
sys.path.insert(0, str(ROOT / "tools" / "release"))

from matrix_cells import (  # noqa: E402
    CELLS,
    PLUGIN,
    PROPERTIES,
    PROXIES,
    SHIM,
    Cell,
    find_python,
)

WORK = ROOT / ".work" / "matrix"
RESULTS = WORK / "results"
#: What the wheel is made of.
SOURCES = ("rust", "sky_rs_patch", "sky_rs_patch.data", "pytest_skyrs", "pyproject.toml")
#: Asks for routes that aren't exact in effect.
OPT_IN = "SKY_RS_ENABLE"
#: Bytes of memory that a process of the property tests may ask for; a browser asks for more.
MEMORY = 8_000_000_000

#: What pytest is told, from the root.
SELECTIONS = {
    # Planted errors prove the tests, which `make test` does; `checked` is for a build that no wheel
    # is of.
    SHIM: [f"tests/{name}" for name in ("shim", "guards", "fingerprints", "faults", "bench")],
    PROXIES: [
        *(f"tests/shim/test_{name}.py" for name in ("proxy", "switch", "register", "finder")),
        *(f"tests/shim/test_{name}.py" for name in ("rust_fallback", "stale_copies", "status")),
        *(f"tests/shim/test_{name}.py" for name in ("entry_points", "fork", "routes_exist")),
        *(f"tests/guards/test_{name}.py" for name in ("pins", "guards", "guards_code", "snapshot")),
        *(f"tests/faults/test_faults_{name}.py" for name in ("import", "threads", "signals")),
    ],
    PROPERTIES: ["-k", "not noticed", "tests/routes"],
    PLUGIN: ["-m", "not slow", "tests/plugin"],
}

nox.options.default_venv_backend = "uv"
nox.options.envdir = str(WORK / "envs")
nox.options.reuse_existing_virtualenvs = True


def sources_digest() -> str:
    """Changes with everything that a wheel is made of."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z", "--", *SOURCES],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    digest = hashlib.sha256()
    for name in sorted(filter(None, listed.split("\0"))):
        path = ROOT / name
        if path.is_file():
            digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def wheel(session: nox.Session, version: str, python: str) -> pathlib.Path:
    """The wheel for a CPython, built if there is none of these sources."""
    home = WORK / "wheels" / f"{version}-{sources_digest()}"
    if not list(home.glob("*.whl")):
        for old in (WORK / "wheels").glob(f"{version}-*"):
            shutil.rmtree(old)
        maturin = shutil.which("maturin", path=str(pathlib.Path(sys.executable).parent))
        session.run(
            *(str(maturin), "build", "--release", "--locked", "-q", "-i", python),
            *("-o", str(home)),
            external=True,
            # One for all: what doesn't depend on the interpreter is compiled once.
            env={"CARGO_TARGET_DIR": str(WORK / "target")},
        )
    return next(iter(home.glob("*.whl")))


def run_cell(session: nox.Session, cell: Cell) -> None:
    """Makes the environment and runs the tests."""
    home = RESULTS / cell.name
    suites = session.posargs or cell.suites
    if not session.posargs:
        shutil.rmtree(home, ignore_errors=True)
    python = find_python(cell.python)
    if python is None:
        # tools/release/matrix.py says so, and fails unless the cell is optional.
        session.skip(f"there is no CPython {cell.python} here")
    requirements = ROOT / "requirements" / "matrix" / f"skypilot-{cell.skypilot}"
    if cell.newest:
        wanted = ["--upgrade", "--refresh", "-r", f"{requirements}.in"]
    else:
        wanted = ["-r", f"{requirements}.txt"]
    session.install("-q", "--compile-bytecode", *wanted)
    others = [
        f"{name}=={getattr(cell, name)}" for name in ("wrapt", "pytest") if getattr(cell, name)
    ]
    if others:
        session.install("-q", "--compile-bytecode", *others)
    built = wheel(session, cell.python, python)
    session.install("-q", "--compile-bytecode", "--reinstall", "--no-deps", str(built))

    home.mkdir(parents=True, exist_ok=True)
    session.chdir(WORK)
    versions = session.run(
        "python", str(ROOT / "tools" / "release" / "matrix.py"), "--versions", silent=True
    )
    exercised, asked = (
        ["--exercise"] * cell.newest,
        {OPT_IN: "release_memory"} if cell.newest else {},
    )
    status = session.run(
        *("python", "-m", "sky_rs_patch", "status", "--json", *exercised),
        env=asked,
        silent=True,
        stderr=None,
        # What isn't served is in it, and tools/release/matrix.py fails for it.
        success_codes=(0, 1),
    )
    made = {"versions": json.loads(str(versions)), "status": json.loads(str(status))}
    (home / "cell.json").write_text(json.dumps(made, indent=1))
    extra = os.environ.get("MATRIX_PYTEST", "").split()
    # By pytest's own script: `python -m pytest` would import the sources, which have no extension.
    session.chdir(ROOT)
    for suite in suites:
        (home / f"{suite}.xml").unlink(missing_ok=True)
        limited = ["prlimit", f"--as={MEMORY}"] if suite == PROPERTIES else []
        session.run(
            *(*limited, "pytest", "-q", "-p", "no:cacheprovider"),
            *("-n", "2", "--dist", "loadfile", f"--junitxml={home / suite}.xml", *extra),
            *SELECTIONS[suite],
            external=bool(limited),
            # What failed is in the file; if there is none the table says that nothing was run.
            success_codes=range(256),
        )


for each in CELLS:

    def _session(session: nox.Session, cell: Cell = each) -> None:
        run_cell(session, cell)

    _session.__doc__ = (
        f"{', '.join(each.suites)} on CPython {each.python}, SkyPilot {each.skypilot}"
    )
    nox.session(_session, name=each.name, python=find_python(each.python) or False)
