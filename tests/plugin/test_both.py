"""`pytest --skyrs-both` is plain pytest to whoever uses it: the same tests, results, exit code."""

import ast
import json
import re

import pytest
from suites import alike, pair, plugins, run, write

OPTIONS = {
    "pytest.ini": """
[pytest]
markers = heavy: takes long
disable_test_id_escaping_and_forfeit_all_rights_to_community_support = true
""",
    "test_options.py": """
import pytest
import small

TEXTS = ["a", "x[y]::z", "a b/c.py", "é漢", "-k", "]", "[", "::", "\\t", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_ids(text):
    assert small.double(text) == text + text


def test_fails():
    assert small.double(2) == 5


class TestGroup:
    @pytest.mark.heavy
    def test_method(self):
        assert small.double(2) == 4

    def test_fails(self, record_property):
        record_property("own", "kept")
        raise ValueError("no")


def test_skips():
    pytest.skip("not here")


def test_error(no_such_fixture):
    pass
""",
    "test_zzz.py": """
import pytest
import small


@pytest.mark.heavy
def test_last():
    assert small.double(1) == 2


def check_other_name():
    assert small.double(3) == 6


def test_fails_too():
    raise OSError(2, "no")
""",
}

SELECTIONS = {
    "expression": (["-k", "ids and not a or method", "-v"], 0),
    "marker": (["-m", "heavy", "-v"], 0),
    "first-failure": (["-x"], 1),
    "two-failures": (["--maxfail=2"], 1),
    "ids": (
        [
            "test_options.py::test_ids[x[y]::z]",
            "test_options.py::test_ids[é漢]",
            "test_options.py::test_ids[a b/c.py]",
            "test_options.py::test_ids[]]",
            "test_options.py::test_ids[-k]",
            "test_options.py::TestGroup::test_method",
            "test_zzz.py::test_last",
            "-v",
        ],
        0,
    ),
    "names": (["-o", "python_functions=check_*", "-v"], 0),
    "deselected": (["--deselect=test_options.py::test_fails", "--ignore=test_zzz.py"], 1),
    "durations": (["--durations=3", "--durations-min=0"], 1),
    "quiet": (["-q", "--tb=line", "-rA"], 1),
    "nothing": (["-k", "nothing_has_this_name"], 5),
    "no-such-file": (["no_such_file.py"], 4),
    "no-such-option": (["--no-such-option"], 4),
    "collect-only": (["--co", "-q"], 0),
}

SHOWN = re.compile(r"^(\S.*?) (PASSED|FAILED|SKIPPED|ERROR)", re.MULTILINE)


@pytest.fixture(scope="module")
def options_suite(tmp_path_factory):
    return write(tmp_path_factory.mktemp("options") / "suite", OPTIONS)


@pytest.mark.parametrize("name", SELECTIONS)
def test_arguments(options_suite, name):
    arguments, code = SELECTIONS[name]
    # Hypothesis looks at all that the terminal counts.
    loaded = plugins("hypothesis") if name == "deselected" else ()
    plain, both = pair(options_suite, *arguments, plugins=loaded)
    assert plain.code == code, plain.output
    if code == 4:
        # There is nothing to count; the message is pytest's.
        assert both.code == 4
        assert re.search(r"no_such_file|no-such-option", both.output)
        return
    if name == "collect-only":
        assert (both.code, ids(both)) == (0, ids(plain))
        return
    alike(plain, both)
    verdicts = both.verdicts
    assert set(verdicts.values()) <= {"same", "same-fail", "vacuous"}
    assert len(verdicts) == len(both.cases) == len(plain.cases)
    assert (len(verdicts) == 0) == (code == 5)
    if "-v" in arguments:
        shown = SHOWN.findall(both.output)
        assert shown == SHOWN.findall(plain.output)
        assert len(shown) == len(verdicts)
    if name == "durations":
        # Tests in which nothing happens take turns.
        assert re.search(
            r"slowest 3 durations =+\n(.*s (call|setup|teardown) +test_.*\n){3}", both.output
        )
    if name == "quiet":
        short = [
            sorted(
                line for line in done.output.splitlines() if line.startswith(("FAILED ", "PASSED "))
            )
            for done in (plain, both)
        ]
        assert short[0] == short[1]


def ids(done):
    return [line for line in done.output.splitlines() if "::" in line]


