"""`python -m sky_rs_patch fingerprints`, on edited copies of the installed SkyPilot."""

import ast
import importlib
import importlib.util
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from support import run_python, small_skypilot

import sky_rs_patch
from sky_rs_patch._cli import fingerprints
from sky_rs_patch._fingerprints import compute
from sky_rs_patch._fingerprints.known_variants import DECORATED, KNOWN
from sky_rs_patch._routes.table import ROUTES
from sky_rs_patch._runtime import implementation

COMMON = "sky.utils.common_utils"
SOURCES = json.loads(fingerprints._SOURCES.read_text("utf-8"))["sources"]
SPECS = {spec.target: spec for spec in ROUTES}


def source_of(name, letter):
    """The source of a known variant."""
    by_letter = {variant: print_ for print_, (variant, _, _) in KNOWN[name].items()}
    return SOURCES[name][by_letter[letter]]


@pytest.fixture
def site(tmp_path):
    """A folder with a copy of those of SkyPilot's modules in which there are known functions."""
    installed = Path(importlib.util.find_spec("sky").origin).parent
    for module in ("", *{name.rpartition(".")[0] for name in KNOWN}):
        relative = Path(*module.split(".")[1:]).with_suffix(".py") if module else "__init__.py"
        if (installed / relative).exists():
            copy = tmp_path / "sky" / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(installed / relative, copy)
    return tmp_path


def edit(site, module, old, new):
    """Changes the copy's source, in one place."""
    path = site / Path(*module.split(".")).with_suffix(".py")
    text = path.read_text()
    assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def replace(site, name, text):
    """Puts other text in the place of a function of the copy."""
    module, _, attribute = name.rpartition(".")
    path = site / Path(*module.split(".")).with_suffix(".py")
    statement = next(
        node
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.FunctionDef) and node.name == attribute
    )
    edit(site, module, fingerprints.text_of(path.read_bytes(), statement), text)


def survey(place=None):
    """The routes by target."""
    routes = fingerprints.survey(fingerprints.Skypilot(place))
    return {route.spec.target: route for route in routes}


def test_the_survey_says_what_the_engine_finds():
    surveyed = survey()
    with sky_rs_patch.enabled():
        for spec in ROUTES:
            module = spec.target.rpartition(".")[0]
            if importlib.util.find_spec(module) is not None:
                importlib.import_module(module)
        status = sky_rs_patch.status()["routes"]
    states = {"served": "active", "absent": "absent", "changed": "inactive", "unserved": "inactive"}
    for target, route in surveyed.items():
        if route.spec.opt_in is None or route.state == "absent":
            assert states[route.state] == status[target]["state"], (target, route.causes)
        if route.state == "changed":
            assert status[target]["reason"].startswith("unknown code"), target


def test_a_copy_is_known_as_the_installed_one_is(site):
    assert {name: (route.state, route.functions) for name, route in survey(site).items()} == {
        name: (route.state, route.functions) for name, route in survey().items()
    }


def test_layout_comments_and_docstrings_make_no_difference(site):
    before = survey(site)[f"{COMMON}.base36_encode"]
    assert before.state == "served"
    definition = ast.parse(source_of(f"{COMMON}.base36_encode", "A")).body[0]
    definition.body[0].value.value = "Another docstring."
    text = ast.unparse(definition) + "  # A comment.\n"
    assert "Another docstring." in text
    replace(site, f"{COMMON}.base36_encode", text)
    assert survey(site)[f"{COMMON}.base36_encode"] == before


def test_a_changed_original_is_shown_against_the_nearest_one(site):
    name = f"{COMMON}.truncate_long_string"
    replace(site, name, source_of(name, "A").replace("'...'", "'…'"))
    routes = survey(site)
    route = routes.pop(name)
    assert (route.state, route.causes) == ("changed", ["the original changed"])
    changed = route.functions[0]
    # B is the one that the installed SkyPilot has; what was pasted comes from A.
    assert (changed.state, changed.variant) == ("changed", "A")
    assert 0.5 < changed.similarity < 1
    assert changed.fingerprint not in KNOWN[name]
    lines = changed.diff.splitlines()
    assert lines[0].startswith(f"--- {name} (A, SkyPilot 0.8.1 to ")
    assert lines[1].startswith(f"+++ {name} (SkyPilot ")
    removed = [line for line in lines[2:] if line.startswith("-")]
    added = [line for line in lines[2:] if line.startswith("+")]
    assert removed and len(removed) == len(added)
    assert all("'...'" in line for line in removed)
    assert all("'…'" in line for line in added)
    assert routes == {target: found for target, found in survey().items() if target != name}


