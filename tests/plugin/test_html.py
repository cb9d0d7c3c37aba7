"""The HTML page: what it shows, and that nothing that it shows can do anything."""

import copy
import json
import os
import re
import shutil
import subprocess
import time
import unicodedata
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from pytest_skyrs._report import page as _page
from sky_rs_patch._testing import html_page

PWN = "document.documentElement.setAttribute('data-pwned','1')"
HOSTILE = [
    f"</script><script>{PWN}</script>",
    f'<img src=x onerror="{PWN}">',
    f"' onmouseover='{PWN}' x='",
    f'" autofocus onfocus="{PWN}" x="',
    f"</title></style></textarea><svg onload={PWN}>",
    "<!--<script>",
    "]]>-->&lt;b&gt;&amp;",
    f"javascript:{PWN}",
    f"${{{PWN}}}`\\u003cb\\u003e",
    "a\u2028b\u2029c\x00d\ud83de\udc80f\x1b[31mred\x1b[0m\x07\x08\x7f\x85\x9b",
    "\u202eesrever\u2066\ufeff\u200b\r\n\r\tend",
]
ALL = " ".join(HOSTILE)
VOID = {"meta", "br", "input", "img", "link", "col"}


class Node:
    def __init__(self, tag, attributes=()):
        self.tag, self.attributes, self.children, self.pieces = tag, dict(attributes), [], []

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, tag=None, **attributes):
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [
            node
            for node in self.walk()
            if tag in {None, node.tag}
            and all(
                value in (node.attributes.get(key) or "").split() for key, value in wanted.items()
            )
        ]

    def one(self, tag=None, **attributes):
        (node,) = self.all(tag, **attributes)
        return node

    @property
    def text(self):
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.pieces)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.root = Node("")
        self.stack = [self.root]
        self.others = []
        self.feed(text)
        self.close()
        assert self.stack == [self.root], [node.tag for node in self.stack]

    def handle_starttag(self, tag, attributes):
        node = Node(tag, attributes)
        self.stack[-1].children.append(node)
        self.stack[-1].pieces.append(node)
        if tag not in VOID:
            self.stack.append(node)

    def handle_endtag(self, tag):
        assert self.stack[-1].tag == tag
        self.stack.pop()

    def handle_data(self, data):
        self.stack[-1].pieces.append(data)

    def handle_comment(self, data):
        self.others.append(data)

    def handle_decl(self, decl):
        self.others.append(decl)

    def unknown_decl(self, data):
        self.others.append(data)

    handle_pi = handle_comment


def parsed(summary):
    return Page(_page.render(summary)).root


def data_of(page):
    return json.loads(page.one("script", id="data").text)


FORMAT = "sky.utils.common_utils.format_float"
ENCODE = "sky.utils.common_utils.base36_encode"


def divergence(**changes):
    return {
        "id": "d1",
        "test": "tests/test_a.py::test_x[é<b>]",
        "verdict": "diverged",
        "observable": "call",
        "function": FORMAT,
        "arguments": "(0.5, precision=2)",
        "python": "'0.50'",
        "rust": "'0.5'",
        "detail": "call 3 of 17",
        "known": None,
        "repro": "python -m pytest_skyrs replay d1",
        "runs": {"python": ["aa", "aa"], "rust": ["bb", "bb"]},
        **changes,
    }


def a_test(number, **changes):
    return {
        "id": f"tests/test_a.py::test_{number}",
        "verdict": "same",
        "outcome": {"python": "passed", "rust": "passed"},
        "seconds": {"python": 0.1, "rust": 0.09},
        "calls": {"rust": 5, "python": 0},
        "functions": [ENCODE],
        "noise": [],
        "note": None,
        **changes,
    }


