"""Makes YAML texts: proper ones in every style, with and without keys that are there twice, and
broken ones. Driven by a `random.Random`, so that Hypothesis can drive it as well.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

WORDS = (
    *("a", "b", "c", "name", "run", "envs", "resources", "x-y", "a_b", "A", "true", "True", "1"),
    *("1.0", "null", "~", "<<", "=", "", " ", "a b", "a: b", "a:b", "it's", 'say "hi"', "a#b"),
    *("a #b", "#", "- a", "-a", "-", "---", "...", "? a", "?a", "[a", "a]", "{a}", "a,b", "&a"),
    *("*a", "!a", "%a", "@a", "`a", "|", ">", "é", "語", "\U0001f600", "\t", "a\tb", "\n", "a\nb"),
    *("\\", "\\n", "'", '"', "''", "x" * 40, "y " * 30, "http://h:80/p?q=1#f", "0x1f", "s3://b"),
    *("\x85", "\u2028", "\xa0", "\ufeff", "\x07", "\udc80", "a: 1\nb: 2", "{{ x }}", "${X:-1}"),
)
PLAIN = ("a", "b", "c", "d", "name", "run", "k1", "k2", "x-y", "a_b", "1", "yes", "é", "a b", "a:b")


class Style(NamedTuple):
    """How a text is written.

    Attributes:
        odd: how often something unusual is chosen, of 1.
        step: columns of an indentation.
        newline: what ends the lines.
    """

    odd: float
    step: int
    newline: str


def text(rng: random.Random) -> str:
    """A text of some kind."""
    kind = rng.random()
    if kind < 0.08:
        return soup(rng)
    proper = stream(rng)
    if kind < 0.55:
        return proper
    if kind < 0.7:
        return doubled(rng, proper)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        proper = mutated(rng, proper)
    return proper


def soup(rng: random.Random) -> str:
    """Words and indicators at random."""
    parts = ("\n", "\n", " ", "  ", ": ", ":", "- ", "? ", "[", "]", "{", "}", ", ", "#", " #", "'")
    parts += (
        '"',
        "&a ",
        "*a",
        "*a ",
        "!!str ",
        "|\n",
        ">-\n",
        "---\n",
        "...\n",
        "\t",
        "\r\n",
        "\r",
    )
    count = rng.randint(1, 30)
    return "".join(rng.choice(rng.choice((parts, parts, PLAIN, WORDS))) for _ in range(count))


def stream(rng: random.Random) -> str:
    """One or more documents."""
    odd = rng.choice((0.0, 0.0, 0.02, 0.05, 0.2))
    style = Style(odd, rng.choice((1, 2, 2, 2, 3, 4)), "\n")
    if rng.random() < odd:
        style = style._replace(newline=rng.choice(("\r\n", "\r", "\x85", "\u2028")))
    documents = [document(rng, style) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))]
    whole = documents[0] if rng.random() < 0.8 else f"---{rng.choice(chr(10) + ' ')}{documents[0]}"
    for further in documents[1:]:
        end = rng.choice(("", "", "", "...\n", "... # end\n"))
        whole += f"{end}---{rng.choice((chr(10), chr(10), ' # c' + chr(10), ' '))}{further}"
    if rng.random() < 0.1:
        whole = whole.rstrip("\n")
    if rng.random() < odd:
        whole = rng.choice(("%YAML 1.1\n", "\ufeff", "# top\n", "\n\n", "%TAG ! x\n")) + whole
    return whole.replace("\n", style.newline)


def document(rng: random.Random, style: Style) -> str:
    kind = rng.random()
    if kind < 0.8:
        return block_mapping(rng, style, 0, 0)
    if kind < 0.9:
        return block_sequence(rng, style, 0, 0)
    return inline(rng, style, 1) + "\n"


def filler(rng: random.Random, style: Style, indent: int) -> str:
    """Comments and empty lines between entries."""
    if rng.random() < 0.85:
        return ""
    choices = ("\n", f"{' ' * indent}# comment: b\n", "# a: 1\n", "   \n", "\n\n")
    if rng.random() < style.odd:
        choices = ("\t\n", " \t# c\n", f"{' ' * indent}#\n", "...\n", "---\n")
    return rng.choice(choices)


def block_mapping(rng: random.Random, style: Style, indent: int, depth: int) -> str:
    lines = []
    for key in keys(rng, style):
        head = rng.choice((":", ":", ":", ":", ": ", " :")) if rng.random() < 0.3 else ":"
        if rng.random() < style.odd / 3:
            # A complex key.
            inner = inline(rng, style, depth + 1)
            lines.append(f"{' ' * indent}? {inner}\n{' ' * indent}")
            head = ":"
        else:
            properties = properties_of(rng, style)
            lines.append(f"{' ' * indent}{properties}{scalar(rng, style, key, key=True)}")
        lines.append(head + value(rng, style, indent, depth))
        lines.append(filler(rng, style, indent))
    return "".join(lines)


def keys(rng: random.Random, style: Style) -> list[str]:
    count = rng.choice((1, 1, 2, 2, 3, 4, 5, 8)) if rng.random() < 0.97 else rng.randint(9, 60)
    words = WORDS if rng.random() < style.odd else PLAIN
    if count > len(words) // 2:
        chosen = [f"k{i}" for i in range(count)]
    else:
        chosen = rng.sample(words, count)
    if count > 1 and rng.random() < 0.12:
        first, second = rng.sample(range(count), 2)
        chosen[second] = chosen[first]
    return chosen


def block_sequence(rng: random.Random, style: Style, indent: int, depth: int) -> str:
    lines = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        lines.append(f"{' ' * indent}-")
        if rng.random() < 0.4 and depth < 4:
            # A mapping or sequence on the dash's own line.
            space = rng.choice((1, 1, 1, 2, 3))
            make = block_mapping if rng.random() < 0.8 else block_sequence
            inner = make(rng, style, indent + 1 + space, depth + 1)
            lines.append(" " * space + inner[indent + 1 + space :])
        else:
            lines.append(value(rng, style, indent, depth))
        lines.append(filler(rng, style, indent))
    return "".join(lines)


def properties_of(rng: random.Random, style: Style) -> str:
    if rng.random() >= style.odd / 2:
        return ""
    return rng.choice(("&a ", "&b1 ", "&c ", "&d-e ", "!t ", "!!str ", "! ", "&a !t ", "&f &g "))


def value(rng: random.Random, style: Style, indent: int, depth: int) -> str:
    """What stands after a colon or a dash, with its line's end."""
    properties = properties_of(rng, style)
    comment = rng.choice(("", "", "", "", " # c", "  # a: b", " #"))
    kind = rng.random()
    if kind < 0.42 or depth > 4:
        if rng.random() < style.odd / 2:
            return f" {rng.choice(('*a', '*b1', '*c', '*d-e'))}{comment}\n"
        word = rng.choice(WORDS if rng.random() < style.odd else PLAIN)
        return f" {properties}{scalar(rng, style, word, indent=indent + 1)}{comment}\n"
    if kind < 0.5:
        return f" {properties}".rstrip(" ") + f"{comment}\n"
    if kind < 0.62:
        return f" {properties}{flow(rng, style, depth + 1)}{comment}\n"
    if kind < 0.72:
        return f" {properties}{block_scalar(rng, style, indent)}"
    properties = f" {properties}".rstrip(" ")
    if kind < 0.86:
        inner = block_mapping(rng, style, indent + style.step, depth + 1)
    else:
        # A sequence in a mapping may stand in the mapping's own column.
        inner = block_sequence(rng, style, indent + rng.choice((0, style.step)), depth + 1)
    return f"{properties}{comment}\n{filler(rng, style, indent)}{inner}"


