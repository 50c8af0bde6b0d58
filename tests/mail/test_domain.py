"""Domain names: one comparable form whatever the case, the dot at the end or the script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.domain import Domain, DomainError, parse_domain

LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
NAMES = st.lists(LABEL, min_size=1, max_size=5).map(".".join)

SAME = [
    ("contoso.com", "CONTOSO.com."),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.Example.", "XN--BCHER-KVA.example"),
    ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"),
    ("a。b", "a.b"),  # the ideographic full stop separates labels too (RFC 3490 section 3.1, UTS 46)
    ("ＡＢＣ.example", "abc.example"),  # full-width letters
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_are_one_domain(one: str, other: str) -> None:
    assert parse_domain(one) == parse_domain(other)


BAD = (
    *("", " ", ".", "..", "a..b", ".a", "a b", "-a.example", "a-.example", "a@b", "*.contoso.com", "x" * 64, "ü" * 70),
    *("a.\0", "a/b", "é\ud800.example", "x." * 130 + "x", "ü" * 100_000, "xn--\u0301"),
)


@pytest.mark.parametrize("text", BAD)
def test_no_domain(text: str) -> None:
    with pytest.raises(DomainError):
        parse_domain(text)


@given(NAMES)
def test_printed_then_parsed_is_the_same(name: str) -> None:
    domain = parse_domain(name)
    assert parse_domain(str(domain)) == domain
    assert parse_domain(f" {name.upper()}. ") == domain
    assert parse_domain(domain.unicode) == domain


@given(st.text(max_size=80))
@settings(max_examples=200)
def test_any_text_is_a_domain_or_a_domain_error(text: str) -> None:
    try:
        domain = parse_domain(text)
    except DomainError:
        return
    assert domain.ascii.isascii()
    assert domain.ascii == domain.ascii.lower()
    assert parse_domain(domain.ascii) == domain


@given(NAMES, NAMES)
def test_a_subdomain_ends_at_a_dot(name: str, other: str) -> None:
    parent, child = Domain(name), Domain(f"{other}.{name}")
    assert child.is_under(parent)
    assert child.is_at_or_under(parent)
    assert not parent.is_under(parent)
    assert parent.is_at_or_under(parent)
    assert not Domain(f"not{name}").is_at_or_under(parent)


def test_a_broken_a_label_is_shown_as_it_is() -> None:
    assert parse_domain("xn--99999999999.example").unicode == "xn--99999999999.example"
