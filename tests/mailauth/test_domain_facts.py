"""MX, reverse names, DMARC, owners, and everything together."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.mail.domain import parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.dmarc import Disposition, DmarcError, DmarcRecord, dmarc_policy, parse_dmarc
from sidedoor.mailauth.facts import gather
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.mx import mail_exchanger_of
from sidedoor.mailauth.resolver import Failure, Offline
from sidedoor.mailauth.reverse import reverse_names, reverse_names_of
from sidedoor.mailauth.spf import SpfResult, compile_spf, owner_of
from sidedoor.tenant.snapshot import MailExchanger

DOWN = Failure("no answer within 2 s", temporary=True)
HERE, THERE, MIXED, NONE = (
    MailExchanger.EXCHANGE_ONLINE,
    MailExchanger.ELSEWHERE,
    MailExchanger.MIXED,
    MailExchanger.NONE,
)
EXCHANGERS: dict[str, tuple[dict[str, list[str]], MailExchanger]] = {
    "today": ({"MX": ["0 contoso-com.mail.protection.outlook.com"]}, HERE),
    "capitals": ({"MX": ["0 CONTOSO-com.Mail.Protection.Outlook.com"]}, HERE),
    "dnssec": ({"MX": ["0 contoso-com.o-v1.mx.microsoft"]}, HERE),
    "hybrid name": ({"MX": ["0 contoso-mail-onmicrosoft-com.mail.protection.outlook.com"]}, HERE),
    "old": ({"MX": ["10 contoso-com.mail.eo.outlook.com"]}, HERE),
    "germany": ({"MX": ["10 contoso-de.mail.protection.outlook.de"]}, HERE),
    "government": ({"MX": ["0 contoso-com.mail.protection.office365.us"]}, HERE),
    "china": ({"MX": ["0 contoso-cn.mail.protection.partner.outlook.cn"]}, HERE),
    "filter": ({"MX": ["10 mx1.filter.example", "20 mx2.filter.example"]}, THERE),
    "look-alike": ({"MX": ["10 notmail.protection.outlook.com.evil.example"]}, THERE),
    "almost": ({"MX": ["10 fakemx.microsoft"]}, THERE),
    "both": ({"MX": ["0 contoso-com.mail.protection.outlook.com", "10 mx.filter.example"]}, MIXED),
    "null mx": ({"MX": ["0 ."]}, NONE),
    "implicit": ({"A": ["192.0.2.1"]}, THERE),
    "implicit over IPv6": ({"AAAA": ["2001:db8::1"]}, THERE),
    "nothing": ({"TXT": ["x"]}, NONE),
}


@pytest.mark.parametrize("what", EXCHANGERS)
def test_mail_exchanger(what: str) -> None:
    records, expected = EXCHANGERS[what]
    assert mail_exchanger_of(parse_domain("contoso.com"), MemoryResolver({"contoso.com": records})) is expected


def test_a_domain_that_does_not_exist_has_no_exchanger() -> None:
    assert mail_exchanger_of(parse_domain("contoso.com"), MemoryResolver({})) is NONE


@pytest.mark.parametrize("kind", ["MX", "A", "AAAA"])
def test_an_exchanger_that_dns_did_not_tell_is_unknown(kind: str) -> None:
    resolver = MemoryResolver({"contoso.com": {"TXT": ["x"]}}, {("contoso.com", kind): DOWN})
    assert mail_exchanger_of(parse_domain("contoso.com"), resolver) == Unknown(DOWN.reason)


PTR = "1.2.0.192.in-addr.arpa"
REVERSE: list[tuple[dict[str, dict[str, list[str]]], dict[str | tuple[str, str], Failure], object]] = [
    ({PTR: {"PTR": ["a.example"]}, "a.example": {"A": ["192.0.2.1"]}}, {}, ("a.example",)),
    ({PTR: {"PTR": ["a.example"]}, "a.example": {"A": ["192.0.2.9"]}}, {}, ()),
    ({PTR: {"PTR": ["a.example"]}}, {}, ()),
    ({}, {}, ()),
    ({}, {PTR: DOWN}, Unknown(DOWN.reason)),
    ({PTR: {"PTR": ["a.example"]}}, {"a.example": DOWN}, Unknown(DOWN.reason)),
    (
        {PTR: {"PTR": ["a.example", "b.example"]}, "b.example": {"A": ["192.0.2.1"]}},
        {"a.example": DOWN},
        ("b.example",),
    ),
]


@pytest.mark.parametrize(("records", "failures", "expected"), REVERSE)
def test_reverse_names_are_believed_where_they_lead_back(
    records: dict[str, dict[str, list[str]]], failures: dict[str | tuple[str, str], Failure], expected: object
) -> None:
    resolver = MemoryResolver(records, failures)
    assert reverse_names("192.0.2.1", resolver) == expected
    assert reverse_names_of(["192.0.2.1"], resolver) == {"192.0.2.1": expected}


def test_a_name_server_of_the_address_cannot_cause_many_questions() -> None:
    resolver = MemoryResolver({PTR: {"PTR": [f"n{number}.example" for number in range(1000)]}})
    assert reverse_names("192.0.2.1", resolver) == ()
    assert len(resolver.asked) <= 11


DMARC = {
    "v=DMARC1; p=reject": DmarcRecord(Disposition.REJECT),
    "v=DMARC1;p=Quarantine;sp=none;pct=25;rua=mailto:a@b.example": DmarcRecord(
        Disposition.QUARANTINE, Disposition.NONE, 25
    ),
    "v = DMARC1 ; p = none ; unknown=x;": DmarcRecord(Disposition.NONE),
    "v=DMARC1; rua=mailto:a@b.example": DmarcRecord(Disposition.NONE),
    "v=DMARC1; p=reject; sp=nonsense; pct=7000": DmarcRecord(Disposition.REJECT),
}


@pytest.mark.parametrize("text", DMARC)
def test_dmarc_records(text: str) -> None:
    assert parse_dmarc(text) == DMARC[text]
    assert parse_dmarc(str(DMARC[text])) == DMARC[text]


@pytest.mark.parametrize("text", ["", "v=spf1 -all", "v=DMARC1", "v=dmarc1; p=none", "v=DMARC1; p=maybe", "p=none"])
def test_what_is_no_dmarc_record(text: str) -> None:
    with pytest.raises(DmarcError):
        parse_dmarc(text)


@given(st.text(max_size=60))
def test_any_text_is_a_dmarc_record_or_not(text: str) -> None:
    for candidate in (text, "v=DMARC1;" + text):
        with suppress(DmarcError):
            record = parse_dmarc(candidate)
            assert parse_dmarc(str(record)) == record


def test_a_subdomain_follows_its_organisation() -> None:
    resolver = MemoryResolver({"_dmarc.contoso.co.uk": {"TXT": ["v=DMARC1; p=reject; sp=none"]}})
    own = dmarc_policy(parse_domain("contoso.co.uk"), resolver)
    below = dmarc_policy(parse_domain("mail.contoso.co.uk"), resolver)
    assert own is not None
    assert not isinstance(own, Unknown)
    assert own.applies is Disposition.REJECT
    assert below is not None
    assert not isinstance(below, Unknown)
    assert (below.applies, below.published_at.ascii) == (Disposition.NONE, "contoso.co.uk")


def test_dmarc_absent_several_and_unknown() -> None:
    domain = parse_domain("contoso.com")
    assert dmarc_policy(domain, MemoryResolver({})) is None
    two = MemoryResolver({"_dmarc.contoso.com": {"TXT": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}})
    assert dmarc_policy(domain, two) is None
    assert dmarc_policy(domain, MemoryResolver({}, {"_dmarc.contoso.com": DOWN})) == Unknown(DOWN.reason)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("_spf.salesforce.com", "salesforce.com"),
        ("spf.protection.outlook.com", "outlook.com"),
        ("a.b.Contoso.co.uk.", "contoso.co.uk"),
        ("x.example.com.au", "example.com.au"),
        ("mailer.example", "mailer.example"),
        ("co.uk", "co.uk"),
        ("com", "com"),
        ("a.b.uk.com", "b.uk.com"),
        ("spf.post.de", "post.de"),
    ],
)
def test_owner(name: str, owner: str) -> None:
    assert owner_of(name) == owner


def test_an_include_within_the_organisation_has_no_owner() -> None:
    world = {
        "contoso.com": {"TXT": ["v=spf1 include:_spf.contoso.com -all"]},
        "_spf.contoso.com": {"TXT": ["v=spf1 ip4:192.0.2.1 include:spf.mailer.example ?all"]},
        "spf.mailer.example": {"TXT": ["v=spf1 ip4:192.0.2.2 ?all"]},
    }
    compiled = compile_spf(parse_domain("contoso.com"), MemoryResolver(world))
    many = compiled.evaluate_many(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1"])
    assert [(ip, one.owner) for ip, one in many.items()] == [
        ("192.0.2.1", None),
        ("192.0.2.2", "mailer.example"),
        ("192.0.2.3", None),
    ]
    assert [str(network) for network, _ in compiled.networks()] == ["192.0.2.1/32", "192.0.2.2/32"]


def test_offline_everything_is_unknown_at_once() -> None:
    domains = [parse_domain(f"d{number}.example") for number in range(500)]
    started = time.monotonic()
    facts = gather(domains, Offline())
    assert time.monotonic() - started < 1
    assert not facts.spf
    assert all(isinstance(fact, Unknown) for fact in [*facts.mx.values(), *facts.dmarc.values()])
    assert len(facts.mx) == len(facts.dmarc) == len(facts.spf_unknown) == 500
    assert "offline" in facts.spf_unknown[domains[0]]
    assert compile_spf("d0.example", Offline()).results() == {SpfResult.UNDETERMINED}


def test_each_failing_question_leaves_its_own_fact_unknown() -> None:
    """Nothing that was not obtained is read as absent (design section 1)."""
    domain = parse_domain("contoso.com")
    records = {
        "contoso.com": {"TXT": ["v=spf1 -all"], "MX": ["0 contoso-com.mail.protection.outlook.com"]},
        "_dmarc.contoso.com": {"TXT": ["v=DMARC1; p=none"]},
    }
    whole = gather([domain], MemoryResolver(records))
    assert whole.mx[domain] is HERE
    assert whole.spf[domain].results() == {SpfResult.FAIL}
    failing: dict[str, str | tuple[str, str]] = {
        "mx": ("contoso.com", "MX"),
        "spf": ("contoso.com", "TXT"),
        "dmarc": ("_dmarc.contoso.com", "TXT"),
    }
    for unknown, question in failing.items():
        facts = gather([domain], MemoryResolver(records, {question: DOWN}))
        assert isinstance(facts.mx[domain], Unknown) == (unknown == "mx")
        assert isinstance(facts.dmarc[domain], Unknown) == (unknown == "dmarc")
        assert (domain in facts.spf_unknown, domain in facts.spf) == (unknown == "spf", unknown != "spf")


def test_dnspython_is_loaded_only_where_dns_is_asked() -> None:
    modules = "facts, livedns, memory, zonefile, reverse"
    code = f"import sys; from sidedoor.mailauth import {modules}; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