def inline(rng: random.Random, style: Style, depth: int) -> str:
    if rng.random() < 0.5:
        return flow(rng, style, depth)
    return scalar(rng, style, rng.choice(PLAIN))


def flow(rng: random.Random, style: Style, depth: int) -> str:
    space = rng.choice(("", "", "", " ", "\n  ", " # c\n  ")) if rng.random() < 0.3 else ""
    end = rng.choice(("", "", "", "", ","))
    comma = rng.choice((", ", ", ", ", ", ",", " ,", ",\n    "))
    items = []
    if rng.random() < 0.5:
        for key in keys(rng, style)[:5]:
            kind = rng.random()
            written = scalar(rng, style, key, key=True, in_flow=True)
            if kind < 0.75:
                colon = rng.choice((": ", ": ", ": ", ":", " : ", ":\n "))
                items.append(f"{written}{colon}{flow_value(rng, style, depth)}")
            elif kind < 0.85:
                items.append(written)
            elif kind < 0.9:
                items.append(f"? {written} : {flow_value(rng, style, depth)}")
            else:
                items.append(f"{written}:")
        inner = comma.join(items)
        return f"{{{space}{inner}{end}{space}}}"
    for _ in range(rng.choice((0, 1, 2, 3))):
        item = flow_value(rng, style, depth)
        if rng.random() < 0.15:
            item = f"{item}: {flow_value(rng, style, depth)}"
        items.append(item)
    return f"[{space}{comma.join(items)}{end if items else ''}{space}]"


def flow_value(rng: random.Random, style: Style, depth: int) -> str:
    if rng.random() < 0.3 and depth < 4:
        return flow(rng, style, depth + 1)
    if rng.random() < style.odd / 2:
        return rng.choice(("*a", "*b1", "&a x", "&b1 [y]", "!t z", ""))
    word = rng.choice(WORDS if rng.random() < style.odd else PLAIN)
    return scalar(rng, style, word, in_flow=True)


