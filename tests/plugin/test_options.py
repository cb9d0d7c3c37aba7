"""What users type, and what they are told if it can't be."""

from pathlib import Path

import pytest
from support import run_python

from pytest_skyrs import _options
from pytest_skyrs._model import verdicts as _verdicts

VERDICTS = ", ".join(_verdicts.ALL)


def pytest_in(folder, *arguments, **environment):
    return run_python(
        *("-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments),
        environment={"HOME": str(folder), **environment},
        cwd=folder,
    )


ERRORS = [
    # Two ways to run at once.
    (
        ["--skyrs-both", "--skyrs-backend=rust"],
        "--skyrs-both and --skyrs-backend don't go together; give one of them",
    ),
    (
        ["--skyrs-both=inline", "--skyrs-shadow"],
        "--skyrs-both and --skyrs-shadow don't go together; give one of them",
    ),
    (
        ["--skyrs-selftest", "--skyrs-backend=python"],
        "--skyrs-backend and --skyrs-selftest don't go together; give one of them",
    ),
    # Values that mean nothing.
    (["--skyrs-both=twice"], "invalid choice: 'twice'"),
    (["--skyrs-backend=cobol"], "invalid choice: 'cobol'"),
    (["--skyrs-both", "--skyrs-isolate=all"], "invalid choice: 'all'"),
    (["--skyrs-both", "--skyrs-seed=x"], "invalid int value: 'x'"),
    (
        ["--skyrs-both", "--skyrs-fail-on=diverged,wrong"],
        f"--skyrs-fail-on: 'wrong' is no verdict; there are {VERDICTS}",
    ),
    *(
        (
            ["--skyrs-both", f"--skyrs-ports=8080,{port}"],
            f"--skyrs-ports: '{port}' is no port; give numbers from 1 to 65535, separated by "
            "commas, or nothing",
        )
        for port in ("0", "65536", "-1", "http", "8080;9090")
    ),
    # Options that need, or exclude, another.
    (
        ["--skyrs-both", "--pdb"],
        "--pdb needs the test in this process; use --skyrs-both=inline with it",
    ),
    (
        ["--skyrs-both", "--trace"],
        "--trace needs the test in this process; use --skyrs-both=inline with it",
    ),
    (
        ["--skyrs-both", "--skyrs-side-by-side"],
        "--skyrs-side-by-side needs --skyrs-isolate=net: on one loopback the arms' servers would "
        "serve each other's tests",
    ),
    (
        ["--skyrs-both=inline", "-n2"],
        "--skyrs-both=inline runs in one process; leave out -n",
    ),
    # Files.
    (
        ["--skyrs-both", "--skyrs-known=nowhere.yaml"],
        "--skyrs-known=nowhere.yaml: there is no such file",
    ),
    (["--skyrs-both", "--skyrs-known=."], "--skyrs-known=.: there is no such file"),
    *(
        (["--skyrs-both", f"--skyrs-{name}=."], f"--skyrs-{name}=.: that is a folder; name a file")
        for name in ("json", "html")
    ),
    (["--skyrs-allow-unreached"], "--skyrs-allow-unreached needs --skyrs-both"),
    (
        ["--skyrs-both", "--skyrs-json=no/where.json"],
        "--skyrs-json=no/where.json: there is no folder {folder}/no",
    ),
    (
        ["--skyrs-both", "--skyrs-html=no/where.html"],
        "--skyrs-html=no/where.html: there is no folder {folder}/no",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), ERRORS, ids=[" ".join(case[0]) for case in ERRORS]
)
def test_an_error_of_the_user(tmp_path, arguments, message):
    done = pytest_in(tmp_path, *arguments)
    assert message.format(folder=tmp_path) in done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in done.stdout + done.stderr
    # Nothing was begun.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "mode", ["--skyrs-both", "--skyrs-backend=rust", "--skyrs-shadow", "--skyrs-both=inline"]
)
def test_a_variable_that_cant_be(tmp_path, mode):
    done = pytest_in(tmp_path, mode, SKY_RS_ENABLE="foo")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: SKY_RS_ENABLE='foo': no opt-in route is called 'foo'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