def a_summary(**changes):
    return {
        "schema": 1,
        "created": "2026-11-21T15:00:00+00:00",
        "command": ["pytest", "--skyrs-both", "-k", "x y"],
        "rootdir": "/p",
        "versions": {
            "sky_rs_patch": "0.1.0",
            "skypilot": None,
            "python": "3.11.7",
            "extension": {"profile": "release"},
        },
        "complete": True,
        "interrupted": None,
        "closing": "skyrs: 4 compared, 2 same, 1 diverged, 1 vacuous",
        "arms": [
            {
                "name": f"{backend}-1",
                "backend": backend,
                "round": 1,
                "seconds": 94.1,
                "exit": 1,
                "tests": 4,
                "problem": None,
                "leftovers": ["SkyPilot:executor:long (pid 123)"],
            }
            for backend in ("python", "rust")
        ],
        "counts": {"same": 2, "diverged": 1, "vacuous": 1, "crashed": 0},
        "routes": {
            ENCODE: {
                "state": "active",
                "reason": None,
                "rust": 1200,
                "python": 3,
                "declines": {"type": 3},
                "tests": 4,
                "coverage": {
                    "lines": 8,
                    "covered": [10, 11],
                    "missing": [14],
                    "branches": 4,
                    "covered_branches": 3,
                    "bypassed": ["tests/test_a.py::test_q"],
                },
            },
            FORMAT: {"state": "off", "reason": "unknown fingerprint", "coverage": None},
        },
        "never_reached": ["sky.utils.common_utils.hash_file"],
        "normalisation": {"pid": 12, "time": 40},
        "divergences": [divergence()],
        "tests": [
            a_test(1),
            a_test(2, noise=["stdout"]),
            a_test(3, verdict="vacuous", functions=[], note="mocked"),
            a_test(
                4,
                id="tests/test_a.py::test_x[é<b>]",
                verdict="diverged",
                outcome={"python": "passed", "rust": "failed"},
                functions=[FORMAT],
            ),
        ],
        "resources": [
            {"test": "t", "what": "open files", "python": 0, "rust": 1},
            {"test": "u", "what": "memory", "python": 0, "rust": 3 << 19},
        ],
        **changes,
    }


def hostile(value, text=ALL):
    """Returns the value with hostile texts for all texts, and for the keys that tests choose."""
    if isinstance(value, str):
        return text
    if isinstance(value, list):
        return [hostile(item, text) for item in value]
    if isinstance(value, dict):
        free = any(key in value for key in ("same", "type", "pid", ENCODE, "sky_rs_patch"))
        return {
            (f"{text}{number}" if free else key): hostile(item, text)
            for number, (key, item) in enumerate(value.items())
        }
    return value


TAGS = frozenset(
    re.findall(
        r"\S+",
        """
        html head meta title style body header h1 h2 p strong dl div dt dd code table colgroup col
        thead tbody tr th td br nav ul li a main section noscript form button b label select option
        input details summary span del ins script
        """,
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"\S+",
        """
        lang charset http-equiv content name href rel aria-label role id type aria-pressed
        data-empty class autocomplete spellcheck placeholder aria-labelledby tabindex scope colspan
        hidden aria-expanded open title value
        """,
    )
)


def assert_harmless(text):
    text.encode("utf-8")
    assert {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} <= {
        "\n",
        "\t",
    }
    page = Page(text)
    assert page.others == ["DOCTYPE html"]
    nodes = list(page.root.walk())[1:]
    assert {node.tag for node in nodes} <= TAGS
    assert {name for node in nodes for name in node.attributes} <= ATTRIBUTES
    assert len(page.root.all("script")) == 2
    assert len(page.root.all("style")) == 1
    for node in nodes:
        for name, value in node.attributes.items():
            if name == "href":
                assert re.match(r"#|https?://", value)
            elif value is not None:
                assert "pwned" not in value
    return page.root


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_hostile_text_stays_text(text):
    page = assert_harmless(_page.render(hostile(a_summary(), text)))
    shown = html_page.visible(text)
    assert shown in page.one("p", class_="closing").text
    assert shown in page.one("title").text or "nothing" in page.one("title").text
    assert shown in page.one("code", class_="copy").text


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_hostile_texts_in_a_diff(text):
    for python, rust in ((text, "harmless"), ("", text), (f"{text}\n{text}", f"{text}\nx{text}")):
        item = divergence(python=python, rust=rust)
        assert_harmless(_page.render(a_summary(divergences=[item])))