def test_junit_properties(options_suite):
    _, both = pair(options_suite, "test_options.py", "-k", "TestGroup", "-o", "junit_family=legacy")
    text = both.junit
    assert text.count("<testcase ") == 2
    assert text.count('name="skyrs.verdict"') == 2
    assert '<property name="skyrs.verdict" value="same" />' in text
    assert '<property name="skyrs.verdict" value="same-fail" />' in text
    assert '<property name="skyrs.calls.rust" value="1" />' in text
    assert '<property name="own" value="kept" />' in text


def test_last_failed_again_and_again(tmp_path):
    files = {
        "test_state.py": """
import os
import pathlib

import pytest
import small


@pytest.mark.parametrize("number", range(6))
def test_number(number):
    assert small.double(number) == 2 * number
    assert number not in (1, 4) or pathlib.Path("mended").exists()


def test_last():
    pass
"""
    }
    suite = write(tmp_path / "suite", files)
    runs = [pair(suite, *arguments) for arguments in ([], ["--lf"], ["--lf"], ["--ff", "-v"])]
    for plain, both in runs:
        alike(plain, both)
    assert [both.totals.get("failed") for _, both in runs] == [2, 2, 2, 2]
    assert [len(both.verdicts) for _, both in runs] == [7, 2, 2, 7]
    assert SHOWN.findall(runs[3][1].output) == SHOWN.findall(runs[3][0].output)
    assert list(runs[3][1].verdicts)[:2] == [f"test_state.py::test_number[{n}]" for n in (1, 4)]
    steps = [pair(suite, "--sw") for _ in range(2)]
    for plain, both in steps:
        alike(plain, both)
    for done in runs[0]:
        (done.folder / "mended").touch()
    plain, both = pair(suite, "--lf")
    assert alike(plain, both).code == 0
    assert len(both.verdicts) == 2
    # Nothing failed the last time: all of them run.
    plain, both = pair(suite, "--lf")
    assert len(alike(plain, both).verdicts) == 7


COLLECTION = {
    "test_good.py": "import small\n\n\ndef test_good():\n    assert small.double(1) == 2\n",
    "test_skipped.py": "import pytest\n\npytest.importorskip('no_such_module')\n",
    "test_broken.py": "import no_such_module\n",
}


def test_collection_errors_in_both_arms(tmp_path):
    suite = write(tmp_path / "suite", COLLECTION)
    plain, both = pair(suite)
    assert plain.code == both.code == 2
    assert both.totals == plain.totals, both.output
    assert "Interrupted: 1 error during collection" in both.output
    plain, both = pair(suite, "--continue-on-collection-errors")
    assert plain.code == 1
    # A module that can't be imported waits for the other arm.
    alike(plain, both, order=False)
    assert both.verdicts == {"test_good.py::test_good": "same", "test_broken.py": "same-fail"}


def test_collection_errors_in_one_arm(tmp_path):
    files = {
        "test_good.py": COLLECTION["test_good.py"],
        "test_one.py": """
import os

if os.environ.get("SKYPILOT_USE_RUST") == "1":
    raise ImportError("not on rust")


def test_in_one():
    pass
""",
        "test_other.py": """
import os

import pytest
import small


@pytest.mark.parametrize("backend", [os.environ.get("SKYPILOT_USE_RUST")])
def test_backend(backend):
    pass
""",
    }
    both = run(write(tmp_path / "suite", files), "--continue-on-collection-errors")
    assert both.code == 1
    assert both.verdicts["test_good.py::test_good"] == "same"
    assert both.verdicts["test_one.py"] == "collection-diverged"
    assert both.verdicts["test_other.py::test_backend[0]"] == "collection-diverged"
    assert both.verdicts["test_other.py::test_backend[1]"] == "collection-diverged"
    shown = [item for item in both.report["divergences"] if item["test"] == "test_one.py"]
    assert shown
    assert "not on rust" in both.output


