"""`python -m sky_rs_patch fingerprints`, on edited copies of the installed SkyPilot."""

import ast
import importlib
import importlib.util
import json
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import applicability
import pytest
from support import run_python, small_skypilot

import sky_rs_patch
from sky_rs_patch._cli import fingerprints, skypilot_sources
from sky_rs_patch._fingerprints import compute, statements
from sky_rs_patch._fingerprints.known_variants import KNOWN
from sky_rs_patch._routes.table import ROUTES
from sky_rs_patch._runtime import implementation

COMMON = "sky.utils.common_utils"
SPECS = {spec.target: spec for spec in ROUTES}


def source_of(name):
    """The source of a function of the installed SkyPilot."""
    module, _, attribute = name.rpartition(".")
    installed = skypilot_sources.installed()
    return "\n".join(installed.text(module, installed.binding(module, attribute))) + "\n"


def make_known(monkeypatch, name, **texts):
    """Makes these texts the known variants of a function, by their letters; the oldest first."""
    known, digests = {}, {}
    for number, (letter, text) in enumerate(texts.items()):
        definition = ast.parse(text).body[0]
        fingerprint = compute.of_definition(definition)
        known[fingerprint] = (letter, f"0.{number}.0", f"0.{number}.9")
        digests[fingerprint] = statements.of_definition(definition)
    monkeypatch.setitem(KNOWN, name, known)
    monkeypatch.setitem(statements.known(), name, digests)


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
    old = "\n".join(skypilot_sources.at(str(site)).text(module, statement)) + "\n"
    edit(site, module, old, text)


def survey(place=None, against=None):
    """The routes by target."""
    places = [place and skypilot_sources.at(str(place)), against]
    routes = fingerprints.survey(places[0] or skypilot_sources.installed(), places[1])
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
    definition = ast.parse(source_of(f"{COMMON}.base36_encode")).body[0]
    definition.body[0].value.value = "Another docstring."
    text = ast.unparse(definition) + "  # A comment.\n"
    assert "Another docstring." in text
    replace(site, f"{COMMON}.base36_encode", text)
    assert survey(site)[f"{COMMON}.base36_encode"] == before