def test_json_block_is_the_data():
    summary = a_summary()
    page = parsed(summary)
    data = data_of(page)
    functions = [[data["names"][k] for k in test["functions"]] for test in data["tests"]]
    assert functions == [test["functions"] for test in summary["tests"]]
    tests = [{**test, "functions": None} for test in data["tests"]]
    assert tests == [{**test, "functions": None} for test in summary["tests"]]
    (card,) = data["cards"]
    assert card["test"] == "tests/test_a.py::test_x[é<b>]"
    assert data["names"][card["function"]] == FORMAT
    assert ["diverged", "bad"] in data["verdicts"]


def test_json_block_of_hostile_data():
    text = _page.render(hostile(a_summary()))
    block = text[text.index('id="data">') + 10 :]
    block = block[: block.index("</script>")]
    assert not set("<>&\u2028\u2029") & set(block)
    assert block.isascii()
    data = json.loads(block)
    assert data["tests"][0]["id"] == html_page.visible(ALL)
    assert "\\udc80" in data["tests"][0]["id"]


def test_numbers_that_json_lacks():
    test = a_test(1, seconds={"python": float("nan"), "rust": float("inf")})
    block = parsed(a_summary(tests=[test])).one("script", id="data").text

    def refuse(name):
        raise AssertionError(name)

    data = json.loads(block, parse_constant=refuse)
    assert data["tests"][0]["seconds"] == {"python": None, "rust": None}


