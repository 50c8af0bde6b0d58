"""The data: each entry recognises its own examples, and nobody else's."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import pytest

from sidedoor.catalogue.entry import Entry, Kind, OwnDomain
from sidedoor.catalogue.match import Strength
from sidedoor.catalogue.read import GENERAL_KNOWLEDGE, advice
from tests.catalogue.kit import CATALOGUE, ENTRIES, EXAMPLES, FIELDS, ROOT, one_trait

LISTS = [name for name, _ in FIELDS.values()]
ALL = list(CATALOGUE.entries.values())


def related(one: Entry, other: Entry) -> bool:
    """Whether two entries may share traits: one vendor's products, or declared."""
    return one.vendor == other.vendor or other.id in one.borrows_from or one.id in other.borrows_from


def test_every_file_is_one_entry_named_after_it() -> None:
    assert {path.stem for path in ENTRIES.glob("*.toml")} == set(CATALOGUE.entries)
    assert {path.suffix for path in ENTRIES.iterdir()} == {".toml"}
    assert len(ALL) >= 100


def test_every_entry_has_an_example_line_in_order() -> None:
    assert list(EXAMPLES) == sorted(CATALOGUE.entries)


@pytest.mark.parametrize("id_", CATALOGUE.entries)
def test_an_entry_recognises_its_examples_and_no_stranger_does(id_: str) -> None:
    entry, examples = CATALOGUE.entries[id_], EXAMPLES[id_]
    assert {FIELDS[key][0] for key in examples} == {name for name in LISTS if getattr(entry.recognise, name)}
    for key, value in examples.items():
        matches = CATALOGUE.match(one_trait(FIELDS[key][1], value))
        found = [match.entry for match in matches]
        if entry.kind is Kind.SPF_HOSTING:
            assert found == []
            assert CATALOGUE.by_spf_domain(value) is entry
        else:
            assert entry in found, (key, value)
            assert [other.id for other in found if not related(entry, other)] == [], (key, value)


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.id)
def test_an_entry_can_be_recognised_and_says_what_to_do(entry: Entry) -> None:
    assert any(getattr(entry.recognise, name) for name in LISTS)
    assert entry.advice.endswith(".")
    assert not entry.sends.how or entry.sends.how.endswith(".")


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.id)
def test_every_statement_has_one_dated_source(entry: Entry) -> None:
    assert entry.sources
    for source in entry.sources:
        assert date(2015, 1, 1) <= source.date <= date(2026, 11, 24), "a date in the future, or of a page long gone"
        assert source.verified is (source.title != GENERAL_KNOWLEDGE)
    for name in LISTS:
        if getattr(entry.recognise, name):
            assert entry.source_of(f"recognise.{name}") is not None
    named = [name for source in entry.sources for name in source.of]
    assert len(named) == len(set(named))


def test_no_two_vendors_claim_one_pattern() -> None:
    owners = defaultdict(list)
    for entry in ALL:
        for name in LISTS:
            for pattern in getattr(entry.recognise, name):
                owners[name, pattern.text].append(entry)
    shared = {key: entries for key, entries in owners.items() if len(entries) > 1}
    for key, entries in shared.items():
        assert all(related(one, other) for one in entries for other in entries if one is not other), key
        assert len({entry.id for entry in entries}) == len(entries), f"{key} twice in one entry"
    spf = [key for key in shared if key[0] == "spf_include"]
    assert spf == [("spf_include", "spf.protection.outlook.com")]


def test_borrowed_traits_lead_back_to_an_entry() -> None:
    for entry in ALL:
        assert entry.id not in entry.borrows_from
        assert set(entry.borrows_from) <= set(CATALOGUE.entries)


def test_shared_services_are_marked() -> None:
    """Whoever has its own SPF record sends for many customers: no connector by address."""
    for entry in ALL:
        if entry.recognise.spf_include and entry.kind is not Kind.SPF_HOSTING:
            assert entry.shared_addresses is True, entry.id


def test_every_kind_has_its_advice_and_is_used() -> None:
    assert set(advice()) == {kind.value for kind in Kind} | {"never"}
    assert {entry.kind for entry in ALL} == set(Kind)


def test_whose_bounces_go_to_the_vendor_is_told_so() -> None:
    assert CATALOGUE.entries["dropbox"].sends.own_domain is OwnDomain.NEVER
    assert CATALOGUE.entries["dropbox"].advice == advice()["never"]
    assert CATALOGUE.entries["brother"].advice == advice()["printer"]


def test_what_administrators_ask_about_first_is_there() -> None:
    expected = (ROOT / "tests" / "data" / "catalogue" / "expected.txt").read_text(encoding="utf-8").split()
    assert len(expected) > 100
    assert set(expected) - set(CATALOGUE.entries) == set()


def test_no_address_ranges() -> None:
    """Vendors' networks change; SPF tells them at the time of asking."""
    for path in ENTRIES.glob("*.toml"):
        assert "ip4:" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spf_domains", "notsendgrid.net"),
        ("spf_domains", "sendgrid.net.evil.example"),
        ("spf_domains", "sendgrid-net.example"),
        ("dkim_domains", "evilzendesk.com"),
        ("ptr_confirmed", "protection.outlook.com.attacker.example"),
        ("ptr_confirmed", "notamazonaws.com"),
        ("helo_names", "mail.brother.example"),
        ("helo_names", "brn12345"),
        ("helo_names", "brnzzzzzzzzzzzz"),
        ("helo_names", "canonical.example"),
        ("bounce_passed", "fakeonmicrosoft.com"),
        ("message_id_hosts", "xxt.local"),
        ("mailers", "My PHPMailer 6"),
        ("mailers", "Not Zendesk Mailer"),
        ("addresses", "someone@contoso.com"),
        ("addresses", "print@contoso.com"),
        ("helo_names", ""),
        ("mailers", "\x00"),
    ],
)
def test_look_alikes_are_not_recognised(field: str, value: str) -> None:
    assert CATALOGUE.match(one_trait(field, value)) == ()


@pytest.mark.parametrize(
    ("domain", "id_"),
    [
        ("spf.protection.outlook.com", "microsoft-365"),
        ("SPF.Protection.Outlook.COM.", "microsoft-365"),
        ("u1234567.wl001.sendgrid.net", "sendgrid"),
        ("eu._netblocks.mimecast.com", "mimecast"),
        ("%{ir}.%{v}.%{d}.spf.has.pphosted.com", "proofpoint-hosted-spf"),
        ("spf-0014ca01.pphosted.com", "proofpoint"),
        ("%{i}._spf.mta.salesforce.com", "salesforce"),
        ("_netblocks3.google.com", None),
        ("xspf.protection.outlook.com", None),
        ("contoso.com", None),
        ("", None),
        (".", None),
        ("a" * 5000, None),
        ("\ud800", None),
    ],
)
def test_who_an_spf_include_belongs_to(domain: str, id_: str | None) -> None:
    found = CATALOGUE.by_spf_domain(domain)
    assert (found.id if found else None) == id_


def test_strengths_follow_the_trait() -> None:
    proof = CATALOGUE.match(one_trait("dkim_domains", "em.sendgrid.net"))
    claim = CATALOGUE.match(one_trait("dkim_claims", "em.sendgrid.net"))
    assert [match.strength for match in proof] == [Strength.PROOF]
    assert [match.strength for match in claim] == [Strength.CLAIM]