def test_where_pytest_comes_from(tmp_path):
    """The script and `python -m pytest` differ in sys.path; plugins and options come all ways.

    What a program finds in sys.argv is the user's command in both arms.
    """
    files = {
        "test_path.py": """
import json
import os
import sys

import small


def test_path():
    assert small.double(1) == 2
    name = f"path-{os.environ.get('SKYPILOT_USE_RUST')}.json"
    path = [entry.replace(os.getcwd(), "<here>") for entry in sys.path]
    with open(name, "w") as file:
        json.dump({"path": path, "argv": sys.argv}, file)


def test_plugin(from_plugin):
    assert from_plugin == 7
""",
        "own_plugin.py": "import pytest\n\n\n@pytest.fixture\ndef from_plugin():\n    return 7\n",
    }
    suite = write(tmp_path / "suite", files)
    # The arms know pytest's options from the environment as well, and stay arms.
    addopts = {"PYTEST_ADDOPTS": "--skyrs-both -k 'path or plugin' -p own_plugin"}
    for script in (False, True):
        plain, both = pair(
            suite,
            env={"PYTEST_ADDOPTS": "-p own_plugin", "PYTHONPATH": "."},
            both_env={**addopts, "PYTHONPATH": "."},
            script=script,
            cut=("--skyrs-both",),
        )
        alike(plain, both)
        assert both.code == 0, both.output
        assert both.verdicts["test_path.py::test_path"] == "same"
        seen = [
            json.loads((done.folder / f"path-{switch}.json").read_text())
            for done, switch in ((plain, None), (both, 0), (both, 1))
        ]
        paths, commands = ([found[key] for found in seen] for key in ("path", "argv"))
        assert paths[0] == paths[1] == paths[2]
        assert commands[1] == commands[2]
        assert commands[1][0] == commands[0][0]
        assert not any("--skyrs-arm" in argument for argument in commands[1])
        assert ("<here>" in paths[0][:2]) or script


# The plugins, and what tests do to themselves.