def test_a_changed_callee_is_named_by_the_routes_that_read_it(site):
    callee = "sky.utils.subprocess_utils._get_thread_multiplier"
    module = "sky.utils.subprocess_utils"
    replace(site, callee, source_of(callee, "A").replace("return 1", "return 2"))
    routes = survey(site)
    waiting = {"get_parallel_threads", "get_max_workers_for_file_mounts"}
    for name in waiting:
        route = routes[f"{module}.{name}"]
        assert route.state == "changed"
        assert route.causes == ["its callee _get_thread_multiplier changed"]
        assert route.functions[0].state == "known"
        found = next(function for function in route.functions if function.name == callee)
        assert "\n-    return 1\n+    return 2\n" in found.diff
    others = {target for target, route in routes.items() if route.state == "changed"}
    assert {f"{module}.{name}" for name in waiting} == others - {
        target for target, route in survey().items() if route.state == "changed"
    }
    skypilot = fingerprints.Skypilot(site)
    text = fingerprints.as_text(skypilot, list(routes.values()))
    assert text.count(f"--- {callee} (A, ") == 1
    assert (
        f"read by {module}.get_parallel_threads, {module}.get_max_workers_for_file_mounts" in text
    )


def test_a_known_variant_without_a_native_function_is_no_change(site):
    name = f"{COMMON}.is_valid_user_hash"
    if survey(site)[name].state == "absent":
        pytest.skip("this SkyPilot has no is_valid_user_hash")
    replace(site, name, source_of(name, "A"))
    routes = survey(site)
    assert routes[name].state == "unserved"
    assert routes[name].causes == ["no native function for variant A"]
    waiting = routes[f"{COMMON}.get_user_hash"]
    assert waiting.state == "unserved"
    assert waiting.causes[-1] == "not made for variant A of is_valid_user_hash"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("from sky.elsewhere import base36_encode\n", "no plain function any more"),
        ("base36_encode = functools.partial(int, base=36)\n", "no plain function any more"),
        ("class base36_encode:\n    pass\n", "no plain function any more"),
        ("if sys.argv:\n    def base36_encode(hex_str): ...\n", "no plain function any more"),
        ("@functools.lru_cache\ndef base36_encode(hex_str: str) -> str: ...\n", None),
    ],
)
def test_what_is_no_plain_function_is_changed(text, note, site):
    name = f"{COMMON}.base36_encode"
    replace(site, name, text)
    changed = survey(site)[name].functions[0]
    assert changed.state == "changed"
    assert changed.diff.splitlines()[-1] == "+" + text.splitlines()[-1]
    assert (changed.note or "").startswith(note or "")
    assert bool(changed.note) == bool(note)


def test_the_last_definition_counts(site):
    name = f"{COMMON}.base36_encode"
    path = site / "sky/utils/common_utils.py"
    path.write_text(path.read_text() + "\n\ndef base36_encode(hex_str):\n    return hex_str\n")
    assert survey(site)[name].state == "changed"


def test_a_function_that_moved_is_found(site):
    name = f"{COMMON}.base36_encode"
    text = source_of(name, "A")
    replace(site, name, "")
    (site / "sky/utils/numbers.py").write_text(text)
    route = survey(site)[name]
    assert (route.state, route.functions[0].note) == ("absent", "it is in sky.utils.numbers")
    cluster = survey(site)[f"{COMMON}.make_cluster_name_on_cloud"]
    assert "its callee base36_encode is gone" in cluster.causes


def test_a_module_that_this_python_cannot_parse_is_changed(site):
    (site / "sky/utils/common_utils.py").write_text("def base36_encode(:\n")
    changed = survey(site)[f"{COMMON}.base36_encode"].functions[0]
    assert changed.state == "changed"
    assert "can't parse sky.utils.common_utils" in changed.note