def scalar(
    rng: random.Random,
    style: Style,
    word: str,
    *,
    key: bool = False,
    in_flow: bool = False,
    indent: int = 1,
) -> str:
    """A word in one of the styles that can hold it, mostly."""
    kind = rng.random()
    plain = word in PLAIN or (word not in ("", " ") and rng.random() < style.odd)
    if plain and kind < 0.75:
        if " " in word and not key and rng.random() < 0.3:
            return word.replace(" ", f"\n{' ' * max(indent, 1)}", 1)
        return word
    if kind < 0.88 and word.isprintable():
        return "'" + word.replace("'", "''") + "'"
    return '"' + "".join(escaped(rng, style, c, in_flow) for c in word) + '"'


def escaped(rng: random.Random, style: Style, character: str, in_flow: bool) -> str:
    if character == " " and not in_flow and rng.random() < style.odd:
        return "\\\n  \\ "
    named = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\x07": "\\a"}
    if character in named:
        return named[character]
    if not character.isprintable() or rng.random() < 0.1:
        code = ord(character)
        forms = [f"\\U{code:08x}"]
        if code < 0x10000:
            forms.append(f"\\u{code:04X}")
        if code < 0x100:
            forms.append(f"\\x{code:02x}")
        return rng.choice(forms)
    return character


def block_scalar(rng: random.Random, style: Style, indent: int) -> str:
    explicit = rng.random() < 0.15
    step = rng.randint(1, 4)
    header = rng.choice("|||>") + rng.choice(("", "", "-", "+"))
    if explicit:
        header += str(step)
    if rng.random() < 0.1:
        header = header[0] + header[:0:-1]
    header += rng.choice(("", "", "", " ", "  # comment"))
    lines = []
    for _ in range(rng.randint(0, 5)):
        kind = rng.random()
        if kind < 0.2:
            lines.append(" " * rng.choice((0, 0, indent, indent + step)))
            continue
        extra = rng.choice((0, 0, 0, 2, 4)) if lines and any(map(str.strip, lines)) else 0
        content = rng.choice(
            (
                "a: 1",
                "a: 1",
                "run: |",
                "- x",
                "# no comment",
                "echo 'a: b'",
                "\tx",
                "...",
                "---",
                "}",
            )
        )
        lines.append(" " * (indent + step + extra) + content)
    if rng.random() < style.odd:
        lines.append(" " * rng.randint(0, indent + step) + "under: 1")
    return header + "\n" + "".join(f"{line}\n" for line in lines)


# Texts made of others

NOISE = (
    *"\n\n\n   ::::--?[]{},#&*!|>'\"%@`\\\t\r0aA<=~.é語\U0001f600\x85\u2028\ufeff\x00\x07\udc80",
    *(": ", "- ", "? ", " #", "\n\n", "\r\n", "---\n", "...\n", "&a ", "*a", "!!x ", "|\n", ">-\n"),
    *("a: 1\n", "- a\n", "{a: b}", "[a, b]", '"', "''", "<<: ", "%YAML 1.1\n", "\\U00110000"),
    *("  ", "    ", "[" * 70, "- " * 70, "x" * 1030),
)


def mutated(rng: random.Random, source: str) -> str:
    """A text with something inserted, removed, replaced or moved."""
    kind = rng.randrange(9)
    lines = source.splitlines(keepends=True)
    place = rng.randint(0, len(source))
    if kind == 0 or not lines:
        return source[:place] + rng.choice(NOISE) + source[place:]
    if kind == 1:
        return source[:place] + source[place + rng.choice((1, 1, 1, 2, 5)) :]
    if kind == 2:
        return source[:place] + rng.choice(NOISE) + source[place + 1 :]
    if kind == 3:
        return source[:place]
    line, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == 4:
        lines[line], lines[other] = lines[other], lines[line]
    elif kind == 5:
        lines.insert(other, lines[line])
    elif kind == 6:
        del lines[line]
    elif kind == 7:
        shift = rng.choice((-4, -2, -1, 1, 1, 2, 4))
        was = lines[line]
        space = len(was) - len(was.lstrip(" "))
        lines[line] = " " * max(space + shift, 0) + was.lstrip(" ")
    else:
        # All lines from one on.
        lines[line:] = [f" {each}" for each in lines[line:]]
    return "".join(lines)


def doubled(rng: random.Random, source: str) -> str:
    """A text in which one key stands in the place of another of its mapping, if it has such."""
    pairs = list(siblings(source))
    if not pairs:
        return source
    one, other = rng.choice(pairs)
    return replaced(source, one, other)


def siblings(source: str) -> Sequence[tuple[Any, Any]]:
    """Pairs of scalar keys of the same mapping, those next to each other, as PyYAML sees them."""
    found: list[tuple[Any, Any]] = []
    try:
        pending = list(yaml.compose_all(io.StringIO(source)))
    except (yaml.YAMLError, ValueError, RecursionError):
        return found
    seen = set()
    while pending:
        node = pending.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, yaml.MappingNode):
            scalars = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            found += zip(scalars, scalars[1:])
            pending += [inner for _, inner in node.value]
    return found


def replaced(source: str, one: Any, other: Any) -> str:
    """The text with the second key written as the first."""
    written = source[one.start_mark.index : one.end_mark.index]
    return source[: other.start_mark.index] + written + source[other.end_mark.index :]