def test_policy_names_what_is_inline():
    page = parsed(a_summary())
    (policy,) = (
        node.attributes["content"]
        for node in page.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    script = page.all("script")[-1].text
    assert f"script-src '{html_page.digest(script)}'" in policy
    assert f"style-src '{html_page.digest(page.one('style').text)}'" in policy
    assert "</" not in script
    # Nothing is fetched.
    assert not re.search(r"@import|url\(|fetch\(|https?:", page.one("style").text + script)


def rows_of(python, rust):
    page = parsed(a_summary(divergences=[divergence(python=python, rust=rust)]))
    rows = page.one("div", class_="diff").all("tr")[1:]
    return [[cell.text for cell in row.all("td")] for row in rows], page


def test_diff_pairs_lines_and_marks_characters():
    rows, page = rows_of("one\ntwo 0.50 end\nthree\n", "one\ntwo 0.5 end\nthree\n")
    assert rows == [
        ["1", "one", "1", "one"],
        ["2 −", "two 0.50 end", "2 +", "two 0.5 end"],
        ["3", "three", "3", "three"],
    ]
    assert [node.text for node in page.all("del")] == ["0"]
    assert page.all("ins") == []


def test_diff_of_lines_that_one_side_lacks():
    rows, _ = rows_of("a\nb\nc\n", "a\nc\n\n")
    assert rows == [
        ["1", "a", "1", "a"],
        ["2 −", "b", "", ""],
        ["3", "c", "2", "c"],
        ["", "", "3 +", "\\n"],
    ]


def test_diff_pairs_what_is_alike():
    rows, _ = rows_of("started\nvalue is 10\n", "brand new line here\nstarted\nvalue is 11\n")
    assert rows[-1] == ["2 −", "value is 10", "3 +", "value is 11"]
    rows, _ = rows_of("x = 1\nvalue is 10", "zzz\nx = 2\nvalue is 11")
    assert rows[0] == ["", "", "1 +", "zzz"]
    assert rows[1] == ["1 −", "x = 1", "2 +", "x = 2"]


@pytest.mark.parametrize(
    ("python", "rust", "old", "new"),
    [
        ("a\n", "a", "\\n", None),
        ("a\r\n", "a\n", "\\r", None),
        ("a\x0bb", "a\x0cb", "\\x0b", "\\x0c"),
        ("a\u2028b", "a b", "\\u2028", " "),
        ("\x1b[1mx", "\\x1b[1mx", "\\x1b", "\\x1b"),
        ("a b", "a\xa0b", " ", "\\xa0"),
    ],
)
def test_diff_shows_what_cannot_be_seen(python, rust, old, new):
    _, page = rows_of(python, rust)
    (row,) = page.one("div", class_="diff").all("tr")[1:]
    assert [node.text for node in row.all("del")] == [old]
    assert [node.text for node in row.all("ins")] == ([] if new is None else [new])
    # An escape can be told from the same characters as they were printed.
    for node in [*row.all("del"), *row.all("ins")]:
        raw = python if node.tag == "del" else rust
        assert bool(node.all("span", class_="esc")) == (
            node.text.startswith("\\") and "\\" not in raw
        )


def test_diff_folds_equal_lines():
    common = "".join(f"line {k}\n" for k in range(50))
    rows, page = rows_of(f"{common}old\n{common}", f"{common}new\n{common}")
    button = page.all("button", class_="unfold")
    assert [node.text for node in button] == ["47 equal lines", "47 equal lines"]
    assert len(rows) == 101 + 2
    common *= 10
    rows, page = rows_of(f"{common}old\n{common}", f"{common}new\n{common}")
    assert page.all("button", class_="unfold") == []
    assert rows[0] == ["497 equal lines"]
    assert len(rows) == 3 + 1 + 3 + 2


def test_diff_without_a_text():
    _, page = rows_of(None, "x\n")
    assert "Nothing was recorded on Python." in page.one("details", class_="card").text
    page = parsed(a_summary(divergences=[divergence(python=None, rust=None)]))
    assert page.all("div", class_="diff") == []
    page = parsed(a_summary(divergences=[divergence(python="x", rust="x")]))
    assert "The texts are equal." in page.one("details", class_="card").text


@pytest.mark.parametrize(
    ("python", "rust"),
    [
        ("a" * 300_000, "b" + "a" * 299_998 + "b"),
        ("x y\n" * 30_000, "y x\n" * 30_000),
        ("\n" * 50_000, "\n \n" * 25_000),
        ("aab" * 100_000 + "c", "ba" * 99),
        ("\x00" * 200_000, "\x01" * 200_000),
        ("".join(f"{k} {k * 7 % 13}\n" for k in range(20_000)), "y\n" * 20_000),
        ("".join(f"{k % 3}\n" for k in range(20_000)), "".join(f"{k % 4}\n" for k in range(9999))),
    ],
    ids=range(7),
)
def test_large_texts_are_bounded(python, rust):
    start = time.monotonic()
    text = _page.render(a_summary(divergences=[divergence(python=python, rust=rust)]))
    assert time.monotonic() - start < 10
    assert len(text) < 600_000
    assert "<del>" in text or "<ins>" in text


def test_many_large_texts_are_bounded():
    python = "".join(f"{k}{'x' * 1500}\n" for k in range(1000))
    items = [divergence(python=python, rust=python.replace("x", "y"))] * 20
    text = _page.render(a_summary(divergences=items))
    assert len(text) < 17_000_000
    assert "The page is full" in text
    assert len(Page(text).root.all("details", class_="card")) == 20


def test_diff_of_coarse_work_is_still_right():
    # Too much work to align: lines then stand side by side as they come, equal ones as equal.
    lines = [f"{k % 2}\n" for k in range(2000)]
    changed = [*lines]
    changed[0], changed[-1] = "first\n", "last\n"
    rows, _ = rows_of("".join(lines), "".join(changed))
    assert rows[0] == ["1 −", "0", "1 +", "first"]
    assert rows[1] == ["2", "1", "2", "1"]


def test_cards():
    known = {"reason": "rounding <i>", "issue": "https://example.org/1?a=1&b=2"}
    runs = {"python": ["a", "b"], "rust": ["c", "b"]}
    page = parsed(a_summary(divergences=[divergence(known=known, runs=runs)]))
    card = page.one("details", class_="card")
    for part in (FORMAT, "(0.5, precision=2)", "call 3 of 17", "rounding <i>", "test_x[é<b>]"):
        assert part in card.text
    assert "python A B; rust C B" in card.text
    assert card.one("a").attributes["href"] == known["issue"]
    assert card.one("code", class_="copy").text == "python -m pytest_skyrs replay d1"
    assert "open" in card.attributes
    known["issue"] = "javascript:alert(1)"
    assert parsed(a_summary(divergences=[divergence(known=known)])).all("a", rel="noopener") == []


def of_a_cause(**changes):
    """A summary with two tests that differ alike, and one that differs otherwise."""
    example = divergence(id="d2", test="tests/test_a.py::test_2", arguments="(0.75)")
    tests = [a_test(number, divergences=["d1"]) for number in (1, 2)]
    tests += [a_test(3, divergences=["d3"]), a_test(4)]
    first = divergence(test="tests/test_a.py::test_1", tests=2, examples=[example], **changes)
    other = divergence(id="d3", test="tests/test_a.py::test_3", rust="'0.1'", tests=1)
    return a_summary(tests=tests, divergences=[first, other])


def test_a_cause_of_several_tests():
    cards = parsed(of_a_cause(environment=["SKYPILOT_<CONFIG>"])).all("details", class_="card")
    assert len(cards) == 2
    summary = cards[0].one("summary").text
    assert summary.endswith("tests/test_a.py::test_1 and 1 more")
    (link,) = [link for link in cards[0].all("a") if link.text == "2 tests"]
    assert link.attributes["href"] == "#cause=d1"
    for part in ("all that differ so", "SKYPILOT_<CONFIG>", "test_2", "(0.75)"):
        assert part in cards[0].text
    assert "more" not in cards[1].one("summary").text
    mixed = parsed(of_a_cause(mixed=True)).all("details", class_="card")[0].text
    assert "with others of this kind" in mixed


def test_many_cards():
    items = [divergence(id=f"d{k}") for k in range(_page._MAX_CARDS + 5)]
    page = parsed(a_summary(divergences=items))
    assert len(page.all("details", class_="card")) == _page._MAX_CARDS
    assert len(data_of(page)["cards"]) == _page._MAX_CARDS
    assert any("5 more are only in the JSON report" in p.text for p in page.all("p"))


def table(page, label):
    (region,) = (n for n in page.all("div") if n.attributes.get("aria-label") == label)
    return [[c.text for c in row.children] for row in region.all("tr")[1:]]


def test_tables():
    page = parsed(a_summary())
    routes = table(page, "Routes")
    assert routes[0][:6] == [ENCODE, "active", "1,200", "3", "type 3", "4"]
    assert "2 of 8 lines" in routes[0][6]
    assert "3 of 4 branches" in routes[0][6]
    assert "missing: 14" in routes[0][6]
    assert "tests/test_a.py::test_q" in routes[0][6]
    assert routes[1][1] == "off: unknown fingerprint"
    assert table(page, "Arms")[1][:6] == ["rust-1", "rust", "1", "4", "94.10", "1"]
    assert table(page, "Resources") == [
        ["t", "open files", "0", "1"],
        ["u", "memory", "0.0 MiB", "1.5 MiB"],
    ]
    assert table(page, "Normalisation") == [["pid", "12"], ["time", "40"]]
    header = page.one("header").text
    for part in ("pytest --skyrs-both -k 'x y'", "sky-rs-patch0.1.0", "profile release", "absent"):
        assert part in header
    assert page.one("title").text == "skyrs: 1 diverged"
    names = [button.text for button in page.one("div", class_="chips").all("button")]
    assert names[0] == "1 diverged"
    assert {"2 same", "1 vacuous", "0 crashed"} <= set(names)


def test_incomplete_run_says_so():
    page = parsed(a_summary(complete=False, interrupted="Ctrl-C <b>"))
    assert "Incomplete: Ctrl-C <b>" in page.one("header").text
    assert "Incomplete" in parsed(a_summary(complete=False)).one("header").text
    assert "Incomplete" not in parsed(a_summary()).one("header").text


def test_stale_known_differences_are_shown():
    page = parsed(a_summary(stale=["entry 1 <b>", "entry 2"]))
    assert "Stale known difference: entry 1 <b>" in page.one("header").text
    assert len(page.one("header").all("p", class_="alert")) == 2


BARE = {"schema": 1, "counts": {}, "tests": [], "divergences": [], "routes": {}}


def test_bare_summary():
    page = assert_harmless(_page.render(BARE))
    assert page.one("title").text == "skyrs: nothing diverged"
    assert_harmless(_page.render({}))


@pytest.mark.parametrize("gone", ["absent", None, "text", 7, [None], {"x": None}])
@pytest.mark.parametrize("key", a_summary())
def test_anything_may_be_missing(key, gone):
    summary = a_summary()
    if gone == "absent":
        del summary[key]
    else:
        summary[key] = gone
    assert_harmless(_page.render(summary))


def test_items_may_lack_everything():
    summary = a_summary(arms=[{}], routes={"f": {}}, divergences=[{}], tests=[{}], resources=[{}])
    assert_harmless(_page.render(summary))


def test_tuples_are_lists():
    def with_tuples(value):
        if isinstance(value, list):
            return tuple(map(with_tuples, value))
        if isinstance(value, dict):
            return {key: with_tuples(item) for key, item in value.items()}
        return value

    for summary in (a_summary(), hostile(a_summary())):
        assert _page.render(with_tuples(summary)) == _page.render(summary)


def test_counts_of_tests_when_there_are_none():
    summary = a_summary()
    del summary["counts"]
    chips = parsed(summary).one("div", class_="chips").all("button")
    assert {"2 same", "1 vacuous", "1 diverged"} <= {chip.text for chip in chips}


def test_summary_is_not_changed():
    summary = a_summary()
    before = copy.deepcopy(summary)
    _page.render(summary)
    assert summary == before


def many(count=20_000):
    names = [f"sky.utils.common_utils.function_{k}" for k in range(12)]
    return a_summary(
        tests=[
            a_test(
                k, functions=[names[k % 12], names[k % 7]], verdict="same" if k % 3 else "vacuous"
            )
            for k in range(count)
        ]
    )


def test_many_tests():
    summary = many()
    start = time.monotonic()
    text = _page.render(summary)
    assert time.monotonic() - start < 10
    assert len(text) < 6_000_000
    assert len(data_of(Page(text).root)["tests"]) == 20_000


# ---- in a browser -------------------------------------------------------------------------------

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


def dump(path, address, *options):
    """Returns the document that is at a path after its scripts ran."""
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--user-data-dir={path.parent / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
            *options,
            "--dump-dom",
            f"{path.as_uri()}{address}",
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(path.parent)},
    )
    assert done.returncode == 0, done.stderr
    # The page's script didn't fail, and nothing was refused.
    assert "CONSOLE" not in done.stderr
    return Page(done.stdout).root


