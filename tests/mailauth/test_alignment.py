"""DMARC evaluated: organizational domains by list and by walk, alignment, policies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sidedoor.mail.domain import Domain, parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.alignment import (
    Discovery,
    DmarcWord,
    Identifier,
    evaluate_dmarc,
    organizational_domain,
)
from sidedoor.mailauth.authenticate import Client, authenticate, results_field
from sidedoor.mailauth.authres import parse_authentication_results
from sidedoor.mailauth.dmarc import Disposition
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure, Offline
from tests.mailauth.signing import record, signed

WALK, LIST = Discovery.TREE_WALK, Discovery.PUBLIC_SUFFIX
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def zone(**records: str) -> MemoryResolver:
    """_dmarc records by domain, dots written as two underscores."""
    return MemoryResolver({f"_dmarc.{name.replace('__', '.')}": {"TXT": [text]} for name, text in records.items()})


def passed(*domains: str) -> list[Identifier]:
    return [Identifier(parse_domain(domain), True) for domain in domains]


CASES: dict[str, tuple[dict[str, str], str, str | None, list[str], Discovery, tuple[Any, ...]]] = {
    "SPF aligned": (
        {"contoso__com": "v=DMARC1; p=reject"}, "contoso.com", "contoso.com", [], WALK,
        (DmarcWord.PASS, Disposition.REJECT, True, False),
    ),
    "DKIM aligned, relaxed": (
        {"contoso__com": "v=DMARC1; p=quarantine"}, "contoso.com", None, ["mail.contoso.com"], WALK,
        (DmarcWord.PASS, Disposition.QUARANTINE, False, True),
    ),
    "the same by the list": (
        {"contoso__com": "v=DMARC1; p=quarantine"}, "contoso.com", None, ["mail.contoso.com"], LIST,
        (DmarcWord.PASS, Disposition.QUARANTINE, False, True),
    ),
    "DKIM strict": (
        {"contoso__com": "v=DMARC1; p=none; adkim=s"}, "contoso.com", None, ["mail.contoso.com"], WALK,
        (DmarcWord.FAIL, Disposition.NONE, False, False),
    ),
    "SPF strict": (
        {"contoso__com": "v=DMARC1; p=none; aspf=s"}, "contoso.com", "b.contoso.com", ["contoso.com"], WALK,
        (DmarcWord.PASS, Disposition.NONE, False, True),
    ),
    "a look-alike": (
        {"contoso__com": "v=DMARC1; p=reject"}, "contoso.com", "notcontoso.com", ["contoso.com.evil.example"], WALK,
        (DmarcWord.FAIL, Disposition.REJECT, False, False),
    ),
    "a subdomain's policy": (
        {"contoso__com": "v=DMARC1; p=reject; sp=none"}, "a.contoso.com", None, [], WALK,
        (DmarcWord.FAIL, Disposition.NONE, False, False),
    ),
    "no record, and it would pass": (
        {}, "contoso.com", "contoso.com", [], WALK, (DmarcWord.NONE, None, True, False),
    ),
    "psd=y: neighbours are strangers": (
        {"gov__example": "v=DMARC1; p=none; psd=y", "one__gov__example": "v=DMARC1; p=reject"}, "one.gov.example",
        "two.gov.example", [], WALK, (DmarcWord.FAIL, Disposition.REJECT, False, False),
    ),
    "psd=y: its policy holds for those without one": (
        {"gov__example": "v=DMARC1; p=none; sp=quarantine; psd=y"}, "two.gov.example", None, [], WALK,
        (DmarcWord.FAIL, Disposition.QUARANTINE, False, False),
    ),
    "psd=n: the organisation ends here": (
        {"a__contoso__com": "v=DMARC1; p=reject; psd=n", "contoso__com": "v=DMARC1; p=none"}, "x.a.contoso.com",
        "contoso.com", [], WALK, (DmarcWord.FAIL, Disposition.REJECT, False, False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_evaluations(case: tuple[dict[str, str], str, str | None, list[str], Discovery, tuple[Any, ...]]) -> None:
    records, author, sender, signers, discovery, expected = case
    spf = Identifier(parse_domain(sender), True) if sender else None
    found = evaluate_dmarc([parse_domain(author)], spf, passed(*signers), zone(**records), discovery)
    assert (found.word, found.policy, found.spf_aligned, found.dkim_aligned) == expected, found
    assert found.would_pass == (found.spf_aligned or found.dkim_aligned)


def test_what_failed_aligns_nothing() -> None:
    resolver = zone(contoso__com="v=DMARC1; p=reject; t=y")
    contoso = Domain("contoso.com")
    found = evaluate_dmarc([contoso], Identifier(contoso, False), [Identifier(contoso, False)], resolver)
    assert (found.word, found.testing) == (DmarcWord.FAIL, True)


@pytest.mark.parametrize("authors", [[], [Domain("a.example"), Domain("b.example")]])
def test_one_author_is_needed(authors: list[Domain]) -> None:
    assert evaluate_dmarc(authors, None, [], Offline()).word is DmarcWord.PERMERROR


def test_np_is_for_names_that_do_not_exist() -> None:
    policy = "v=DMARC1; p=none; sp=quarantine; np=reject"
    resolver = MemoryResolver({"_dmarc.contoso.com": {"TXT": [policy]}, "there.contoso.com": {"A": ["192.0.2.1"]}})
    asked = {name: evaluate_dmarc([Domain(name)], None, [], resolver).policy
             for name in ("there.contoso.com", "gone.contoso.com")}  # fmt: skip
    assert asked == {"there.contoso.com": Disposition.QUARANTINE, "gone.contoso.com": Disposition.REJECT}


def test_silence_is_an_error_of_the_moment() -> None:
    silent = MemoryResolver({}, {"_dmarc.contoso.com": Failure("timed out", temporary=True)})
    assert evaluate_dmarc([Domain("contoso.com")], None, [], silent).word is DmarcWord.TEMPERROR
    assert evaluate_dmarc([Domain("a.contoso.com")], None, [], silent).word is DmarcWord.TEMPERROR


def test_a_long_name_is_walked_in_eight_steps() -> None:
    resolver = MemoryResolver({})
    name = Domain("a.b.c.d.e.f.g.h.i.j.example")
    assert organizational_domain(name, resolver) == name
    assert len(resolver.asked) == 8
    assert resolver.asked[1][0] == "_dmarc.e.f.g.h.i.j.example"


def test_organizational_domains() -> None:
    assert organizational_domain(Domain("a.b.co.uk"), Offline(), LIST) == Domain("b.co.uk")
    assert organizational_domain(Domain("co.uk"), Offline(), LIST) == Domain("co.uk")
    assert isinstance(organizational_domain(Domain("a.example"), Offline(), WALK), Unknown)


def test_all_together() -> None:
    resolver = MemoryResolver(
        {
            "sel._domainkey.contoso.com": {"TXT": [record()]},
            "contoso.com": {"TXT": ["v=spf1 ip4:203.0.113.10 -all"]},
            "_dmarc.contoso.com": {"TXT": ["v=DMARC1; p=reject"]},
        }
    )
    client = Client("203.0.113.10", "MFP-HQ3", "scan@contoso.com")
    found = authenticate(signed(), [Domain("contoso.com")], client, resolver, NOW)
    field = results_field(found, "edge.example", "contoso.com")
    words = {result.method: result.word for result in parse_authentication_results(field).results}
    assert words == {"spf": "pass", "dkim": "pass", "arc": "none", "dmarc": "pass"}
    stranger = authenticate(b"no message", [], Client("192.0.2.1", "", ""), resolver, NOW)
    assert stranger.dmarc.word is DmarcWord.PERMERROR
    nobody = authenticate(signed(), [Domain("contoso.com")], None, resolver, NOW)
    assert nobody.spf is None
    assert nobody.dmarc.dkim_aligned
