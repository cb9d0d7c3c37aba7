"""What both HTML pages are made of: the document with its policy, escaped text, tables."""

import pytest

from sky_rs_patch._testing import html_page

STYLE, SCRIPT = "p { color: red }", "let é = 1;"


# By `openssl dgst -sha256 -binary | openssl base64`.
DIGESTS = {
    STYLE: "ngewhhP73WDIbgwseeu52VAAJgKdGUsu1IUQQsAm8m4=",
    SCRIPT: "B138jrzUeoe/ARDQ9nWG0btsYwtIdY0K9bkYuEbQt1I=",
}


def made(**more):
    sections = [("a", "A", "<p>x</p>"), ("b", "B", "")]
    return html_page.document(title="t", style=STYLE, header="h", sections=sections, **more)


@pytest.mark.parametrize("text", [STYLE, SCRIPT])
def test_digests_are_those_of_another_program(text):
    assert html_page.digest(text) == f"sha256-{DIGESTS[text]}"


@pytest.mark.parametrize("script", [None, SCRIPT])
def test_the_policy_allows_what_is_there_and_no_more(script):
    policy = made(script=script).partition('-Policy" content="')[2].partition('"')[0]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    scripts = {
        "script-src": f"'sha256-{DIGESTS[SCRIPT]}'",
        "require-trusted-types-for": "'script'",
    }
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{DIGESTS[STYLE]}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        **(scripts if script else {}),
    }


def test_an_empty_section_is_left_out_with_its_link():
    text = made()
    assert '<a href="#a">A</a>' in text and '<h2 id="a">A</h2>' in text
    assert "#b" not in text and 'id="b"' not in text


@pytest.mark.parametrize(
    ("text", "escaped", "marked"),
    [
        ("plain", "plain", "plain"),
        ("<&\"'>", "&lt;&amp;&quot;&#x27;&gt;", "&lt;&amp;&quot;&#x27;&gt;"),
        ("\x1b", r"\x1b", r'<span class="esc">\x1b</span>'),
        (r"\x1b", r"\x1b", r"\x1b"),
        ("a\tb", r"a\tb", "a\tb"),
        ("\ud83d<", r"\ud83d&lt;", r'<span class="esc">\ud83d</span>&lt;'),
        (7, "7", None),
    ],
)
def test_text_is_visible_and_no_markup(text, escaped, marked):
    assert html_page.escaped(text) == escaped
    if marked is not None:
        assert html_page.marked(text) == marked


def test_cells_of_a_table_have_their_classes():
    rows = [["a", "1", "x"], ["b", "2", "y"]]
    text = html_page.table("L", ["h", "i", "j"], rows, {1}, {(1, 1), (1, 2)})
    assert text.startswith('<div class="scroll" role="region" tabindex="0" aria-label="L"><table>')
    assert '<th scope="col">h</th><th scope="col" class="num">i</th><th scope="col">j</th>' in text
    assert '<tr><th scope="row">a</th><td class="num">1</td><td>x</td></tr>' in text
    bad = '<td class="num bad">2</td><td class="bad">y</td>'
    assert f'<tr><th scope="row">b</th>{bad}</tr>' in text