@pytest.fixture
def browse(tmp_path):
    def open_page(summary, address=""):
        path = tmp_path / "report.html"
        path.write_text(_page.render(summary), encoding="utf-8")
        return dump(path, address)

    return open_page


def ids_in(page):
    return [row.one("th").text for row in page.one("table", id="list").one("tbody").children]


@needs_browser
def test_browser_filters_by_the_address(browse):
    other = divergence(id="d2", test="tests/test_a.py::test_1", verdict="flaky-control")
    summary = a_summary(divergences=[divergence(), other])
    page = browse(summary, "#verdict=diverged")
    assert ids_in(page) == ["tests/test_a.py::test_x[é<b>]"]
    assert page.one("p", id="shown").text == "1 of 4 tests and 1 of 2 divergences match"
    pressed = page.all("button", **{"aria-pressed": "true"})
    assert [chip.text for chip in pressed] == ["1 diverged"]
    assert ["hidden" in card.attributes for card in page.all("details", class_="card")] == [
        False,
        True,
    ]


@needs_browser
@pytest.mark.parametrize(
    ("address", "numbers"),
    [
        (f"#function={ENCODE}", [1, 2]),
        ("#text=TEST_3", [3]),
        (f"#verdict=same,vacuous&text={quote('test_a test_2')}", [2]),
        ("#verdict=nonsense&function=nonsense&page=99&sort=nonsense&open=nonsense", None),
        ("#sort=-test&verdict=same", [2, 1]),
        ("#%00%ff&&&=%", None),
    ],
)
def test_browser_addresses(browse, address, numbers):
    shown = ids_in(browse(a_summary(), address))
    if numbers is None:
        assert len(shown) == 4
    else:
        assert shown == [f"tests/test_a.py::test_{number}" for number in numbers]