def test_the_command_in_an_environment_with_an_edited_skypilot(site):
    edit(site, COMMON, "def base36_encode(hex_str: str)", "def base36_encode(hex_str: str, /)")
    done = run_python(
        *("-m", "sky_rs_patch", "fingerprints", "--json"), environment={"PYTHONPATH": str(site)}
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == 1
    assert told["skypilot"]["place"] == str(site)
    route = told["routes"][f"{COMMON}.base36_encode"]
    assert (route["state"], route["opt_in"]) == ("changed", False)
    function = told["functions"][f"{COMMON}.base36_encode"]
    assert "+def base36_encode(hex_str: str, /) -> str:\n" in function["diff"]
    assert told["routes"][f"{COMMON}.release_memory"]["opt_in"] is True


def test_a_wheel_is_looked_at_without_installing_it(site, capsys):
    replace(site, f"{COMMON}.base36_encode", "def base36_encode(hex_str):\n    return hex_str\n")
    with zipfile.ZipFile(site / "sky.whl", "w") as archive:
        for path in site.glob("sky/**/*.py"):
            archive.write(path, path.relative_to(site))
    assert run_main("--of", str(site / "sky.whl")) == 0
    from_wheel = capsys.readouterr().out
    assert f"in {site / 'sky.whl'}: of {len(ROUTES)} routes" in from_wheel
    assert "+    return hex_str\n" in from_wheel
    assert from_wheel.endswith("How to adapt: docs/new-skypilot.md\n")
    run_main("--of", str(site))
    assert capsys.readouterr().out == from_wheel.replace(str(site / "sky.whl"), str(site))


def run_main(*arguments):
    return importlib.import_module("sky_rs_patch.__main__").main(["fingerprints", *arguments])


def test_a_place_without_skypilot_is_an_error(tmp_path, capsys):
    assert run_main("--of", str(tmp_path)) == 2
    assert capsys.readouterr().err == (
        f"sky_rs_patch fingerprints: error: {tmp_path} is no wheel, "
        "and there is no folder sky in it\n"
    )


def test_every_known_variant_has_its_source():
    assert SOURCES.keys() == KNOWN.keys()
    for name, variants in KNOWN.items():
        prints = {}
        for print_, source in SOURCES[name].items():
            definition = ast.parse(source).body[0]
            prints[print_] = compute.of_definition(definition)
            assert bool(definition.decorator_list) == (print_ in DECORATED)
        assert prints == {print_: print_ for print_ in variants}
        letters = [letter for letter, _, _ in variants.values()]
        assert letters == sorted(set(letters))


def test_routes_name_known_variants_only():
    for spec in ROUTES:
        if not spec.target.startswith("sky."):
            continue
        module = spec.target.rpartition(".")[0]
        named = {spec.target: "".join(spec.natives), **spec.elsewhere}
        named.update({f"{module}.{name}": letters for name, letters in spec.callees.items()})
        for name, letters in named.items():
            assert letters
            assert set(letters) <= {letter for letter, _, _ in KNOWN[name].values()}, name


def loaded(tmp_path, *sources):
    """A module of these functions, with the imports of the real one."""
    path = tmp_path / "common_utils.py"
    imports = "import functools\nimport os\nimport re\nfrom typing import Optional\n"
    path.write_text("\n\n".join([imports, *sources]))
    spec = importlib.util.spec_from_file_location(COMMON, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_a_callee_of_another_variant_is_refused(letter, tmp_path):
    callee = f"{COMMON}.is_valid_user_hash"
    target = f"{COMMON}.get_user_hash"
    module = loaded(tmp_path, source_of(callee, letter), source_of(target, "C"))
    arguments = (module.get_user_hash, module, target, SPECS[target])
    if letter in SPECS[target].callees["is_valid_user_hash"]:
        assert implementation.choose(*arguments)[0] == "get_user_hash"
    else:
        with pytest.raises(implementation.Refused, match=f"for variant {letter} of {callee}"):
            implementation.choose(*arguments)


DECORATORS = """
def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return not function(*args, **kwargs)
    return wrapper

"""


@pytest.mark.parametrize("decorator", ["decorated", "functools.lru_cache(maxsize=None)"])
def test_a_callee_that_is_decorated_now_is_refused(decorator, tmp_path):
    callee = f"{COMMON}.is_valid_user_hash"
    target = f"{COMMON}.get_user_hash"
    module = loaded(
        tmp_path,
        DECORATORS,
        f"@{decorator}\n{source_of(callee, 'B')}",
        source_of(target, "C"),
    )
    with pytest.raises(implementation.Refused, match=r"^unknown code"):
        implementation.choose(module.get_user_hash, module, target, SPECS[target])


def test_a_callee_that_was_decorated_is_refused_without(monkeypatch):
    """`get_schema_validator` had no cache before SkyPilot 0.14; its code is the same."""
    name = "sky.utils.validator.get_schema_validator"
    validator = importlib.import_module("sky.utils.validator")
    found = vars(validator).get("get_schema_validator")
    variant = fingerprints.examine(fingerprints.Skypilot(None), name, SOURCES)
    if variant.variant != "C":
        pytest.skip("this SkyPilot's get_schema_validator isn't the one with a cache")
    implementation.require(found, name, "C")
    with pytest.raises(implementation.Refused, match="variant C"):
        implementation.require(found, name, "B")
    # Known by its source, for nothing else tells; then that it is bare is what is wrong.
    monkeypatch.setattr("sky_rs_patch._fingerprints.known_code.KNOWN_CODE", {})
    monkeypatch.setattr(compute, "_known", {})
    with pytest.raises(implementation.Refused, match="no longer decorated"):
        implementation.require(found.__wrapped__, name, "BC")


def test_a_decorated_callee_in_a_whole_process(tmp_path):
    """The import hook refuses it too, and says why."""
    site = small_skypilot(
        tmp_path,
        lambda source: source.replace(
            "def _get_thread_multiplier(", "@_doubled\ndef _get_thread_multiplier("
        ).replace(
            "_fd_limit_warning_shown = False\n",
            "_fd_limit_warning_shown = False\nimport functools\n"
            "def _doubled(function):\n"
            "    return functools.wraps(function)(lambda *given: 2 * function(*given))\n",
        ),
    )
    code = (
        "import json, sky_rs_patch; sky_rs_patch.enable()\n"
        "from sky.utils import subprocess_utils\n"
        "import os\n"
        "assert subprocess_utils.get_parallel_threads(None) >= 2 * (os.cpu_count() - 1)\n"
        "routes = sky_rs_patch.status()['routes']\n"
        "print(json.dumps(routes['sky.utils.subprocess_utils.get_parallel_threads']))\n"
    )
    done = run_python("-c", code, environment={"PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stderr
    route = json.loads(done.stdout)
    assert route["state"] == "inactive"
    assert route["reason"].startswith("unknown code")


def known_fingerprints_tool():
    path = Path(__file__).parents[2] / "tools" / "release" / "known_fingerprints.py"
    spec = importlib.util.spec_from_file_location("known_fingerprints", path)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


def test_variants_keep_their_letters():
    tool = known_fingerprints_tool()
    known = {"first": ("A", "0.8.1", "0.9.3"), "second": ("B", "0.10.0", "0.14.1")}
    # A release between the two that has other code.
    assert tool.letters(["first", "between", "second"], known) == {
        "first": "A",
        "between": "C",
        "second": "B",
    }
    assert tool.letters(["one", "two"], {}) == {"one": "A", "two": "B"}


def test_code_that_two_sources_make_is_known_by_neither(tmp_path):
    tool = known_fingerprints_tool()
    wheels = []
    for version, text in (("1.0", "x: int"), ("2.0", "x")):
        wheels.append(str(tmp_path / f"skypilot-{version}-py3-none-any.whl"))
        with zipfile.ZipFile(wheels[-1], "w") as archive:
            source = (
                "from __future__ import annotations\n"
                f"def base36_encode({text}):\n    return x\n"
                "def format_float(x):\n    return x\n"
            )
            archive.writestr("sky/utils/common_utils.py", source)
    codes = tool.codes(wheels)
    bodies = [f"def base36_encode({text}):\n    return x\n" for text in ("x: int", "x")]
    prints = {compute.of_definition(ast.parse(body).body[0]) for body in bodies}
    assert len(prints) == 2
    assert not prints & set(codes.values())
    assert len(codes) == 1