KINDS = {
    "pytest.ini": """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
env =
    FROM_INI=given
pytester_example_dir = .
""",
    "test_kinds.py": """
import asyncio
import os
import unittest

import hypothesis
import pytest
import small
from hypothesis import strategies

BACKEND = "rust" if os.environ.get("SKYPILOT_USE_RUST") == "1" else "python"
attempts = []
seen = []


@pytest.mark.xfail
def test_xfail():
    assert small.double(1) == 3


@pytest.mark.xfail
def test_xpass():
    assert small.double(1) == 2


@pytest.mark.xfail(strict=True)
def test_xpass_strict():
    assert small.double(1) == 2


@pytest.mark.skipif(True, reason="never")
def test_skipped():
    pass


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.number = small.double(4)

    def test_case(self):
        self.assertEqual(small.double(4), self.number)

    def test_case_fails(self):
        self.assertEqual(small.double(4), 9)

    def test_parts(self):
        for number in range(4):
            with self.subTest(number=number):
                self.assertNotEqual(small.double(number), 4)

    @unittest.skip("no")
    def test_case_skipped(self):
        pass

    @unittest.expectedFailure
    def test_case_expected(self):
        self.assertEqual(small.double(1), 3)


class Async(unittest.IsolatedAsyncioTestCase):
    async def test_case(self):
        await asyncio.sleep(0)
        self.assertEqual(small.double(5), 10)


async def test_async():
    await asyncio.sleep(0)
    assert await asyncio.to_thread(small.double, 6) == 12 if hasattr(asyncio, "to_thread") else 1


@hypothesis.given(strategies.integers())
@hypothesis.settings(max_examples=30)
def test_examples(number):
    seen.append(number)
    assert small.double(number) == number + number


def test_examples_end():
    with open(f"examples-{BACKEND}", "w") as file:
        file.write(repr(seen))


def test_third_time():
    attempts.append(1)
    assert small.double(len(attempts)) == 6, "once more"


def test_never():
    raise RuntimeError("once more")


def test_env():
    assert os.environ["FROM_INI"] == "given"
    assert small.double("x") == "xx"
""",
    "test_own.py": """
import importlib
import os
import subprocess
import sys
import threading
import unittest.mock

import pytest
import small

pytest_plugins = ["pytester"]


class Odd:
    def __init__(self):
        self.lock = threading.Lock()


def test_reloads():
    assert small.double(1) == 2
    importlib.reload(small)
    assert small.double(2) == 4


def test_imports_again(monkeypatch):
    monkeypatch.delitem(sys.modules, "small")
    import small as again

    assert again is not small
    assert again.double(3) == 6


def test_monkeypatches(monkeypatch):
    monkeypatch.setattr(small, "double", lambda number: 0)
    assert small.double(2) == 0


def test_mocks():
    with unittest.mock.patch("small.double", autospec=True, return_value=1) as double:
        assert small.double(2) == 1
    double.assert_called_once_with(2)
    assert small.double(2) == 4


def test_wraps():
    with unittest.mock.patch.object(small, "double", wraps=small.double) as double:
        assert small.double(2) == 4
    double.assert_called_once_with(2)


def test_forks():
    child = os.fork()
    if child == 0:
        os._exit(small.double(4))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 8


def test_forks_and_the_child_goes_on():
    child = os.fork()
    if child == 0:
        assert small.double(1) == 2
        # Goes on with the session, up to this test's end.
        threading.Timer(0.0, os._exit, [0]).start()
        return
    os.waitpid(child, 0)
    assert small.double(4) == 8


def test_prints_surrogates():
    sys.stdout.reconfigure(errors="surrogatepass")
    print("\\ud800", small.same("\\udcff"))


def test_surrogate_in_message():
    raise ValueError("\\ud800 " + small.same("\\udcff"))


def test_prints_bytes(capfd):
    os.write(1, b"\\xff\\xfe\\x00")
    small.double(1)


@pytest.mark.parametrize("text", ["\\ud800", "\\x00", "\\n"])
def test_odd_ids(text):
    assert small.same(text) == text


def test_unpicklable():
    for thing in (Odd(), lambda: 1, sys.stdin, (number for number in ()), threading.Lock()):
        assert small.same(thing) is thing
    loop = []
    loop.append(loop)
    assert small.same(loop) is loop


def test_closes_everything():
    sys.stdout.flush()
    small.double(1)
    logger = __import__("logging").getLogger()
    logger.handlers[:] = []


def test_changes_folder(tmp_path, monkeypatch):
    os.chdir(tmp_path)
    small.double(1)


def test_changes_folder_back():
    os.chdir(os.path.dirname(__file__))


def test_nested_in_process(pytester):
    pytester.makeconftest("import os; os.environ['NESTED'] = '1'")
    pytester.makepyfile("def test_inner(): import small; assert small.double(1) == 2")
    result = pytester.runpytest_inprocess("--durations=1", "--junitxml=inner.xml")
    result.assert_outcomes(passed=1)
    # An arm would have left the file to its parent.
    assert (pytester.path / "inner.xml").exists()
    assert small.double(5) == 10


def test_nested_subprocess(pytester):
    pytester.makepyfile("def test_inner(): pass", test_b="def test_inner(): assert 0")
    result = pytester.runpytest_subprocess("--junitxml=inner.xml")
    result.assert_outcomes(passed=1, failed=1)
    assert (pytester.path / "inner.xml").exists()
    assert small.double(6) == 12


def test_after_nested():
    assert small.double(7) == 14
""",
    "test_subtests.py": """
import pytest
import small


def test_subtests(subtests):
    for number in range(4):
        with subtests.test(msg="part", number=number):
            assert small.double(number) != 7
""",
}
#: Tests that reach Rust in a child, or not at all.
VACUOUS = {
    "test_kinds.py::test_examples_end",
    "test_kinds.py::test_skipped",
    "test_kinds.py::Case::test_case_skipped",
    "test_own.py::test_monkeypatches",
    "test_own.py::test_forks",
    "test_own.py::test_changes_folder_back",
}
SAME_FAIL = {
    "test_kinds.py::test_xpass_strict",
    "test_kinds.py::Case::test_case_fails",
    "test_kinds.py::test_never",
    "test_own.py::test_surrogate_in_message",
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    files = dict(KINDS)
    if int(pytest.__version__.partition(".")[0]) < 9:
        del files["test_subtests.py"]
    suite = write(tmp_path_factory.mktemp("kinds") / "suite", files)
    loaded = plugins("pytest-asyncio", "hypothesis", "pytest-rerunfailures", "pytest-env")
    return pair(suite, "--reruns=2", "--only-rerun=once more", "-v", plugins=loaded)


def test_kinds_of_tests(kinds):
    plain, both = kinds
    assert plain.totals["rerun"] == 4
    alike(plain, both)
    assert both.report["problems"] == []
    verdicts = both.verdicts
    failing = {name for name, verdict in verdicts.items() if verdict == "same-fail"}
    # Before pytest 9 a failing part fails its test.
    assert failing - {"test_kinds.py::Case::test_parts"} == SAME_FAIL
    vacuous = {name for name, verdict in verdicts.items() if verdict == "vacuous"}
    assert vacuous == VACUOUS
    assert set(verdicts.values()) == {"same", "same-fail", "vacuous"}


def test_same_examples_in_both_arms(kinds):
    _, both = kinds
    seen = [(both.folder / f"examples-{backend}").read_text() for backend in ("python", "rust")]
    assert seen[0] == seen[1]
    assert len(set(ast.literal_eval(seen[0]))) > 10


def test_other_examples_with_another_seed(tmp_path):
    """The examples above are the same because of the seed, not by themselves."""
    files = {"test_kinds.py": KINDS["test_kinds.py"]}
    suite = write(tmp_path / "suite", files)
    seen = []
    for seed in (1, 2):
        selected = ["-k", "examples", f"--skyrs-seed={seed}"]
        run(suite, *selected, plugins=plugins("hypothesis"))
        seen.append((suite / "examples-rust").read_text())
    assert seen[0] != seen[1]


PRINTING = {
    "test_printing.py": """
import os
import sys

import pytest
import small

BACKEND = os.environ.get("SKYPILOT_USE_RUST", "none")


def test_alike():
    print("alike", small.double(2))
    os.write(2, b"written\\xff\\n")


def test_stdout():
    print("on", BACKEND, small.double(2))


def test_stderr_in_fixture(noisy):
    small.double(1)


@pytest.fixture
def noisy():
    yield
    print("err", BACKEND, file=sys.stderr)


def test_descriptor():
    small.double(2)
    os.write(1, BACKEND.encode())


def test_child():
    small.double(2)
    os.system("echo $SKYPILOT_USE_RUST")


def test_capsys(capsys):
    print(BACKEND)
    assert capsys.readouterr().out == BACKEND + "\\n"
    small.double(2)
"""
}


@pytest.mark.parametrize("mode", ["fd", "sys", "tee-sys", "no"])
def test_capture_modes(tmp_path, mode):
    """What tests print is compared in each mode, as far as pytest sees it there."""
    argument = "-s" if mode == "no" else f"--capture={mode}"
    plain, both = pair(write(tmp_path / "suite", PRINTING), argument)
    assert (plain.code, both.code) == (0, 1)
    assert both.totals["failed"] + both.totals["passed"] == plain.totals["passed"] == 6
    observables = {cause["id"]: cause["observable"] for cause in both.report["divergences"]}
    different = {
        row["id"].partition("::")[2]: observables[cause]
        for row in both.report["tests"]
        for cause in row["divergences"]
    }
    expected = {"test_stdout": "stdout", "test_stderr_in_fixture": "stderr"}
    if mode in ("fd", "no"):
        expected.update(test_descriptor="stdout", test_child="stdout")
    assert different == expected


def test_nested_session_of_both_backends(tmp_path):
    """A test that runs pytest with the environment of the arm, options and all."""
    files = {
        "test_outer.py": """
import os
import subprocess
import sys

import small


def test_outer(tmp_path):
    inner = tmp_path / "test_inner.py"
    inner.write_text("def test_inner(): pass")
    command = [sys.executable, "-m", "pytest", "-q", str(inner), "-c", os.devnull]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 compared" in done.stdout
    assert small.double(1) == 2
"""
    }
    both = run(
        write(tmp_path / "suite", files),
        env={"PYTEST_ADDOPTS": "--skyrs-both --skyrs-ports= -p skyrs"},
        cut=("--skyrs-both",),
    )
    assert both.code == 0, both.output
    assert both.verdicts == {"test_outer.py::test_outer": "same"}


WARNS = {
    "test_warns.py": """
import warnings

import pytest


class Own(UserWarning):
    pass


def test_warns():
    warnings.warn("plainly")
    warnings.warn(Own("in its own way"))


@pytest.mark.never_registered
def test_marked():
    pass
"""
}


def warnings_of(done, folder):
    """The summary's section, wherever the suite is."""
    rest = done.output.partition("= warnings summary =")[2]
    assert rest, done.output
    return rest.partition("-- Docs:")[0].replace(str(folder), "<suite>")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_warnings_are_summed_up_as_without_us(tmp_path, workers):
    folder = tmp_path / "suite"
    write(folder, WARNS)
    plain, both = pair(folder, *workers, plugins=plugins("pytest-xdist"))
    places = [tmp_path / f"suite-{name}" for name in ("plain", "both")]
    expected, shown = (warnings_of(*one) for one in zip((plain, both), places))
    assert "Own: in its own way" in expected
    assert "never_registered" in expected
    assert shown == expected