@needs_browser
def test_browser_opens_the_divergence_of_the_address(browse):
    items = [divergence(id=f"d{k}") for k in range(60)]
    page = browse(a_summary(divergences=items), "#open=d55")
    cards = page.all("details", class_="card")
    assert [k for k, card in enumerate(cards) if "open" in card.attributes] == [55]
    assert [k for k, card in enumerate(cards) if "hidden" not in card.attributes] == [
        *range(50),
        55,
    ]


@needs_browser
def test_browser_shows_the_tests_of_a_cause(browse):
    page = browse(of_a_cause(), "#cause=d1")
    assert ids_in(page) == [f"tests/test_a.py::test_{number}" for number in (1, 2)]
    assert page.one("p", id="shown").text == "2 of 4 tests and 1 of 2 divergences match"
    rows = page.one("table", id="list").one("tbody").children
    assert [[link.text for link in row.all("a")] for row in rows] == [["d1"], ["d1"]]
    # Each of its tests finds the card.
    page = browse(of_a_cause(), "#text=test_2")
    cards = page.all("details", class_="card")
    assert ["hidden" in card.attributes for card in cards] == [False, True]


@needs_browser
def test_browser_and_hostile_data(browse):
    summary = hostile(a_summary(), "\n".join(HOSTILE))
    summary["divergences"][0]["rust"] += "x"
    address = f"#open={quote(html_page.visible(summary['divergences'][0]['id']))}"
    page = browse(summary, address)
    assert "data-pwned" not in page.one("html").attributes
    assert page.all("img") == page.all("svg") == []
    assert len(page.all("script")) == 2
    assert ids_in(page) == [html_page.visible(summary["tests"][0]["id"])] * 4
    allowed = ATTRIBUTES | {"aria-sort", "disabled"}
    assert {name for node in page.walk() for name in node.attributes} <= allowed
    options = page.one("select", id="function").all("option")
    assert options[-1].text.startswith(html_page.visible("\n".join(HOSTILE)))


