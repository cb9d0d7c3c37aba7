"""`python -m sky_rs_patch report`: what it shows, and that nothing of it can do anything."""

import copy
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from sky_rs_patch import __main__
from sky_rs_patch._bench import command, markdown, page, table

PWN = "document.documentElement.setAttribute('data-pwned','1')"
HOSTILE = [
    f"</script><script>{PWN}</script>",
    f'<img src=x onerror="{PWN}">',
    f'" onmouseover="{PWN}" x="',
    f"</title></style><svg onload={PWN}>",
    "a | b \\ *c* `d` [e](javascript:f) _g_ # h\n\n## i",
    "\x1b[31mred\x00\u202e",
]


def spread(median, *, wide=0.1):
    low, high = median * (1 - wide), median * (1 + wide)
    return {"median": median, "low": low, "high": high, "least": low, "most": high, "values": 9}


def a_row(function="format_float", workload="1.0", original=4e-7, routed=5e-8, **changes):
    return {
        "function": function,
        "workload": workload,
        "target": f"sky.utils.common_utils.{function}",
        "state": "measured",
        "note": None,
        "declined": False,
        "answered": True,
        "seconds": {
            "original": spread(original),
            "routed": spread(routed),
            "native": spread(routed * 0.8),
            "limit": spread(1e-8),
        },
        "ratio": spread(original / routed),
        "changing": spread(original / routed / 2),
        "limit": "an empty native call",
        "peers": {},
        **changes,
    }


A_PEER = {"seconds": spread(2e-6), "ratio": spread(1.5)}


def a_result(**changes):
    return {
        "schema": command.SCHEMA,
        "kind": command.KIND,
        "created": "2026-11-21T18:00:00+00:00",
        "machine": {
            "cpu": "A Processor",
            "processors": 2,
            "usable_processors": 1,
            "kernel": "Linux 6.18",
            "architecture": "x86_64",
            "libc": "glibc 2.36",
            "memory_bytes": 8 << 30,
            "governor": None,
            "load": 0.25,
        },
        "versions": {"python": "3.11.7", "skypilot": "0.14.1", "pyperf": "2.10.0", "openssl": None},
        "build": {"profile": "release", "rustc": "rustc 1.95.0", "commit": "abc123"},
        "settings": {"quick": False, "processes": 3, "rounds": 9, "seconds": 0.02},
        "warnings": [],
        "routes": [
            a_row(),
            a_row("hash_file", "a large file", 0.1, 0.125),
            a_row(
                "dump_yaml_str",
                "the largest task",
                state="no route",
                note="this build has no route for it",
                seconds={"original": spread(0.03)},
                ratio=None,
            ),
            a_row("_safe_children", "", state="absent", seconds={}, ratio=None, note="not here"),
            a_row(
                "base36_encode",
                "an md5",
                peers={"Cython": A_PEER},
            ),
        ],
        "calls": {"proxy": spread(2.5e-8)},
        "memory": [
            {
                "function": "read_last_n_lines",
                "workload": "all",
                "original": 139 << 20,
                "routed": 38 << 20,
            },
            {"function": "dump_yaml_str", "workload": "the largest", "note": "no route"},
        ],
        "end_to_end": [
            {
                "what": "import sky",
                "without": spread(2.0),
                "with": spread(2.5),
                "ratio": spread(0.8),
                "note": None,
            },
            {"what": "tail", "note": "not measured: only 3 MiB free"},
        ],
        "server": None,
        "metadata": {},
        **changes,
    }


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.pieces = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.pieces.append(data)

    @property
    def text(self):
        return "".join(self.pieces)


