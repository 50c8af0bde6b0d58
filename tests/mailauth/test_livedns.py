"""The live resolver against a name server that answers, refuses, babbles or keeps silent."""

from __future__ import annotations

import time

import pytest

from sidedoor.mail.domain import parse_domain
from sidedoor.mailauth.facts import gather
from sidedoor.mailauth.livedns import LiveDns
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoData, NoSuchName, Records
from sidedoor.mailauth.reverse import reverse_names_of
from tests.mailauth.name_server import Behaviour, NameServer

WORLD: Behaviour = {
    "contoso.com": {
        "MX": ["0 contoso-com.mail.protection.outlook.com."],
        "TXT": ['"v=spf1 include:_spf.mailer" ".example a -all"', '"MS=ms1"'],
        "A": ["192.0.2.1", "192.0.2.2"],
    },
    "_dmarc.contoso.com": {"TXT": ['"v=DMARC1; p=reject"']},
    "_spf.mailer.example": {"TXT": ['"v=spf1 ip4:198.51.100.0/24 ~all"']},
    "8.100.51.198.in-addr.arpa": {"PTR": ["Out8.Mailer.Example.", "liar.example."]},
    "out8.mailer.example": {"A": ["198.51.100.8"]},
    "liar.example": {"A": ["203.0.113.1"]},
    "broken.example": "servfail",
    "babble.example": "garbage",
    **{f"silent{number}.example": "silent" for number in range(200)},
}
ANSWERS: list[tuple[str, Kind, Answer]] = [
    ("Contoso.com.", Kind.A, Records(("192.0.2.1", "192.0.2.2"))),
    ("contoso.com", Kind.TXT, Records(("v=spf1 include:_spf.mailer.example a -all", "MS=ms1"))),
    ("contoso.com", Kind.MX, Records(("0 contoso-com.mail.protection.outlook.com",))),
    ("8.100.51.198.in-addr.arpa", Kind.PTR, Records(("out8.mailer.example", "liar.example"))),
    ("contoso.com", Kind.AAAA, NoData()),
    ("absent.contoso.com", Kind.A, NoSuchName()),
    ("a..contoso.com", Kind.A, NoSuchName()),
    ("a\\.\\300 b\n.contoso.com", Kind.A, NoSuchName()),
]


@pytest.mark.parametrize(("name", "kind", "answer"), ANSWERS, ids=[f"{name} {kind}" for name, kind, _ in ANSWERS])
def test_answers(name: str, kind: Kind, answer: Answer) -> None:
    with NameServer(WORLD) as server:
        found = LiveDns(["127.0.0.1"], server.port).lookup(name, kind)
    if isinstance(answer, Records):
        assert isinstance(found, Records)
        assert sorted(found.values) == sorted(answer.values)
    else:
        assert found == answer


@pytest.mark.parametrize("name", ["broken.example", "babble.example", "silent0.example"])
def test_trouble_is_a_temporary_failure_and_never_an_absent_record(name: str) -> None:
    with NameServer(WORLD) as server:
        answer = LiveDns(["127.0.0.1"], server.port, query_seconds=0.3).lookup(name, Kind.TXT)
    assert isinstance(answer, Failure)
    assert answer.temporary
    assert name in answer.reason


def test_nothing_is_asked_twice() -> None:
    with NameServer(WORLD) as server:
        resolver = LiveDns(["127.0.0.1"], server.port)
        first = [resolver.lookup("contoso.com", Kind.A) for _ in range(3)]
        assert (server.asked, len(set(map(id, first)))) == (1, 1)


def test_a_silent_name_server_costs_the_budget_and_no_more() -> None:
    domains = [parse_domain(f"silent{number}.example") for number in range(200)]
    with NameServer(WORLD) as server:
        resolver = LiveDns(["127.0.0.1"], server.port, query_seconds=0.4, budget_seconds=1.0)
        started = time.monotonic()
        facts = gather(domains, resolver)
        answer = resolver.lookup("contoso.com", Kind.A)
        assert time.monotonic() - started < 2.5
    assert not facts.spf
    assert set(facts.spf_unknown) == set(domains)
    assert isinstance(answer, Failure)
    assert answer.temporary


def test_a_whole_gathering_asks_each_question_once() -> None:
    domain = parse_domain("contoso.com")
    with NameServer(WORLD) as server:
        resolver = LiveDns(["127.0.0.1"], server.port)
        facts = gather([domain], resolver)
        evidence = facts.spf[domain].evaluate("198.51.100.8")
        names = reverse_names_of(["198.51.100.8", "not an address"], resolver)
        asked = server.asked
    assert evidence.result.value == "pass"
    assert evidence.owner == "mailer.example"
    assert names["198.51.100.8"] == ("out8.mailer.example",)
    assert asked <= 4 + 2 + 3  # mx, txt, dmarc, include; a and aaaa; ptr and its two names