FIRST = """\
def base36_encode(hex_str):
    value = int(hex_str, 16)
    digits = []
    while value:
        value, digit = divmod(value, 36)
        digits.append(digit)
    return digits
"""
SECOND = FIRST.replace("hex_str", "number")
THIRD = """\
def base36_encode(hex_str):
    return hex(int(hex_str))
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("int(hex_str, 16)", "0", "statement 1 of 6 changed (line {1}: `value = 0`)"),
        ("    digits = []\n", "", "1 statement of the known version is gone, after statement 1 "
         "(there line 3)"),
        ("    while value", "    check(\n        value)\n    while value",
         "statement 3 of 7 was added (line {3}: `check(`)"),
        ("        digits.append", "    digits.append",
         "statement 5 of 6 is in another block (line {5}: `digits.append(digit)`)"),
        ("def base36_encode(", "def base36_encode(*, ",
         "its head changed (line {0}: `def base36_encode(*, hex_str):`)"),
        ("    while value:\n        value, digit = divmod(value, 36)\n"
         "        digits.append(digit)\n", "",
         "3 statements of the known version are gone, after statement 2 (there lines 4, 5, 6)"),
    ],
    ids=["changed", "gone", "added", "moved", "head", "several gone"],
)  # fmt: skip
def test_a_changed_original_is_described_by_statement(old, new, said, site, monkeypatch, capsys):
    name = f"{COMMON}.base36_encode"
    make_known(monkeypatch, name, A=THIRD, B=FIRST)
    assert old in FIRST
    replace(site, name, FIRST.replace(old, new))
    route = survey(site)[name]
    assert (route.state, route.causes) == ("changed", ["the original changed"])
    changed = route.functions[0]
    assert (changed.state, changed.variant) == ("changed", "B")
    assert changed.fingerprint not in KNOWN[name]
    assert (changed.similarity == 1) == ("in another block" in said)
    assert changed.diff is None
    lines = (site / "sky/utils/common_utils.py").read_text().splitlines()
    start = next(n for n, line in enumerate(lines, 1) if line.startswith("def base36_encode("))
    assert run_main("--of", str(site)) == 0
    title, _, said_here, _, hint, guide = (
        capsys.readouterr().out.partition(f"\n{name} changed; ")[2].splitlines()
    )
    assert title.startswith("nearest is B (SkyPilot 0.1.0 to 0.1.9), ")
    assert said_here == "  " + said.format(*range(start, start + 9))
    assert hint.startswith("For diffs: --against 0.1.9, or")
    assert guide == "How to adapt: docs/new-skypilot.md"


def test_of_equally_near_variants_the_newest_counts(site, monkeypatch):
    name = f"{COMMON}.base36_encode"
    replace(site, name, FIRST.replace("digits = []", "digits = [0]"))
    for texts, nearest in (
        ({"A": FIRST, "B": THIRD}, "A"),
        ({"A": THIRD, "B": FIRST}, "B"),
        ({"A": FIRST, "B": FIRST.replace("digits = []", "digits = [1]")}, "B"),
        ({"A": SECOND, "B": FIRST}, "B"),
        ({"A": FIRST, "B": SECOND}, "A"),
    ):
        make_known(monkeypatch, name, **texts)
        assert survey(site)[name].functions[0].variant == nearest, texts


def test_other_routes_are_as_before(site):
    name = f"{COMMON}.truncate_long_string"
    replace(site, name, "def truncate_long_string(s):\n    return s\n")
    routes = survey(site)
    assert routes.pop(name).state == "changed"
    assert routes == {target: found for target, found in survey().items() if target != name}


def test_a_changed_callee_is_named_by_the_routes_that_read_it(site):
    callee = "sky.utils.subprocess_utils._get_thread_multiplier"
    module = "sky.utils.subprocess_utils"
    replace(site, callee, source_of(callee).replace("return 1", "return 2"))
    routes = survey(site)
    waiting = {"get_parallel_threads", "get_max_workers_for_file_mounts"}
    for name in waiting:
        route = routes[f"{module}.{name}"]
        assert route.state == "changed"
        assert route.causes == ["its callee _get_thread_multiplier changed"]
        assert route.functions[0].state == "known"
        found = next(function for function in route.functions if function.name == callee)
        assert [(d.change, d.text) for d in found.differences] == [("changed", "return 2")]
    others = {target for target, route in routes.items() if route.state == "changed"}
    assert {f"{module}.{name}" for name in waiting} == others - {
        target for target, route in survey().items() if route.state == "changed"
    }
    text = fingerprints.as_text(skypilot_sources.at(str(site)), list(routes.values()))
    assert text.count(f"\n{callee} changed; nearest is A (") == 1
    assert (
        f"read by {module}.get_parallel_threads, {module}.get_max_workers_for_file_mounts" in text
    )


def test_a_known_variant_without_a_native_function_is_no_change(site, monkeypatch):
    name = f"{COMMON}.is_valid_user_hash"
    if survey(site)[name].state == "absent":
        pytest.skip("this SkyPilot has no is_valid_user_hash")
    text = "def is_valid_user_hash(user_hash):\n    return True\n"
    make_known(monkeypatch, name, A=text)
    replace(site, name, text)
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
    assert (changed.note or "").startswith(note or "")
    assert bool(changed.note) == bool(note)
    if note:
        assert changed.note.endswith(f": `{text.splitlines()[0]}`)")
        assert changed.differences is None
    else:
        assert changed.differences[0][:2] == ("changed", 0)


def test_the_last_definition_counts(site):
    name = f"{COMMON}.base36_encode"
    path = site / "sky/utils/common_utils.py"
    path.write_text(path.read_text() + "\n\ndef base36_encode(hex_str):\n    return hex_str\n")
    assert survey(site)[name].state == "changed"


def test_a_function_that_moved_is_found(site):
    name = f"{COMMON}.base36_encode"
    text = source_of(name)
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
    assert told["schema"] == 2
    assert told["skypilot"]["place"] == str(site)
    assert told["against"] is None
    route = told["routes"][f"{COMMON}.base36_encode"]
    assert (route["state"], route["opt_in"]) == ("changed", False)
    function = told["functions"][f"{COMMON}.base36_encode"]
    (head,) = function["differences"]
    assert head.keys() == {"change", "statement", "line", "text", "known_line"}
    assert (head["change"], head["statement"]) == ("changed", 0)
    assert head["text"] == "def base36_encode(hex_str: str, /) -> str:"
    assert function["diff"] is None
    assert told["routes"][f"{COMMON}.release_memory"]["opt_in"] is True


def run_main(*arguments):
    return importlib.import_module("sky_rs_patch.__main__").main(["fingerprints", *arguments])


#: Before SkyPilot itself in an archive, and none of them is it.
DECOYS = [
    f"{folder}/__init__.py" for folder in ("sky/mysky", "sky/sky", "sky/a/sky", "mysky", "a/b/sky")
]


def wheel(site, folder, version):
    """A wheel of the copy, as pip wants one."""
    folder.mkdir(exist_ok=True)
    path = folder / f"skypilot-{version}-py3-none-any.whl"
    about = f"skypilot-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for decoy in DECOYS:
            archive.writestr(decoy, "")
        for file in site.glob("sky/**/*.py"):
            archive.write(file, file.relative_to(site))
        archive.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: skypilot\nVersion: {version}\nRequires-Python: <3\n",
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def sdist(site, folder, version):
    """An sdist of the copy."""
    path = folder / f"skypilot-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for decoy in DECOYS:
            archive.addfile(tarfile.TarInfo(f"skypilot-{version}/{decoy}"))
        archive.add(site / "sky", f"skypilot-{version}/sky")
    return path


def test_a_package_is_looked_at_without_installing_it(site, tmp_path_factory, capsys):
    replace(site, f"{COMMON}.base36_encode", "def base36_encode(hex_str):\n    return hex_str\n")
    packed = tmp_path_factory.mktemp("packed")
    run_main("--of", str(site))
    from_folder = capsys.readouterr().out
    assert ": `return hex_str`)\n" in from_folder
    for place in (wheel(site, packed, "0.0.1"), sdist(site, packed, "0.0.1")):
        assert run_main("--of", str(place)) == 0
        told = capsys.readouterr().out
        assert f"in {place}: of {len(ROUTES)} routes" in told
        assert told == from_folder.replace(str(site), str(place))


@pytest.fixture
def other(site, tmp_path_factory):
    """A second copy, in which the functions that the tests edit are otherwise, too."""
    made = tmp_path_factory.mktemp("other")
    shutil.copytree(site / "sky", made / "sky")
    version = made / "sky" / "__init__.py"
    version.write_text("__version__ = '0.0.7'\n")
    replace(made, f"{COMMON}.base36_encode", THIRD)
    return made


@pytest.mark.parametrize("kind", ["folder", "wheel", "sdist", "version"])
def test_a_diff_against_a_release(kind, site, other, tmp_path_factory, monkeypatch, capsys):
    packed = tmp_path_factory.mktemp("packed")
    name, same = f"{COMMON}.base36_encode", f"{COMMON}.format_float"
    replace(site, name, FIRST)
    for folder in (site, other):
        replace(folder, same, "def format_float(num):\n    return num\n")
    if kind == "folder":
        place = shown = str(other)
    elif kind == "version":
        # The user's own settings say where pip looks; this wheel is for no Python that there is.
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(packed))
        place, shown = "0.0.7", wheel(other, packed, "0.0.7").name
    else:
        place = shown = str({"wheel": wheel, "sdist": sdist}[kind](other, packed, "0.0.7"))
    assert run_main("--of", str(site), "--against", place) == 0
    told = capsys.readouterr().out
    assert (
        f"\n--- {name} (SkyPilot 0.0.7)\n"
        f"+++ {name} (SkyPilot {applicability.skypilot().version})\n"
        "@@ -1,2 +1,7 @@\n"
        " def base36_encode(hex_str):\n"
        "-    return hex(int(hex_str))\n"
        "+    value = int(hex_str, 16)\n"
    ) in told
    assert "\n\nSkyPilot 0.0.7 has the same\n\n" in told.partition(f"\n{same} changed; ")[2]
    assert "For diffs" not in told
    assert run_main("--of", str(site), "--against", place, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["against"] == {"version": "0.0.7", "place": shown}
    assert told["functions"][name]["diff"].startswith(f"--- {name} (SkyPilot 0.0.7)\n")
    assert told["functions"][same]["diff"] == ""


def test_a_diff_names_the_variant_that_it_is_against(site, monkeypatch):
    name = f"{COMMON}.base36_encode"
    installed = skypilot_sources.installed()
    letter = survey()[name].functions[0].variant
    replace(site, name, source_of(name).replace("16", "17"))
    diff = survey(site, installed)[name].functions[0].diff.splitlines()
    assert diff[0] == f"--- {name} ({letter}, SkyPilot {installed.version})"
    assert any(line.startswith("-") and "16" in line for line in diff[3:])
    assert any(line.startswith("+") and "17" in line for line in diff[3:])


def test_a_release_without_the_function_has_no_diff(site, other, capsys):
    replace(site, f"{COMMON}.base36_encode", FIRST)
    for path in ("def base36_encode(:\n", ""):
        (other / "sky/utils/common_utils.py").write_text(path)
        run_main("--of", str(site), "--against", str(other))
        assert "\nSkyPilot 0.0.7 has none that could be compared\n" in capsys.readouterr().out


def truncated(tmp_path):
    path = tmp_path / "skypilot-0.0.1.tar.gz"
    (tmp_path / "sky").mkdir()
    (tmp_path / "sky/__init__.py").write_bytes(bytes(range(256)) * 400)
    sdist(tmp_path, tmp_path, "0.0.1")
    path.write_bytes(path.read_bytes()[:-200])
    return path


def damaged(tmp_path):
    (tmp_path / "sky").mkdir()
    (tmp_path / "sky/__init__.py").write_text("__version__ = 'that is damaged'\n")
    path = wheel(tmp_path, tmp_path, "0.0.1")
    path.write_bytes(path.read_bytes().replace(b"that is damaged", b"that is DAMAGED"))
    return path


def without_sky(tmp_path):
    path = tmp_path / "other-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other/sky.py", "")
    return path


def text_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("skypilot==0.14.1\n")
    return path


def empty_sky(tmp_path):
    (tmp_path / "sky").mkdir()
    return tmp_path


BAD_PLACES = [
    (lambda path: path, "there is no folder sky, with an __init__.py, in {place}"),
    (empty_sky, "there is no folder sky, with an __init__.py, in {place}"),
    (without_sky, "there is no folder sky, with an __init__.py, in {place}"),
    (text_file, "{place} is no wheel, no sdist, and no folder with sky in it"),
    (truncated, "{place} can't be read: "),
    (damaged, "{place} can't be read: Bad CRC-32 for file 'sky/__init__.py'"),
    (lambda path: path / "gone.whl", "'{place}' is no file, no folder, and no version such as "),
    (lambda _: "newest", "'newest' is no file, no folder, and no version such as 0.14.1"),
    (lambda _: "", "'' is no file, no folder, and no version such as 0.14.1"),
    (lambda _: "skypilot==0.14.1", "'skypilot==0.14.1' is no file, no folder, and no version "),
]


@pytest.mark.parametrize("option", ["--of", "--against"])
@pytest.mark.parametrize(("make", "message"), BAD_PLACES)
def test_a_place_without_skypilot_is_an_error(option, make, message, tmp_path, capsys):
    place = str(make(tmp_path))
    assert run_main(option, place) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(
        f"sky_rs_patch fingerprints: error: {option}: {message.format(place=place)}"
    )
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("version", "variables", "message"),
    [
        # A port that nothing listens at.
        (
            "0.14.1",
            {"PIP_INDEX_URL": "http://127.0.0.1:9/"},
            "the package index can't be reached: ",
        ),
        ("0.0.8", {}, "pip finds no wheel of it; the newest it finds are 0.0.7"),
        (
            "1.0.0.dev1",
            {},
            "Could not find a version that satisfies the requirement skypilot-night",
        ),
    ],
)
def test_a_version_that_cannot_be_had_is_an_error(
    version, variables, message, site, tmp_path_factory, monkeypatch, capsys
):
    packed = tmp_path_factory.mktemp("packed")
    wheel(site, packed, "0.0.7")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables or {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packed)}).items():
        monkeypatch.setenv(name, value)
    assert run_main("--against", version) == 2
    told = capsys.readouterr()
    package = "skypilot-nightly" if "dev" in version else "skypilot"
    error = f"sky_rs_patch fingerprints: error: --against: {package}=={version} can't be fetched: "
    assert told.err.startswith(error + message)
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_a_python_without_pip_is_an_error(monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "pip" else found(name, *rest),
    )
    assert run_main("--against", "0.14.1") == 2
    assert capsys.readouterr().err == (
        "sky_rs_patch fingerprints: error: --against: skypilot==0.14.1 can't be fetched, "
        f"there is no pip in {sys.prefix}: give a file\n"
    )


def test_no_skypilot_at_all_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_main() == 2
    assert (
        capsys.readouterr().err
        == "sky_rs_patch fingerprints: error: SkyPilot isn't installed here\n"
    )


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
def test_a_callee_of_another_variant_is_refused(letter, tmp_path, monkeypatch):
    callee = f"{COMMON}.is_valid_user_hash"
    target = f"{COMMON}.get_user_hash"
    applicability.require("get_user_hash")
    text = "def is_valid_user_hash(user_hash):\n    return True\n"
    make_known(monkeypatch, callee, **{letter: text})
    module = loaded(tmp_path, text, source_of(target))
    arguments = (module.get_user_hash, module, target, SPECS[target])
    if letter in SPECS[target].callees["is_valid_user_hash"]:
        assert implementation.choose(*arguments)[0] == "get_user_hash"
    else:
        with pytest.raises(implementation.Refused, match=f"covers variant {letter} of {callee}"):
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
    applicability.require("get_user_hash")
    module = loaded(tmp_path, DECORATORS, f"@{decorator}\n{source_of(callee)}", source_of(target))
    with pytest.raises(implementation.Refused, match=r"^unknown code"):
        implementation.choose(module.get_user_hash, module, target, SPECS[target])


def test_a_callee_that_was_decorated_is_refused_without(monkeypatch):
    """`get_schema_validator` had no cache before SkyPilot 0.14; its code is the same."""
    name = "sky.utils.validator.get_schema_validator"
    validator = importlib.import_module("sky.utils.validator")
    found = vars(validator).get("get_schema_validator")
    variant = fingerprints.examine(skypilot_sources.installed(), name)
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