@needs_browser
def test_browser_shows_a_page_of_many_tests(browse):
    page = browse(many(), "#page=3&verdict=same")
    shown = ids_in(page)
    assert len(shown) == 100
    assert page.one("span", id="page").text == "201 to 300 of 13333"


@needs_browser
def test_browser_page_is_never_wider_than_its_window(tmp_path):
    long = "long" * 500
    summary = hostile(a_summary(), f"{ALL} {long}\n{long}")
    summary["divergences"][0]["rust"] = long
    (tmp_path / "report.html").write_text(_page.render(summary), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        """<!DOCTYPE html><script>
        for (const width of [320, 400, 1400]) {
          const frame = document.createElement("iframe");
          frame.style.cssText = `border: 0; width: ${width}px; height: 900px`;
          frame.src = "report.html#text=long";
          frame.onload = () => {
            const root = frame.contentDocument.documentElement;
            const item = document.createElement("p");
            item.textContent = `${width} ${root.clientWidth} ${root.scrollWidth}`;
            document.body.append(item);
          };
          document.documentElement.append(frame);
        }
        </script>""",
        encoding="utf-8",
    )
    page = dump(frame, "", "--allow-file-access-from-files")
    widths = sorted([int(number) for number in p.text.split()] for p in page.all("p"))
    assert [width for width, _, _ in widths] == [320, 400, 1400]
    for _, inner, content in widths:
        assert content == inner


