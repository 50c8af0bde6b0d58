"""Text from outside, made harmless for places that turn text into links, mentions and headings.

Chat programs and mail programs do that even to plain text: `evil.example` becomes a link, `@everyone` wakes the whole
company, `[update](...)` hides where it leads. Escaping differs from program to program and changes under our feet, so
what would be active anywhere is broken visibly first, as security people write it (`evil[.]example`,
`someone[@]evil[.]example`); only then the text is escaped for its dialect. Addresses of networks stay as they are.

For JSON lines and syslog none of this is done: those carry values, escaped by their own rules.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import NamedTuple

from sidedoor.report.text import clean
from sidedoor.watch.channels.message import Message

# IDNA and the programs that look for links take these for dots and at-signs too (RFC 5895 section 2).
_DOTS = "．。｡"
_SIGNS = str.maketrans(
    {
        "<": "‹", ">": "›",  # HTML; Slack's <!channel>, <@user>, <https://...|text>
        "`": "'",  # a code span hides what follows from all escapes
        "＠": "[@]", "﹫": "[@]", "@": "[@]",  # mentions, and addresses that become links
    }
)  # fmt: skip
# A dot before a letter, as names of hosts have it; files of ours are no names of hosts.
_DOT = re.compile(rf"(?<=\S)[.{_DOTS}](?=[^\W\d]|[\u200c\u200d])(?!(?:toml|json|html|csv|db|parquet)\b)")
_SCHEME = re.compile(r":(?=[/\\]{2})")
_BARE_SCHEME = re.compile(
    r"(mailto|tel|sms|sips?|im|skype|callto|msteams|slack|javascript|vbscript|data|file|xmpp|ms-[a-z-]{1,30}):(?=\S)",
    re.IGNORECASE,
)
_LABEL_END = re.compile(r"\](?=[(\[:])")  # [text](target), [text][reference], [reference]: target
_DOUBLED = re.compile(r"([\\{$])(?=[\\{])")  # \\server\share; {{template}} and ${expression} of cards
_LEADING = re.compile(r"^[#>=+*|~-]+(?=\s|$)|^#+")  # headings, quotes, lists, rules, where a text begins a line
_MARKDOWN = re.compile(r"([\\*_~|\[\]]|&(?=#?\w+;))")


def harmless(text: str) -> str:
    """`text` on one line, with nothing in it that becomes a link, a mention, a heading or a template anywhere."""
    shown = clean(text).strip()
    shown = _SCHEME.sub("[:]", shown)
    shown = _BARE_SCHEME.sub(r"\1[:]", shown)
    shown = _DOT.sub("[.]", shown)
    shown = shown.translate(_SIGNS)
    shown = _LABEL_END.sub("] ", shown)
    shown = _DOUBLED.sub(r"\1 ", shown)
    return _LEADING.sub(lambda found: f"“{found[0]}”", shown)


def as_text(message: Message) -> str:
    """The body as plain text."""
    return _body(message, lambda text: text, _PLAIN)


def as_markdown(message: Message) -> str:
    """The body as Markdown, of which only paragraphs and one list are used."""
    return _body(message, lambda text: _MARKDOWN.sub(r"\\\1", text), _PLAIN)


def as_html(message: Message) -> str:
    """The body as HTML, of which only paragraphs and one list are used."""
    return _body(message, html.escape, _Marks("<p>{}</p>", "<li>{}: {}</li>", "<ul>\n{}\n</ul>"))


def title_of(message: Message) -> str:
    """The title, for places that show it as text or as Markdown."""
    return harmless(message.title)


class _Marks(NamedTuple):
    """What stands around a paragraph, an item (name and value), and all items."""

    paragraph: str = "{}"
    item: str = "- {}: {}"
    items: str = "{}"


_PLAIN = _Marks()


def _body(message: Message, escape: Callable[[str], str], marks: _Marks) -> str:
    """Our own words and marks around harmless, escaped texts."""

    def shown(text: str) -> str:
        return escape(harmless(text))

    # Behind a label no text of a stranger begins a line.
    texts = [("What: ", message.text), ("What to do: ", message.advice), *(("", note) for note in message.notes)]
    parts = [marks.paragraph.format(f"{label}{shown(text)}") for label, text in texts if text]
    if message.evidence:
        items = "\n".join(marks.item.format(shown(name), shown(value)) for name, value in message.evidence)
        parts.insert(1 if message.text else 0, marks.items.format(items))
    return "\n\n".join(parts)
