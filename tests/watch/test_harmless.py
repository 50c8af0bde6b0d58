"""Texts from outside become nothing in chat and mail programs: no link, no mention, no heading."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt

from sidedoor.store.model import Occasion
from sidedoor.watch.channels.harmless import as_html, as_markdown, as_text, harmless, title_of
from sidedoor.watch.channels.message import Message, message_of
from tests.watch.channel_kit import AT, alert

SPITE = [
    "http://evil.example/a",
    "hTTps:\\\\evil.example",
    "www.evil.example",
    "evil.example",
    "evil。example",
    "bücher.evil",
    "x.evil.example.html.zip",
    "mailto:a@evil.example",
    "[update](http://evil.example)",
    "[update][1]",
    "[1]: http://evil.example",
    "![x](http://evil.example/p.png)",
    "<http://evil.example>",
    "<http://evil.example|your bank>",
    "<!channel> now",
    "<@U0123> now",
    "@everyone",
    "@here look",
    "＠everyone",
    "# Heading",
    "> quote",
    "- item",
    "---",
    "===",
    "<h1>x</h1>",
    "<script>alert(1)</script>",
    "</p><a href=x>y</a>",
    "a\nb\n# c",
    "`code",
    "\\\\evil\\share",
    "{{secret}} ${x}",
    "javascript:alert(1)",
    "&lt;b&gt; &#64;everyone",
    "a\u202eb\u200bc",
    "**bold** _it_ ~~s~~",
    "x | y\n--|--",
]
# What programs make links, mentions and templates of, whatever their dialect.
ACTIVE = re.compile(
    r"://|:\\\\|(?<!\[)@|[<>`]|\]\(|\]\[|\]:|\{\{|\$\{|\\\\|(?:mailto|javascript|file|tel|data|slack):\S"
    r"|\S[.。．｡](?!(?:toml|json|html|csv|db|parquet)\b)[^\W\d]",
    re.IGNORECASE,
)
LINKS = LinkifyIt(options={"fuzzy_ip": False})  # bare addresses of networks are no links in chat programs
SPITEFUL = st.lists(
    st.sampled_from(SPITE) | st.text(max_size=12) | st.sampled_from("<>@#.:/\\[](){}$`!|&;\n \u200d")
).map("".join)


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, len(attrs)))


def message(text: str) -> Message:
    """A message whose every part is `text`."""
    found = alert(title=text, text=text, advice=text, evidence=((text, text), ("HELO", text)))
    return message_of(found, Occasion.RAISED, text, "D1", repeat=True)


def markdown_tokens(text: str) -> set[str]:
    """Kinds of tokens of all depths, links in plain text too."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return {each.type for token in tokens for each in (token, *(token.children or ()))}


ALLOWED = {
    "paragraph_open", "paragraph_close", "inline", "text", "softbreak", "text_special", "bullet_list_open",
    "bullet_list_close", "list_item_open", "list_item_close",
}  # fmt: skip


@pytest.mark.parametrize("text", SPITE)
def test_nothing_in_it_is_active_anywhere(text: str) -> None:
    assert ACTIVE.search(harmless(text)) is None
    assert not re.match(r"[#>=|-]|[*+]\s", harmless(text))
    assert "\n" not in harmless(text)


@given(SPITEFUL)
def test_nothing_is_active_whatever_is_put_together(text: str) -> None:
    assert ACTIVE.search(harmless(text)) is None


@given(SPITEFUL)
def test_who_looks_for_links_finds_none(text: str) -> None:
    assert LINKS.match("see http://evil.example") is not None
    assert LINKS.match(harmless(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "MFP-HQ3 (203.0.113.10) sent 12 messages, TLS 1.2, code 5.7.68.",
        "Set-OrganizationConfig -RejectDirectSend $true",
        "See sidedoor.toml and report.json.",
        "IPv6 2001:db8::1, 09:30:15, half a day",
    ],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_what_is_broken_can_be_read() -> None:
    assert harmless("scan@contoso.example via https://evil.example") == (
        "scan[@]contoso[.]example via https[:]//evil[.]example"
    )


@given(SPITEFUL)
def test_a_markdown_body_has_paragraphs_and_one_list(text: str) -> None:
    assert markdown_tokens(as_markdown(message(text))) <= ALLOWED


@given(SPITEFUL)
def test_an_html_body_has_our_tags_and_no_attributes(text: str) -> None:
    tags = Tags(as_html(message(text)))
    assert {tag for tag, _ in tags.seen} <= {"p", "ul", "li"}
    assert all(not attributes for _, attributes in tags.seen)
    assert [tag for tag, _ in tags.seen].count("ul") == 1


@given(SPITEFUL)
def test_no_line_of_a_plain_body_begins_with_what_a_stranger_wrote(text: str) -> None:
    for line in as_text(message(text)).splitlines():
        assert not line or line.startswith(("What: ", "What to do: ", "- ", "2026-11-20 ", "This message"))
    assert "\n" not in title_of(message(text))
    assert title_of(message(text)).startswith("Sidedoor ")


def test_a_message_says_what_when_and_what_to_do() -> None:
    body = as_text(message_of(alert(), Occasion.RAISED, "contoso.example", "D1", repeat=False))
    for part in (
        "12 messages",
        "- address: 203.0.113.9",
        "What to do: Decide",
        "2026-11-20 09:30 UTC",
        "alert-1",
        "D1",
    ):
        assert part in body
    assert "before" not in body
    assert "before" in as_text(message_of(alert(), Occasion.RAISED, "contoso.example", "D1", repeat=True))


def test_when_it_is_over_there_is_nothing_to_do() -> None:
    found = message_of(alert(), Occasion.RECOVERED, "contoso.example", "D1", repeat=False)
    assert ", over: " in found.title
    assert "Decide" not in as_text(found)
    assert found.at == AT
