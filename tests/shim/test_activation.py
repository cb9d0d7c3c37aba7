"""``python -m sky_rs_patch.activate``, before one program and for a whole environment."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import psutil
import pytest
from support import PRESENT, full_name, run_python, small_skypilot

import sky_rs_patch
from sky_rs_patch._cli import site_hook

ACTIVATE = ("-m", "sky_rs_patch.activate")
PATCHED = (
    "import sys; print(any(getattr(f, 'waits_for', '') == 'sky_rs_patch' or "
    "type(f).__module__ == 'sky_rs_patch._finder' for f in sys.meta_path))"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return {"PYTHONPATH": str(small_skypilot(tmp_path_factory.mktemp("small")))}


def both(*arguments, options=(), **keywords):
    """Runs the same command without and with the shim."""
    plain = run_python(*options, *arguments, **keywords)
    shimmed = run_python(*options, *ACTIVATE, *arguments, **keywords)
    return plain, shimmed


def assert_same(plain, shimmed):
    assert shimmed.returncode == plain.returncode
    assert shimmed.stdout == plain.stdout
    assert shimmed.stderr == plain.stderr


LOOK = """
import json, sys
import __main__
print(json.dumps([sys.argv, __name__, sys.path, sys.flags[:], sys._xoptions, sys.warnoptions,
                  sys.executable, sys.stdout.write_through, sys.dont_write_bytecode,
                  globals().get("__file__"), str(__loader__.__class__),
                  __spec__ and [__spec__.name, __spec__.origin, __spec__.cached],
                  str(globals().get("__package__")), sorted(vars(__main__))]))
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(LOOK)
    (tmp_path / "a_module.py").write_text(LOOK)
    return path


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-u",),
        ("-O",),
        ("-OO", "-B"),
        ("-X", "utf8"),
        ("-Xutf8=1", "-W", "ignore", "-Werror::UserWarning"),
        ("-X", "dev", "-b"),
        ("-I",),
        ("-E", "-s"),
        ("-P",) if sys.version_info >= (3, 11) else ("-s",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", ["program", "module", "code", "stdin"])
def test_the_program_sees_what_it_would_have_seen(form, options, program, small):
    arguments = {
        "program": (program, "--flag", "-m", "x y", ""),
        "module": ("-m", "a_module", "--flag", "-c", ""),
        "code": ("-c", LOOK, "--flag", "-m", "x"),
        "stdin": ("-", "argument"),
    }[form]
    if form == "module" and {"-I", "-P"} & set(options):
        arguments = ("-m", "this", "argument")
    keywords = {"input": LOOK} if form == "stdin" else {}
    plain, shimmed = both(*arguments, options=options, cwd=program.parent, **keywords)
    assert plain.returncode == 0, plain.stderr
    assert_same(plain, shimmed)


@pytest.mark.parametrize(
    "spelling",
    [("-msky_rs_patch.activate",), ("-umsky_rs_patch.activate",), ("-um", "sky_rs_patch.activate")],
)
def test_other_spellings_of_the_option(spelling, program):
    unbuffered = ("-u",) if "u" in spelling[0] else ()
    plain = run_python(*unbuffered, "-X", "utf8", program, "1")
    shimmed = run_python("-X", "utf8", *spelling, program, "1")
    assert_same(plain, shimmed)


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        "raise SystemExit(0)",
        "raise SystemExit(7)",
        "raise SystemExit(300)",
        "raise SystemExit(-1)",
        "raise SystemExit('a message')",
        "raise SystemExit((1, 2))",
        "import os; os._exit(9)",
        "import sys; sys.exit(None)",
        "1 / 0",
        "def f():\n    raise ValueError('x') from KeyError('y')\nf()",
        "raise KeyboardInterrupt",
        "a syntax error",
        "import no_such_module",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit; atexit.register(print, 'late'); raise RuntimeError",
        "import threading; threading.Thread(target=lambda: 1 / 0, name='t').start()",
    ],
)
def test_how_it_ends(code, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(code)
    assert_same(*both(path))
    assert_same(*both("-c", code))


def test_a_program_that_does_not_exist(tmp_path):
    plain, shimmed = both("no_such_program.py", cwd=tmp_path)
    assert shimmed.returncode == plain.returncode == 2
    assert "can't open file" in shimmed.stderr
    assert_same(plain, shimmed)


@pytest.mark.parametrize(
    "arguments", [("-m", "no_such_module"), ("-m",), ("-c",), ("--no-option",)]
)
def test_commands_that_python_refuses(arguments):
    plain, shimmed = both(*arguments)
    assert plain.returncode != 0
    assert_same(plain, shimmed)


def wait_until_it_sleeps(pid):
    """The traceback names the line, so the signal must not come before that one."""
    asleep = 0
    while asleep < 5:
        time.sleep(0.02)
        asleep = asleep + 1 if psutil.Process(pid).status() == psutil.STATUS_SLEEPING else 0


def test_ctrl_c(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        "import time\n"
        "try:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "finally:\n    print('cleaned up', flush=True)\n"
    )
    ends = []
    for command in ([], ACTIVATE):
        process = subprocess.Popen(
            [sys.executable, *command, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What a shell starts in the background ignores it, and so do its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert process.stdout.readline() == "ready\n"
        wait_until_it_sleeps(process.pid)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        ends.append((process.returncode, output, errors))
    assert ends[0] == ends[1]
    assert ends[0][0] == -signal.SIGINT
    assert "KeyboardInterrupt" in ends[1][2]


@pytest.mark.parametrize("value", ["maybe", " ", "2"])
@pytest.mark.parametrize("arguments", [("-c", "print(1)"), ()])
def test_an_invalid_switch(value, arguments):
    done = run_python(*ACTIVATE, *arguments, environment={"SKYPILOT_USE_RUST": value})
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"SKYPILOT_USE_RUST={value!r} is not a switch value" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_serves(small):
    code = (
        "from sky.utils import common_utils\n"
        "import sky_rs_patch\n"
        "assert common_utils.base36_encode('ff') == '73'\n"
        "print(sky_rs_patch.status()['routes']['sky.utils.common_utils.base36_encode']['calls'])"
    )
    done = run_python(*ACTIVATE, "-c", code, environment=small)
    assert (done.stdout, done.stderr) == ("{'rust': 1, 'python': 0}\n", "")
    done = run_python(*ACTIVATE, "-c", code, environment={**small, "SKYPILOT_USE_RUST": "off"})
    assert done.stdout == "{'rust': 0, 'python': 1}\n"


def test_it_serves_the_real_skypilot():
    code = (
        "from sky.utils import common_utils\n"
        "import sky_rs_patch, sky\n"
        "routes = sky_rs_patch.status()['routes'].values()\n"
        "print(sky.__version__, sum(route['state'] == 'active' for route in routes),\n"
        "      common_utils.base36_encode.__class__.__name__)"
    )
    done = run_python(*ACTIVATE, "-c", code)
    assert done.returncode == 0, done.stderr
    importlib.import_module("sky")
    with sky_rs_patch.enabled():
        routes = sky_rs_patch.status()["routes"]
    # Another test may have imported the module that SkyPilot doesn't have.
    active = [
        name
        for name, route in routes.items()
        if route["state"] == "active" and not name.startswith("sky.utils.rust_fallback.")
    ]
    assert {full_name(name) for name in PRESENT} <= set(active)
    version = sky_rs_patch.status()["skypilot"]
    assert done.stdout == f"{version} {len(active)} function\n"


@pytest.mark.parametrize(
    ("how", "patched"),
    [
        ("subprocess.run([sys.executable, '-c', CODE])", True),
        ("subprocess.run([sys.executable, '-I', '-c', CODE])", True),
        ("subprocess.run([sys.executable, '-E', '-c', CODE])", True),
        ("subprocess.run([sys.executable, '-c', CODE], env={})", False),
        ("subprocess.run([sys.executable, '-S', '-c', CODE])", False),
        ("os.system(f'{sys.executable} -c \"{CODE}\"')", True),
        ("os.waitpid(os.fork() or (exec(CODE), sys.stdout.flush(), os._exit(0))[2], 0)", True),
        ("os.execv(sys.executable, [sys.executable, '-c', CODE])", True),
        ("subprocess.run(['/bin/sh', '-c', f'exec {sys.executable} -c \"{CODE}\"'])", True),
    ],
)
def test_children(how, patched):
    code = f"import os, subprocess, sys\nCODE = {PATCHED!r}\nsys.stdout.flush()\n{how}"
    done = run_python(*ACTIVATE, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{patched}\n"
    assert done.stderr == ""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing(method, small, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        "import multiprocessing, os, sys\n"
        "def work(text):\n"
        "    from sky.utils import common_utils\n"
        "    import sky_rs_patch\n"
        "    result = common_utils.base36_encode(text)\n"
        "    route = sky_rs_patch.status()['routes']['sky.utils.common_utils.base36_encode']\n"
        "    return result, route['state'], route['calls']['python'], os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context(sys.argv[1])\n"
        "    with context.Pool(1) as pool:\n"
        "        [answer] = pool.map(work, ['ff'])\n"
        "    assert answer[3] != os.getpid()\n"
        "    print(*answer[:3])\n"
    )
    done = run_python(*ACTIVATE, path, method, environment=small)
    assert (done.stdout, done.stderr) == ("73 active 0\n", "")


def test_help():
    done = run_python(*ACTIVATE, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m sky_rs_patch.activate")
    assert "SKYPILOT_USE_RUST=0" in done.stdout


class Environment:
    """A Python environment with nothing but the shim and wrapt."""

    def __init__(self, path):
        venv.create(path, symlinks=True, with_pip=False)
        self.python = path / "bin" / "python"
        # Without resolving: that would lead out of the environment again.
        self.packages = next((path / "lib").glob("python*/site-packages"))
        installed = Path(sky_rs_patch.__file__).parent.parent
        for name in ("sky_rs_patch", "wrapt"):
            shutil.copytree(installed / name, self.packages / name)
        shutil.copy(installed / "zz_sky_rs_patch.pth", self.packages)

    def run(self, *arguments, **options):
        return run_python(*arguments, executable=self.python, **options)

    def files(self):
        return sorted(
            path.relative_to(self.packages)
            for path in self.packages.rglob("*")
            if "__pycache__" not in path.parts
        )


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path / "environment")


def test_switching_an_environment_on_and_off(environment):
    before = environment.files()
    assert environment.run("-c", PATCHED).stdout == "False\n"

    done = environment.run(*ACTIVATE)
    assert done.returncode == 0, done.stderr
    switch = environment.packages / "zz_sky_rs_patch_on.pth"
    assert f"wrote: {switch}" in done.stdout
    assert f"undo: {environment.python} -m sky_rs_patch.deactivate" in done.stdout
    assert environment.files() == sorted([*before, Path(switch.name)])
    for options in ((), ("-I",), ("-E",), ("-s",)):
        assert environment.run(*options, "-c", PATCHED).stdout == "True\n"
    assert environment.run("-S", "-c", PATCHED).stdout == "False\n"

    written = switch.read_text()
    done = environment.run(*ACTIVATE)
    assert done.returncode == 0
    assert f"unchanged: {switch}" in done.stdout
    assert switch.read_text() == written

    done = environment.run("-m", "sky_rs_patch.deactivate")
    assert (done.returncode, done.stdout) == (0, f"removed: {switch}\n")
    assert environment.files() == before
    assert environment.run("-c", PATCHED).stdout == "False\n"

    done = environment.run("-m", "sky_rs_patch.deactivate")
    assert done.returncode == 0
    assert "was not switched on" in done.stdout
    assert environment.files() == before


def test_a_program_in_an_environment_that_is_switched_on(environment):
    environment.run(*ACTIVATE)
    done = environment.run(*ACTIVATE, "-c", PATCHED)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.fixture
def with_skypilot(environment, small):
    """The environment with a small SkyPilot in it."""
    import psutil

    shutil.copytree(Path(small["PYTHONPATH"]) / "sky", environment.packages / "sky")
    shutil.copytree(Path(psutil.__file__).parent, environment.packages / "psutil")
    return environment


def test_a_switched_on_environment_serves(with_skypilot):
    environment = with_skypilot
    environment.run(*ACTIVATE)
    code = (
        "from sky.utils import common_utils\nimport sky_rs_patch\n"
        "print(common_utils.base36_encode('ff'), common_utils.get_cpu_count() > 0, sum(\n"
        "    route['calls']['rust'] for route in sky_rs_patch.status()['routes'].values()))"
    )
    done = environment.run("-c", code)
    assert (done.stdout, done.stderr) == ("73 True 2\n", "")
    done = environment.run("-c", code, environment={"SKYPILOT_USE_RUST": "maybe"})
    assert done.stdout == "73 True 0\n"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "SKYPILOT_USE_RUST='maybe'" in done.stderr


#: What `activate` of 0.1.0 wrote: it is in environments that a newer wheel finds.
WRITTEN_BY_0_1_0 = (
    r"""import sys; exec('\ndef find_spec(name, path=None, target=None):\n    if name[:4] not in """
    r"""("sky", "sky."): return\n    sys.path.insert(0, home)\n    try: """
    r"""from sky_rs_patch._finder import installed_finder\n    except ImportError: return\n    """
    r"""finally: sys.path.remove(home)\n"""
    r"""    return installed_finder().find_spec(name, path, target)\nsys.meta_path.insert(0, """
    r"""type(sys.implementation)(find_spec=find_spec, waits_for="sky_rs_patch"))\n', """
    r"""{"sys": sys, "home": locals().get("sitedir", sys.prefix)})"""
    "\n"
)


def test_an_environment_that_0_1_0_switched_on_still_is(with_skypilot):
    environment = with_skypilot
    switch = environment.packages / "zz_sky_rs_patch_on.pth"
    switch.write_text(WRITTEN_BY_0_1_0)
    code = (
        "from sky.utils import common_utils\nimport sky_rs_patch\n"
        "print(common_utils.base36_encode('ff'), sum(\n"
        "    route['calls']['rust'] for route in sky_rs_patch.status()['routes'].values()))"
    )
    done = environment.run("-c", code)
    assert (done.stdout, done.stderr) == ("73 1\n", "")
    assert f"wrote: {switch}" in environment.run(*ACTIVATE).stdout
    assert environment.run("-c", code).stdout == "73 1\n"
    assert environment.run("-m", "sky_rs_patch.deactivate").stdout == f"removed: {switch}\n"


def test_a_bare_start_imports_nothing(environment):
    code = "import sys; print(*sorted(sys.modules))"
    before = set(environment.run("-c", code).stdout.split())
    environment.run(*ACTIVATE)
    assert set(environment.run("-c", code).stdout.split()) == before


def test_an_activated_program_imports_nothing_either():
    code = "import sys; print(*sorted(sys.modules))"
    plain, shimmed = both("-c", code)
    assert shimmed.stdout == plain.stdout


def test_the_hook_of_children_is_the_one_that_waits():
    assert Path(site_hook.child_hook()).read_text() == site_hook.CHILD_HOOK_LINE


def test_who_waited_is_relieved(environment):
    environment.run(*ACTIVATE)
    code = (
        "import sys, sky_rs_patch\nsky_rs_patch.status()\n"
        "kinds = [type(f).__name__ for f in sys.meta_path]\n"
        "print(kinds.count('Finder'), kinds.count('SimpleNamespace'))\n"
        "sky_rs_patch.disable()\nprint(len(kinds) - len(sys.meta_path))"
    )
    # An activated program in an environment that is switched on has two of them.
    for options in ((), ACTIVATE):
        assert environment.run(*options, "-c", code).stdout == "1 0\n1\n"


def test_the_package_is_looked_for_beside_the_hook_first(small, tmp_path):
    (tmp_path / "sky_rs_patch").mkdir()
    (tmp_path / "sky_rs_patch" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    code = (
        "import sys\nsys.path.insert(0, '.')\nfrom sky.utils import common_utils\n"
        "print(type(common_utils.base36_encode).__name__, sys.path[0])"
    )
    active = {**small, "SKY_RS_PATCH_ACTIVE": "1"}
    done = run_python("-c", code, environment=active, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("RoutedFunction .\n", "")


def test_a_switch_that_is_left_behind(environment):
    environment.run(*ACTIVATE)
    shutil.rmtree(environment.packages / "sky_rs_patch")
    (environment.packages / "zz_sky_rs_patch.pth").unlink()
    done = environment.run("-c", "print('fine')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")
    (environment.packages / "sky.py").write_text("print('fine, too')")
    done = environment.run("-c", "import sky")
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine, too\n", "")


def test_a_switch_explains_itself(environment):
    """pip doesn't know of it, so whoever finds it must be told what it is."""
    done = environment.run(*ACTIVATE)
    assert "deactivate before `pip uninstall sky-rs-patch`" in done.stdout
    *comments, line = (environment.packages / "zz_sky_rs_patch_on.pth").read_text().splitlines()
    assert line.startswith("import ")
    assert all(comment.startswith("# ") for comment in comments)
    assert "`python -m sky_rs_patch.deactivate` removes it" in comments[0]
    assert "Delete it by hand if sky-rs-patch is gone" in comments[1]


def test_a_switch_of_before_it_explained_itself(environment):
    environment.run(*ACTIVATE)
    switch = environment.packages / "zz_sky_rs_patch_on.pth"
    right = switch.read_text()
    switch.write_text(right.splitlines()[-1] + "\n")
    assert environment.run("-c", PATCHED).stdout == "True\n"
    assert "wrote: " in environment.run(*ACTIVATE).stdout
    assert switch.read_text() == right


@pytest.mark.parametrize("value", ["", "0", "false", "NO", "Off"])
def test_an_off_value_keeps_the_shim_out_of_a_process(value, environment):
    environment.run(*ACTIVATE)
    off = {"SKY_RS_PATCH_ACTIVE": value}
    # What the switch puts there waits for SkyPilot, and goes then.
    code = f"try: import sky\nexcept ImportError: pass\n{PATCHED}"
    done = environment.run("-c", code, environment=off)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert environment.run("-c", code).stdout == "True\n"
    # The program may still ask for it.
    code = f"import sky_rs_patch; sky_rs_patch.enable()\n{PATCHED}"
    assert environment.run("-c", code, environment=off).stdout == "True\n"


def test_a_damaged_switch_is_mended(environment):
    environment.run(*ACTIVATE)
    switch = environment.packages / "zz_sky_rs_patch_on.pth"
    right = switch.read_text()
    switch.write_text("")
    done = environment.run(*ACTIVATE)
    assert f"wrote: {switch}" in done.stdout
    assert switch.read_text() == right


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_environment_that_cannot_be_written(environment):
    environment.packages.chmod(0o555)
    try:
        done = environment.run(*ACTIVATE)
    finally:
        environment.packages.chmod(0o755)
    assert done.returncode == 2
    assert "can't be switched on" in done.stderr


def test_an_environment_without_site_packages():
    packages = str(Path(sky_rs_patch.__file__).parent.parent)
    done = run_python("-S", *ACTIVATE, environment={"PYTHONPATH": packages})
    assert done.returncode == 2
    assert "reads no site-packages" in done.stderr
    done = run_python("-S", *ACTIVATE, "-c", "pass", environment={"PYTHONPATH": packages})
    assert done.returncode == 2
    assert "don't use -S" in done.stderr


def test_deactivate_takes_no_arguments():
    done = run_python("-m", "sky_rs_patch.deactivate", "program.py")
    assert done.returncode == 2
    assert "usage: python -m sky_rs_patch.deactivate" in done.stderr
    assert run_python("-m", "sky_rs_patch.deactivate", "--help").returncode == 0


def test_starts_at_the_same_time(environment):
    """However many switch it on at once, what is written is whole."""
    processes = [
        subprocess.Popen([environment.python, *ACTIVATE], stdout=subprocess.DEVNULL)
        for _ in range(6)
    ]
    deadline = time.monotonic() + 60
    for process in processes:
        assert process.wait(deadline - time.monotonic()) == 0
    assert environment.run("-c", PATCHED).stdout == "True\n"
    assert [path.name for path in environment.packages.glob(".zz*")] == []
    assert json.loads(environment.run("-c", "print(1)").stdout) == 1