@needs_browser
def test_browser_keeps_the_address_in_step(tmp_path):
    summary = many(250)
    summary["tests"][7] = a_test(7, id="tests/test_a.py::test_x[é<b>]", verdict="diverged")
    common = "same\n" * 20
    summary["divergences"] = [divergence(id=f"d{k}") for k in range(1, 60)]
    summary["divergences"][0].update(python=f"{common}a", rust=f"{common}b")
    (tmp_path / "report.html").write_text(_page.render(summary), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        """<!DOCTYPE html><iframe src="report.html"></iframe><script>
        onload = async () => {
          const page = document.querySelector("iframe").contentDocument;
          const find = (selector) => page.querySelector(selector);
          const say = (text) => {
            const item = document.createElement("p");
            item.textContent = text;
            document.body.append(item);
          };
          const rows = () => page.querySelectorAll("#list tbody tr").length;
          const note = () => say(`${page.location.hash} ${rows()}`);
          const chip = (name) =>
            [...page.querySelectorAll(".chips button")].find((b) => b.textContent.endsWith(name));
          note();
          find("#next").click();
          find("#next").click();
          note();
          chip("vacuous").click();
          chip("diverged").click();
          note();
          chip("vacuous").click();
          note();
          find("#clear").click();
          find("#text").value = "test_24 é";
          find("#text").dispatchEvent(new Event("input"));
          note();
          find("#text").value = "TEST_24";
          find("#text").dispatchEvent(new Event("input"));
          find("#list thead button").click();
          find("#list thead button").click();
          note();
          say(page.activeElement.textContent);
          find("#clear").click();
          find("#function").selectedIndex = 1;
          find("#function").dispatchEvent(new Event("change"));
          note();
          find("#clear").click();
          say(find(".unfold").closest("tbody").nextElementSibling.hidden);
          find(".unfold").click();
          say(find(".unfold").closest("tbody").nextElementSibling.hidden);
          find(".card summary").click();
          await new Promise((resolve) => setTimeout(resolve, 100));
          note();
          find("nav li:nth-child(3) a").click();
          note();
          page.location.hash = "#text=test_249";
          await new Promise((resolve) => setTimeout(resolve, 100));
          note();
          page.location.hash = "#open=d59";
          await new Promise((resolve) => setTimeout(resolve, 100));
          find("#next").click();
          const cards = page.querySelectorAll(".card");
          say(`${cards[57].hidden} ${cards[58].hidden}`);
          find("#more").click();
          say(`${cards[57].hidden} ${find("#more").hidden}`);
        };
        </script>""",
        encoding="utf-8",
    )
    page = dump(frame, "", "--allow-file-access-from-files")
    assert [item.text for item in page.all("p")] == [
        " 100",
        "#page=3 50",
        "#verdict=vacuous%2Cdiverged 85",
        "#verdict=diverged 1",
        "#text=test_24+%C3%A9 0",
        "#text=TEST_24&sort=-test 11",
        "test ↓",
        f"#function={ENCODE} 1",
        "true",
        "false",
        "#open=d1 100",
        "#open=d1 100",
        "#text=test_249 1",
        "true false",
        "false true",
    ]