def cells(text):
    """The cells of all lines of Markdown tables."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# ---- Markdown -----------------------------------------------------------------------------------


def test_markdown_names_machine_and_versions():
    text = markdown.render(a_result())
    for said in (
        "A Processor",
        "1 of 2",
        "8.0 GiB",
        "Linux 6.18 x86\\_64",
        "glibc 2.36",
        "3.11.7",
        "skypilot: 0.14.1",
        "rustc 1.95.0",
        "abc123",
        "release",
        "0.25",
    ):
        assert said.replace("\\_", "_") in text.replace("\\_", "_")
    assert "openssl" not in text


def test_the_table_of_markdown():
    rows = cells(markdown.render(a_result()))
    assert rows[0] == list(table.COLUMNS)
    assert rows[2] == [
        *(
            "format_float",
            "1.0",
            "400 ns",
            "50 ns",
            "40 ns",
            "10 ns",
            "8.00x",
            "7.20x..8.80x".replace("x", ""),
            "4.00x",
        ),
        "",
    ]


def test_slower_cases_stand_in_the_same_table():
    rows = {row[0]: row for row in cells(markdown.render(a_result()))}
    assert rows["hash_file"][6] == "0.80x"
    assert rows["hash_file"][9] == "slower"
    assert rows["import sky"][3] == "0.80x"
    assert rows["dump_yaml_str"] != rows["hash_file"]


def test_what_has_no_route_is_shown():
    rows = cells(markdown.render(a_result()))
    (dump,) = [row for row in rows if row[:2] == ["dump_yaml_str", "the largest task"]]
    assert dump[2:8] == ["30 ms", "-", "-", "-", "no route", "-"]
    (absent,) = [row for row in rows if "safe" in row[0]]
    assert absent[9] == "absent: not here"


def test_the_reason_stands_beside_a_ratio_that_says_nothing():
    note = "declined: guard (PyYAML 9.9 is not known)"
    row = a_row("safe_load", "a task", 1e-3, 1e-3, answered=False, note=note)
    rendered = page.render(a_result(routes=[row]))
    chart, _, whole = rendered.partition("<h3>All of it</h3>")
    assert f"a task — {note}" in chart
    assert note in whole
    (shown,) = [c for c in cells(markdown.render(a_result(routes=[row]))) if c[0] == "safe_load"]
    assert (shown[6], shown[9]) == ("1.00x", note)


def test_peers_memory_and_the_rest():
    rows = cells(markdown.render(a_result()))
    assert [
        "base36_encode",
        "an md5",
        "Cython",
        "400 ns",
        "2 µs",
        "1.50x",
        "1.35..1.65",
        "8.00x",
    ] in rows
    assert ["read_last_n_lines", "all", "139.0 MiB", "38.0 MiB", ""] in rows
    assert ["tail", "-", "-", "-", "-", "not measured: only 3 MiB free"] in rows
    assert ["proxy", "25 ns"] in rows


def test_warnings_are_shown():
    warning = "the load average is 9.00"
    assert f"> **Doubtful:** {warning}" in markdown.render(a_result(warnings=[warning]))
    assert warning in Page(page.render(a_result(warnings=[warning]))).text


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_is_escaped(text):
    result = hostile(text)
    rendered = markdown.render(result)
    assert "<script" not in rendered
    assert "<img" not in rendered
    assert "<svg" not in rendered
    assert "\x1b" not in rendered
    assert "\n## i" not in rendered
    widths = {len(row) for row in cells(rendered)}
    assert widths <= {1, 2, 5, 6, 8, 10}


# ---- the page -----------------------------------------------------------------------------------


def hostile(text):
    """Text of somebody's in every place that can have some."""
    result = copy.deepcopy(a_result())

    def spoil(value):
        if isinstance(value, dict):
            return {key: spoil(each) for key, each in value.items()}
        if isinstance(value, list):
            return [spoil(each) for each in value]
        return text if isinstance(value, str) else value

    spoiled = spoil(result)
    for row in spoiled["routes"]:
        row["state"] = "measured" if row["ratio"] else "no route"
        row["peers"] = dict.fromkeys([text] if row["peers"] else [], A_PEER)
    spoiled["calls"] = {text: spread(1e-8)}
    spoiled["warnings"] = [text]
    spoiled["server"] = {text: [{text: text}]}
    return spoiled


@pytest.mark.parametrize("text", HOSTILE)
def test_the_page_is_escaped(text):
    parsed = Page(page.render(hostile(text)))
    kinds = {tag for tag, _ in parsed.tags}
    assert not kinds & {"script", "img", "iframe", "a:href", "link", "object"}
    for tag, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert "style" not in attributes
        if tag == "a":
            assert attributes["href"].startswith("#")