BAD_LISTS = [
    ("- {a: 1}", "entry 1: a means nothing"),
    ("{", "while parsing"),
    ("3", "it holds a int, not a list of entries"),
    ("- {test: x, reason: r, issue: i, expires: 2020-01-01}", "it expired on 2020-01-01"),
    (
        "- {test: x, reason: r, issue: i, condition: {skypilot: '<0', python: x}}",
        "python: 'x' is no version specifier",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_LISTS, ids=[case[1] for case in BAD_LISTS])
@pytest.mark.parametrize("named", [True, False])
def test_the_list_of_known_differences_is_read_before_anything_runs(tmp_path, text, message, named):
    path = tmp_path / ("mine.yaml" if named else "skyrs-known.yaml")
    path.write_text(text)
    (tmp_path / "conftest.py").write_text("import pathlib; pathlib.Path('began').touch()\n")
    given = [f"--skyrs-known={path}"] if named else []
    done = pytest_in(tmp_path, "--skyrs-both", "--skyrs-ports=", *given)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr
    assert "skyrs: python-1 arm" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no place that nobody may write to")
def test_a_report_that_may_not_be_written(tmp_path):
    done = pytest_in(tmp_path, "--skyrs-both", "--skyrs-json=/proc/self/report.json")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--skyrs-json=/proc/self/report.json: no file can be made in" in done.stderr


def test_a_folder_without_tests(tmp_path):
    plain = pytest_in(tmp_path)
    both = pytest_in(tmp_path, "--skyrs-both", "--skyrs-ports=")
    assert plain.returncode == both.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_help_names_every_option(tmp_path):
    done = pytest_in(tmp_path, "--help")
    assert done.returncode == 0
    for name in (
        *("both", "backend", "shadow", "selftest", "cov", "fail-on", "json", "html", "known"),
        *("update-known", "isolate", "side-by-side", "ports", "seed", "keep", "allow-unreached"),
    ):
        assert f"--skyrs-{name}" in done.stdout
    # argparse breaks lines within it.
    defaults = "diverged,rust-unstable,crashed,collection-diverged"
    assert defaults in "".join(done.stdout.split())


# What comes of the values, without a process.


class Config:
    """As much of pytest's configuration as the options ask for."""

    def __init__(self, rootpath, **given):
        parser = pytest.Parser(_ispytest=True)
        _options.add(parser)
        self.rootpath = rootpath
        self.option = parser.parse(["--skyrs-both"])
        self._values = vars(self.option)
        assert given.keys() <= {*self._values, "usepdb", "skyrs_measures_coverage"}
        self._values.update(given)

    def getoption(self, name, default=None):
        return self._values.get(name, default)


def read(tmp_path, **given):
    return _options.read(Config(tmp_path, **given))


def test_defaults(tmp_path):
    options = read(tmp_path)
    assert options == _options.Options(
        mode="sessions",
        fail_on=("diverged", "rust-unstable", "crashed", "collection-diverged"),
        json=None,
        html=None,
        known=None,
        update_known=False,
        isolate="auto",
        side_by_side=False,
        ports=(46580, 50011),
        seed=None,
        keep=False,
        coverage=False,
        all_texts=False,
        timeout=None,
        allow_unreached=False,
    )


@pytest.mark.parametrize(("text", "seconds"), [("1", 1), ("0.5", 0.5), ("1e3", 1000)])
def test_a_time_limit(tmp_path, text, seconds):
    assert read(tmp_path, skyrs_timeout=text).timeout == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1m", "1,5"])
def test_a_time_limit_that_is_none(tmp_path, text):
    with pytest.raises(pytest.UsageError) as raised:
        read(tmp_path, skyrs_timeout=text)
    assert str(raised.value) == f"--skyrs-timeout: {text!r} is no number of seconds above 0"


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("diverged", ("diverged",)),
        (" diverged , vacuous,", ("diverged", "vacuous")),
        ("", ()),
        (",".join(_verdicts.ALL), _verdicts.ALL),
    ],
)
def test_verdicts_that_fail(tmp_path, text, verdicts):
    assert read(tmp_path, skyrs_fail_on=text).fail_on == verdicts


@pytest.mark.parametrize(
    ("text", "ports"),
    [("", ()), ("1", (1,)), (" 8080, 65535 ,", (8080, 65535)), (",", ())],
)
def test_ports(tmp_path, text, ports):
    assert read(tmp_path, skyrs_ports=text).ports == ports


def test_files(tmp_path):
    known = tmp_path / "mine.yaml"
    known.touch()
    page = tmp_path / "page.html"
    options = read(tmp_path, skyrs_known=known, skyrs_html=page, skyrs_json=Path("here.json"))
    assert (options.known, options.html, options.json) == (known, page, Path("here.json"))
    assert options.known_path(Config(tmp_path / "elsewhere")) == known


def test_the_list_at_the_root_is_found(tmp_path):
    options = read(tmp_path)
    assert options.known_path(Config(tmp_path)) is None
    (tmp_path / "skyrs-known.yaml").mkdir()
    assert options.known_path(Config(tmp_path)) is None
    (tmp_path / "skyrs-known.yaml").rmdir()
    (tmp_path / "skyrs-known.yaml").touch()
    assert options.known_path(Config(tmp_path)) == tmp_path / "skyrs-known.yaml"


def test_side_by_side_is_fine_in_networks_of_their_own(tmp_path):
    assert read(tmp_path, skyrs_side_by_side=True, skyrs_isolate="net").side_by_side


def test_a_debugger_is_fine_in_one_process(tmp_path):
    assert read(tmp_path, skyrs_both="inline", usepdb=True).mode == "inline"


def test_two_measurements_at_once(tmp_path):
    assert read(tmp_path, skyrs_cov=True, skyrs_measures_coverage=False).coverage
    with pytest.raises(pytest.UsageError, match="--skyrs-cov and --cov can't measure"):
        read(tmp_path, skyrs_cov=True, skyrs_measures_coverage=True)


def test_without_an_option_little_is_imported(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test():\n"
        "    ours = {n for n in sys.modules if n.startswith(('pytest_skyrs', 'sky_rs_patch'))}\n"
        "    names = {'_model', '_model.verdicts', '_options', 'plugin'}\n"
        "    assert ours == {'pytest_skyrs', *(f'pytest_skyrs.{name}' for name in names)}\n"
    )
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout
