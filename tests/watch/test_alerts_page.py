"""docs/alerts.md and the table of kinds are one set, in one order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sidedoor.watch.find import find
from sidedoor.watch.find.settings import WIDE
from sidedoor.watch.kinds import AT_ONCE, KINDS, About, KindInfo
from sidedoor.watch.lifecycle import Rules
from sidedoor.watch.sight import Thresholds
from tests.watch import cases_rest, cases_senders, cases_settings

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
SECTION = re.compile(
    r"^### `(?P<id>[a-z-]+)`\n\nAbout (?P<about>[^.]+)\. Severity (?P<severity>[a-z, ]+)\. Rests on (?P<rests>[^.]+)\. "
    r"Accepting: (?P<accept>[^.]+)\.\n\n"
    r"- Means: (?P<means>.+?)\n- Evidence: (?P<evidence>.+?)\n- Do: .+?\n- Misleads: .+?\n"
    r"- Over when: (?P<over>.+?)\n(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
SECTIONS = {match["id"]: match for match in SECTION.finditer(PAGE)}
ABOUT = {
    About.TENANT: "the tenant", About.SENDER: "a sender", About.CLIENT: "a client", About.CONNECTOR: "a connector",
    About.RULE: "a transport rule", About.DOMAIN: "a domain",
}  # fmt: skip


def accepting(info: KindInfo) -> str:
    """As the page says it."""
    parts = ["the baseline takes it"] * info.takes + ["it is kept in mind as it is"] * (info.marks is not None)
    return ", and ".join(parts) or "not possible"


def test_every_kind_has_a_section_in_the_order_of_the_table() -> None:
    assert list(SECTIONS) == list(KINDS)
    assert len(re.findall(r"^### ", PAGE, re.MULTILINE)) == len(KINDS)


@pytest.mark.parametrize("info", KINDS.values(), ids=lambda info: info.kind.value)
def test_the_section_says_what_the_table_says(info: KindInfo) -> None:
    section = SECTIONS[info.kind]
    assert section["about"] == ABOUT[info.about]
    assert section["severity"] == ", ".join(severity.value for severity in info.severities)
    rests = ", ".join(part.value for part in info.rests_on) or "what it was found in"
    assert section["rests"] == rests
    assert section["accept"] == accepting(info)
    for each in info.severities[1:]:
        assert each.value in section["means"].lower(), "the page says when it is more or less than usual"


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text.replace("\n", " ").replace("  ", " ")))


GENERAL = PAGE.partition("## Evidence\n")[2].partition("\n## ")[0]
OF_A_SENDER = names(GENERAL.partition("*That of a sender*")[2].partition("*That of a connector*")[0])
OF_A_CONNECTOR = names(GENERAL.partition("*That of a connector*")[2].partition("*its changes*")[0])
CHANGES = names(GENERAL.partition("*its changes*")[2].partition("What is not known")[0])


def documented(kind: str) -> set[str]:
    """Names of evidence that a section promises."""
    text = SECTIONS[kind]["evidence"].replace("\n", " ")
    groups = (("that of a sender", OF_A_SENDER), ("that of a connector", OF_A_CONNECTOR), ("its changes", CHANGES))
    return names(text).union(*(group for words, group in groups if words in text))


@pytest.mark.parametrize("case", [*cases_senders.CASES, *cases_settings.CASES, *cases_rest.CASES], ids=str)
def test_all_evidence_is_documented(case: Any) -> None:
    for finding in find(case.sees, case.baseline, Thresholds()):
        assert {name for name, _ in finding.evidence} <= documented(finding.kind)


def test_marks_are_evidence() -> None:
    for info in KINDS.values():
        assert set(info.marks or ()) <= documented(info.kind)


def test_the_figures_of_the_page_are_the_code() -> None:
    rules = Rules()
    assert f"More than {rules.at_once} alerts of one kind in one run (`at_once`)" in PAGE
    assert Thresholds().at_once == rules.at_once
    assert rules.flaps == 2
    assert "for the third time within 24 hours" in PAGE
    assert (rules.flap_span.total_seconds(), rules.flap_hold.total_seconds()) == (24 * 3600, 3600)
    assert f"begins with `{AT_ONCE}`" in PAGE
    assert f"more than {WIDE} addresses" in PAGE
    named = {name for section in SECTIONS.values() for name in names(section["means"])}
    thresholds = set(Thresholds.__dataclass_fields__)
    assert thresholds - {"at_once"} <= named


def test_texts_of_the_table_are_sentences() -> None:
    for info in KINDS.values():
        assert info.means.endswith(".")
        assert info.do.endswith(".")
        assert not info.title.endswith(".")