def test_the_page_needs_nothing_else():
    text = page.render(a_result())
    assert "http" not in text.replace("http-equiv", "")
    policy = next(a["content"] for t, a in Page(text).tags if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_the_page_shows_slower_cases_and_all_rows():
    parsed = Page(page.render(a_result()))
    assert "1 slower through the route: hash_file (a large file)" in parsed.text
    assert "Without a route here: dump_yaml_str" in parsed.text
    assert [a for t, a in parsed.tags if t == "rect" and a["class"] == "bad"]
    assert [a for t, a in parsed.tags if t == "td" and "bad" in (a.get("class") or "").split()]
    for row in table.sections(a_result())[0].rows:
        for cell in row:
            assert cell in parsed.text


def test_bars_lie_within_the_chart():
    result = a_result()
    result["routes"] += [a_row("tiny", "", 1e-9, 1e-3), a_row("huge", "", 10.0, 1e-9)]
    for tag, attributes in Page(page.render(result)).tags:
        for name in ("x", "x1", "x2", "cx", "width"):
            value = attributes.get(name, "")
            if tag in {"rect", "line", "circle"} and value.endswith("%"):
                assert 0 <= float(value[:-1]) <= 100


def test_a_result_of_nothing():
    result = a_result(routes=[], calls={}, memory=[], end_to_end=[])
    Page(page.render(result))
    assert "# What the routes gain" in markdown.render(result)


def test_the_server_s_results_are_merged():
    server = {"requests": [{"route": "/status", "p50": 0.25, "n": 100}], "about": {"clients": 4}}
    result = a_result(server=server)
    assert ["/status", "0.25", "100"] in cells(markdown.render(result))
    assert "/status" in Page(page.render(result)).text
    assert "clients" in Page(page.render(a_result(server={"about": {"clients": 4}}))).text


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [360, 1200])
def test_in_a_browser(tmp_path, width):
    path = tmp_path / "page.html"
    path.write_text(page.render(hostile(" ".join(HOSTILE))), encoding="utf-8")
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"),
            *("--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    # Nothing was refused by the policy, the page's own style least of all.
    assert "CONSOLE" not in done.stderr
    assert "data-pwned" not in done.stdout.replace(PWN, "").replace("'data-pwned'", "")
    assert "<h2" in done.stdout


# ---- the command --------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(a_result()))
    return path


def test_markdown_goes_to_stdout(source, capsys):
    assert __main__.main(["report", "--from", str(source)]) == 0
    assert capsys.readouterr().out == markdown.render(a_result())


def test_files_are_written(source, tmp_path, capsys):
    options = ["--html", str(tmp_path / "r.html"), "--markdown", str(tmp_path / "r.md")]
    assert __main__.main(["report", "--from", str(source), *options]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "r.html").read_text() == page.render(a_result())
    assert (tmp_path / "r.md").read_text() == markdown.render(a_result())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        ("{", "no JSON"),
        ("[]", "not written by `bench --json`"),
        ('{"kind": "other"}', "not written by `bench --json`"),
        (
            json.dumps({"kind": command.KIND, "schema": 99}),
            "its schema is 99, ",
        ),
    ],
)
def test_what_isn_t_a_result_is_refused(tmp_path, capsys, content, said):
    path = tmp_path / "given.json"
    if content is not None:
        path.write_text(content)
    assert __main__.main(["report", "--from", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert str(path) in error


def test_the_server_s_file_is_read(source, tmp_path, capsys):
    server = tmp_path / "server.json"
    server.write_text(json.dumps({"requests": [{"route": "/health", "p50": 1.5}]}))
    assert __main__.main(["report", "--from", str(source), "--server", str(server)]) == 0
    assert "/health" in capsys.readouterr().out


def test_where_nothing_can_be_written(source, capsys):
    assert __main__.main(["report", "--from", str(source), "--html", "/absent/x.html"]) == 2
    assert "--html /absent/x.html: No such file or directory" in capsys.readouterr().err
