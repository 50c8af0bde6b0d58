"""report.html is one page that nothing from outside can change, and that a person can use."""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings

from sidedoor.audit.model import Audit, Readiness
from sidedoor.report import html_report
from sidedoor.report.text import clean
from tests.report.audits import audits
from tests.report.example import (
    empty_audit,
    hostile_audit,
    large_audit,
    map_text,
    ready_audit,
    rich_audit,
    sender,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
VOID = {"meta", "link", "br", "img", "hr", "input"}
SECTIONS = ["answer", "timeline", "senders", "refused", "not-stopped", "unknown", "files", "settings", "words"]

Tag = tuple[str, tuple[tuple[str, str | None], ...]]


class Reading(HTMLParser):
    """Everything a browser would make of a page: tags with all attributes and their values, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.open: list[str] = []
        self.other: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.tags.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)

    def values(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.tags for key, value in attributes if key == name]


def read(audit: Audit) -> Reading:
    return Reading(html_report.render(audit))


@lru_cache
def benign() -> list[Tag]:
    return read(rich_audit()).tags


def assert_only_template_made(audit: Audit) -> None:
    reading = read(audit)
    assert reading.tags == benign()  # every element, attribute and attribute value is the template's own
    assert reading.other == []
    assert reading.open == []


def test_attacks_make_no_element() -> None:
    assert_only_template_made(hostile_audit())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(audits())
def test_no_text_makes_an_element_or_attribute(audit: Audit) -> None:
    assert_only_template_made(audit)


@pytest.mark.parametrize("audit", [rich_audit(), ready_audit(), empty_audit(), hostile_audit(), large_audit(400)])
def test_is_one_safe_page(audit: Audit) -> None:
    reading = read(audit)
    names = {tag for tag, _ in reading.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "input"}
    assert POLICY in reading.values("content")
    assert not [name for _, attributes in reading.tags for name, _ in attributes if name.startswith("on")]
    assert not reading.values("src") + reading.values("style")
    assert all(target.startswith("#") for target in reading.values("href"))
    assert "url(http" not in html_report.render(audit)
    assert "@import" not in html_report.render(audit)


@pytest.mark.parametrize("audit", [rich_audit(), empty_audit(), hostile_audit(), large_audit(400)])
def test_anchors_lead_somewhere_and_are_unique(audit: Audit) -> None:
    reading = read(audit)
    ids = reading.values("id")
    assert len(ids) == len(set(ids))
    assert {target.removeprefix("#") for target in reading.values("href")} <= set(ids)
    labelled = {name for value in reading.values("aria-labelledby") for name in value.split()}
    assert labelled <= set(ids)


@pytest.mark.parametrize("audit", [rich_audit(), empty_audit(), large_audit(400)])
def test_headings_go_down_one_level_at_a_time(audit: Audit) -> None:
    levels = [int(tag[1]) for tag, _ in read(audit).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_answer_comes_first_and_the_rest_in_order() -> None:
    reading = read(rich_audit())
    order = [name for name in reading.values("id") if name in SECTIONS]
    assert order == SECTIONS
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in reading.tags}
    assert dict(reading.tags)["html"] == (("lang", "en"),)


def test_the_answer_is_one_sentence() -> None:
    text = " ".join("".join(read(rich_audit()).text).split())
    assert (
        "If you set RejectDirectSend to true today, 1,955 messages from 4 senders would have been refused in this "
        "window: 1,574 legitimate, 318 spoofing, 63 unclear; 42 cannot be told." in text
    )


def test_invisible_characters_are_replaced() -> None:
    page = html_report.render(hostile_audit())
    assert clean(page.replace("\n", "")) == page.replace("\n", "")


def test_very_long_text_is_cut() -> None:
    assert len(html_report.render(hostile_audit())) < 2 * len(html_report.render(rich_audit()))


def test_five_thousand_senders_stay_usable() -> None:
    page = html_report.render(large_audit())
    assert len(page.encode()) < 15_000_000
    assert page.count("<article") == 300
    assert "There are 5,000 senders. 300 have a card each" in page
    for number in range(1, 5_001):
        assert f'id="sender-{number}"' in page


def test_a_small_sender_in_the_way_gets_a_card_before_large_ones() -> None:
    many = tuple(sender(number, messages=1_000) for number in range(400))
    small = sender(999, name="the small one", messages=1)
    audit = dataclasses.replace(
        rich_audit(), senders=(*many, small), readiness=Readiness("not-ready", (small.id, many[0].id))
    )
    first_card = html_report.render(audit).split("<article")[1]
    assert "the small one" in html_report.render(audit)
    assert 'id="sender-1"' in first_card  # cards keep the audit's order; both blockers have one
    assert any('id="sender-401"' in card for card in html_report.render(audit).split("<article")[1:])


def test_the_same_audit_gives_the_same_page() -> None:
    assert html_report.render(rich_audit()) == html_report.render(rich_audit())


@pytest.mark.parametrize(
    ("state", "switch", "headline"),
    [
        ("ready", False, "Ready: closing Direct Send would refuse no honest mail of this window."),
        ("ready", True, "Direct Send is closed, and no honest mail of this window would be refused."),
        ("not-ready", None, "Not ready: closing Direct Send now would refuse honest mail."),
        ("not-ready", True, "Direct Send is closed, and honest mail would be refused."),
        ("undetermined", False, "Undetermined: this evidence cannot tell whether Direct Send can be closed."),
    ],
)
def test_headline(state: str, switch: bool | None, headline: str) -> None:
    tenant = dataclasses.replace(rich_audit().tenant, reject_direct_send=switch)
    audit = dataclasses.replace(rich_audit(), tenant=tenant, readiness=Readiness(state, ()))
    assert headline in "".join(read(audit).text)


def test_an_empty_audit_says_why_nothing_can_be_said() -> None:
    text = " ".join("".join(read(empty_audit()).text).split())
    assert "The exports hold no messages" in text
    assert "accepted domains are not known" in text
    assert "No Direct Send was seen" not in text
    assert "Every fact the rule asked for was known" not in text
    assert text.count("Nothing can be said: no message was read.") == 3


@pytest.mark.parametrize(("domains", "seen"), [(None, False), (("contoso.com",), True)])
def test_silence_is_no_proof_without_the_accepted_domains(domains: tuple[str, ...] | None, seen: bool) -> None:
    tenant = dataclasses.replace(rich_audit().tenant, accepted_domains=domains)
    text = html_report.render(dataclasses.replace(rich_audit(), tenant=tenant, senders=(), timeline=()))
    assert ("No Direct Send was seen" in text) is seen
    assert ("No sender used Direct Send" in text) is seen
    assert ("without the accepted domains" in text) is not seen


def test_mail_sent_directly_is_not_none_where_the_mx_is_unknown() -> None:
    assert "There may be more" in html_report.render(rich_audit())
    known = dataclasses.replace(rich_audit().coverage, missing=())
    assert "There may be more" not in html_report.render(dataclasses.replace(rich_audit(), coverage=known))


def test_template_words_in_text_are_not_run() -> None:
    one = sender(1, name="{{ 7 * 7 }}")
    audit = map_text(rich_audit(), lambda text: text)
    assert "{{ 7 * 7 }}" in html_report.render(dataclasses.replace(audit, senders=(one,)))
