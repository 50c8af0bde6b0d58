"""Addresses and reverse-paths (RFC 5321 section 4.1.2, RFC 6531 section 3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.address import NULL_REVERSE_PATH, Address, AddressError, parse_address, parse_envelope_sender
from sidedoor.mail.domain import parse_domain

ATOM = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~éü用-]{1,12}", fullmatch=True)
DOTTED = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
QUOTED = st.lists(
    st.sampled_from([" ", "@", ".", "a", "<", ">", "é", "\\\\", '\\"', ",", ";"]), max_size=8
).map(lambda parts: f'"{"".join(parts)}"')  # fmt: skip
LOCALS = DOTTED | QUOTED
DOMAINS = st.sampled_from(["contoso.com", "bücher.example", "a.b.c.example", "localhost"])

PARSED = [
    ("printer@contoso.com", "printer", "contoso.com"),
    ("<Printer@CONTOSO.com.>", "Printer", "contoso.com"),
    (" < a@b.example > ", "a", "b.example"),
    ('"a@b"@c.example', '"a@b"', "c.example"),
    ('"a\\"b"@c.example', '"a\\"b"', "c.example"),
    ("用户@例え.example", "用户", "xn--r8jz45g.example"),
    ("o'brien+tag@contoso.com", "o'brien+tag", "contoso.com"),
    ("bounces+" + "x" * 200 + "@contoso.com", "bounces+" + "x" * 200, "contoso.com"),
]


@pytest.mark.parametrize(("text", "local", "domain"), PARSED)
def test_parsed(text: str, local: str, domain: str) -> None:
    assert parse_address(text) == Address(local, parse_domain(domain))


BAD = (
    *("", "<>", "nobody", "@contoso.com", "a@", "a b@c.example", "a..b@c.example", ".a@c.example", "a@b..c"),
    *('a"b@c.example', '"a@c.example', "a@b@c.example", "a\r\nRCPT TO:<x@y>@c.example", "a\0@c.example"),
    *("é\ud800@c.example", "x" * 257 + "@a.b"),
)


@pytest.mark.parametrize("text", BAD)
def test_no_address(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@given(LOCALS, DOMAINS)
def test_printed_then_parsed_is_the_same(local: str, domain: str) -> None:
    address = parse_address(f"{local}@{domain}")
    assert parse_address(str(address)) == address
    assert parse_envelope_sender(f"<{address}>") == address


@given(DOTTED, DOMAINS)
def test_case_and_needless_quotes_do_not_make_another_mailbox(local: str, domain: str) -> None:
    assert parse_address(f'"{local}"@{domain}').folded == parse_address(f"{local}@{domain}").folded
    assert parse_address(f"{local}@{domain.upper()}").folded == parse_address(f"{local}@{domain}").folded


@given(QUOTED, DOMAINS)
def test_quotes_that_are_needed_stay(local: str, domain: str) -> None:
    address = parse_address(f"{local}@{domain}")
    assert parse_address(address.folded).folded == address.folded


@pytest.mark.parametrize("text", ["", "<>", "  <>  ", " "])
def test_null_reverse_path(text: str) -> None:
    assert parse_envelope_sender(text) is NULL_REVERSE_PATH
    assert str(NULL_REVERSE_PATH) == "<>"


@given(st.text(max_size=60) | st.from_regex(r"[\"<]?[a-z.\\\" @<>]{0,20}@[a-z.]{0,10}>?", fullmatch=True))
@settings(max_examples=200)
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert parse_address(str(address)) == address
    str(address).encode()
