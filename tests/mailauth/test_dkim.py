"""DKIM against an independent signer, clause by clause, and against whatever octets there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mailauth.dkim import MAX_SIGNATURES, DkimResult, verify_dkim
from sidedoor.mailauth.dkim.message import Canonicalization, parse_message
from sidedoor.mailauth.dkim.signature import Word
from sidedoor.mailauth.dkim.tags import TagError, parse_tags, print_tags
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure, Resolver
from tests.mailauth.signing import MESSAGE, ed_record, record, signed, signed_by_ed25519, zone

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def only(message: bytes, resolver: Resolver | None = None, now: datetime = NOW) -> DkimResult:
    (result,) = verify_dkim(message, resolver or zone(), now)
    return result


def retagged(message: bytes, pattern: bytes, replacement: bytes) -> bytes:
    """The message with something changed in its signature's tags (which breaks the signature as well)."""
    head, _, rest = message.partition(b"From:")
    changed = re.sub(pattern, replacement, head)
    assert changed != head
    return changed + b"From:" + rest


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize(
    "message",
    [
        MESSAGE, MESSAGE.replace(b"\r\n\r\n", b"\r\n\r\n\r\n", 1), MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        b"From: a@contoso.com\r\n\r\n \t \r\n", b"From:a@contoso.com\r\n\r\nno line end",
    ],
    ids=["usual", "an empty line first", "no body", "blanks only", "no line end"],
)  # fmt: skip
def test_an_independent_signer_is_verified(message: bytes, header: bytes, body: bytes) -> None:
    result = only(signed(message, canonicalize=(header, body)))
    assert result.word is Word.PASS, result
    assert (result.domain, result.selector, result.bits, result.covers_all) == ("contoso.com", "sel", 2048, True)


def test_ed25519() -> None:
    result = only(signed_by_ed25519(), zone(ed_record()))
    assert (result.word, result.algorithm) == (Word.PASS, "ed25519-sha256")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"Scan  from", b"Scam  from"), "header"), ((b"From: Scanner", b"From: Boss"), "header"),
        ((b"first", b"last"), "body"), ((b"second", b"second\r\nthird"), "body"),
    ],
)  # fmt: skip
def test_what_was_changed_fails(change: tuple[bytes, bytes], reason: str) -> None:
    result = only(signed().replace(*change))
    assert result.word is Word.FAIL
    assert reason in result.reason


@pytest.mark.parametrize(
    "change",
    [
        (b"Scan  from\r\n\tHQ3", b"Scan from HQ3"), (b"first  line ", b"first line"), (b"\r\n\r\n\r\n", b"\r\n"),
        (b"Subject:", b"SUBJECT :"), (b"\tsecond", b" second"),
    ],
)  # fmt: skip
def test_what_relaxed_lets_pass(change: tuple[bytes, bytes]) -> None:
    message = signed()
    assert change[0] in message
    assert only(message.replace(*change)).word is Word.PASS


def test_fields_are_taken_from_the_bottom_up() -> None:
    twice = b"Subject: added on the way\r\n" + signed(MESSAGE)
    assert only(twice).word is Word.PASS
    oversigned = signed(include_headers=[b"from", b"subject", b"subject"])
    assert only(oversigned).word is Word.PASS
    assert only(oversigned.replace(b"From:", b"Subject: another\r\nFrom:", 1)).word is Word.FAIL


def test_a_limited_length_leaves_the_end_unsigned_and_says_so() -> None:
    message = signed(length=True)
    assert only(message).word is Word.PASS
    longer = only(message + b"appended\r\n")
    assert (longer.word, longer.covers_all) == (Word.PASS, False)
    assert only(message.partition(b"first")[0]).reason.startswith("l=")


KEYS = {
    "no key": (MemoryResolver({}), Word.PERMERROR, "no key"),
    "no answer": (
        MemoryResolver({}, {"sel._domainkey.contoso.com": Failure("timed out", temporary=True)}),
        Word.TEMPERROR, "no answer",
    ),
    "not asked": (
        MemoryResolver({}, {"sel._domainkey.contoso.com": Failure("offline", temporary=False)}),
        Word.TEMPERROR, "no answer",
    ),
    "revoked": (zone("v=DKIM1; p="), Word.PERMERROR, "revoked"),
    "without p=": (zone("v=DKIM1; k=rsa"), Word.PERMERROR, "without a key"),
    "another version": (zone("v=DKIM2; p=AAAA"), Word.PERMERROR, "another version"),
    "version not first": (zone("k=rsa; v=DKIM1; p=AAAA"), Word.PERMERROR, "another version"),
    "no key at all": (zone("v=DKIM1; p=!!!"), Word.PERMERROR, "cannot be read"),
    "rubbish": (zone("v=DKIM1; p=AAAA"), Word.PERMERROR, "cannot be read"),
    "no tags": (zone("hello"), Word.PERMERROR, "cannot be read"),
    "not for mail": (zone(record(more="s=tlsrpt; ")), Word.PERMERROR, "not for mail"),
    "not for sha256": (zone(record(more="h=sha1; ")), Word.PERMERROR, "not for sha256"),
    "of another kind": (zone(ed_record()), Word.PERMERROR, "kind ed25519"),
}  # fmt: skip


@pytest.mark.parametrize("case", KEYS.values(), ids=KEYS.keys())
def test_keys(case: tuple[Resolver, Word, str]) -> None:
    resolver, word, reason = case
    result = only(signed(), resolver)
    assert result.word is word
    assert reason in result.reason


def test_a_short_key_is_no_key() -> None:
    result = only(signed(bits=1024), zone(record(1024)))
    assert result.word is Word.PASS
    weak = only(signed(bits=512), zone(record(512))) if _can_make(512) else None
    assert weak is None or (weak.word, "512 bits" in weak.reason) == (Word.PERMERROR, True)


def _can_make(bits: int) -> bool:
    try:
        record(bits)
    except ValueError:
        return False  # newer versions of cryptography make no such keys
    return True


TAGS = {
    "retired algorithm": (rb"a=rsa-sha256", b"a=rsa-sha1", Word.PERMERROR, "retired"),
    "unknown algorithm": (rb"a=rsa-sha256", b"a=dsa-sha256", Word.NEUTRAL, "unknown algorithm"),
    "version": (rb"v=1;", b"v=2;", Word.NEUTRAL, "version"),
    "no version": (rb"v=1;", b"", Word.NEUTRAL, "version"),
    "no From": (rb" h=[^;]*", b" h=to : subject", Word.PERMERROR, "From"),
    "no selector": (rb"s=sel;", b"", Word.NEUTRAL, "without s="),
    "twice": (rb"d=contoso.com", b"d=contoso.com; d=contoso.com", Word.NEUTRAL, "twice"),
    "no tag": (rb"d=contoso.com;", b"d=contoso.com; ?;", Word.NEUTRAL, "no tag"),
    "identity elsewhere": (rb"i=@contoso.com", b"i=@notcontoso.com", Word.PERMERROR, "i="),
    "canonicalization": (rb"c=relaxed/relaxed", b"c=lax/relaxed", Word.NEUTRAL, "canonicalization"),
    "query": (rb"q=dns/txt", b"q=finger", Word.NEUTRAL, "method"),
    "no Base64": (rb"bh=[^;]*", b"bh=%%%", Word.NEUTRAL, "Base64"),
    "length": (rb"c=relaxed", b"l=-1; c=relaxed", Word.NEUTRAL, "number"),
}


@pytest.mark.parametrize("case", TAGS.values(), ids=TAGS.keys())
def test_tags(case: tuple[bytes, bytes, Word, str]) -> None:
    pattern, replacement, word, reason = case
    result = only(retagged(signed(identity=b"@contoso.com"), pattern, replacement))
    assert result.word is word
    assert reason in result.reason


def test_what_has_expired() -> None:
    message = retagged(signed(), rb"t=[0-9]+;", b"t=1793000000; x=1793000100;")
    assert "expired" in only(message, now=datetime(2030, 1, 1, tzinfo=UTC)).reason
    backwards = retagged(signed(), rb"t=[0-9]+;", b"t=1793000000; x=1792000100;")
    assert "before" in only(backwards).reason


def test_flags_of_the_key() -> None:
    assert only(signed(), zone(record(more="t=y; "))).testing
    strict = zone(record(more="t=s; "))
    assert only(signed(identity=b"@mail.contoso.com"), strict).word is Word.PERMERROR
    assert only(signed(identity=b"@contoso.com"), strict).word is Word.PASS


def test_every_signature_has_a_result_up_to_a_number() -> None:
    assert verify_dkim(MESSAGE, zone(), NOW) == ()
    many = b"DKIM-Signature: v=1\r\n" * 100 + signed()
    assert len(verify_dkim(many, zone(), NOW)) == MAX_SIGNATURES


def test_bare_line_feeds_of_a_stored_message() -> None:
    assert only(signed().replace(b"\r\n", b"\n")).word is Word.PASS


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\r\n", b"no field\r\n\r\n", b"DKIM-Signature", b"A: b\r\n" * 20_000 + b"\r\n",
        b"DKIM-Signature:" + b" " * 2_000_000,
        b"DKIM-Signature: " + b";" * 200_000 + b"\r\n\r\n", b"DKIM-Signature: " + b"a=b\r\n " * 50_000 + b"\r\n\r\n",
        b"\x00\xff" * 1000,
    ],
)  # fmt: skip
def test_octets_that_are_no_signed_message(message: bytes) -> None:
    assert all(result.word is Word.NEUTRAL for result in verify_dkim(message, zone(), NOW))


def test_a_body_of_blanks_and_one_of_empty_lines_take_no_time() -> None:
    for body in (b" " * 3_000_000, b"\r\n" * 1_500_000, b"a \r\n" * 700_000, b"\r" * 3_000_000, b"\t \t" * 1_000_000):
        parsed = parse_message(b"From: a@b.example\r\n\r\n" + body)
        for how in Canonicalization:
            assert len(parsed.canonical_body(how)) <= len(body) + 2


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"simple", b"relaxed"]), st.sampled_from([b"simple", b"relaxed"]))
def test_any_body_agrees_with_the_independent_verifier(body: bytes, header: bytes, how: bytes) -> None:
    # dkimpy takes a bare CR or LF for a line end; neither may be in a message (RFC 5321 section 2.3.8).
    body = body.replace(b"\r", b"").replace(b"\n", b"\r\n")
    body += b"\r\n" if body else b""
    message = signed(b"From: a@contoso.com\r\nX: y\r\n\r\n" + body, canonicalize=(header, how))
    assert only(message).word is Word.PASS
    assert dkim.verify(message, dnsfunc=lambda _, timeout=5: record().encode())
    tampered = message + b"x"
    theirs = dkim.verify(tampered, dnsfunc=lambda _, timeout=5: record().encode())
    assert (only(tampered).word is Word.PASS) == theirs


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_octets_give_results(data: bytes, tags: bytes) -> None:
    for message in (data, b"DKIM-Signature: " + tags + b"\r\nFrom: a@b.example\r\n\r\n" + data):
        assert all(isinstance(result.word, Word) for result in verify_dkim(message, zone(), NOW))


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
VALUES = st.text(st.characters(codec="ascii", exclude_characters=";", categories=["L", "N", "P", "S"]), max_size=10)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=8))
def test_tag_lists_read_back(tags: dict[str, str]) -> None:
    assert parse_tags(print_tags(tags)) == tags


@given(st.text(max_size=60))
def test_any_text_is_a_tag_list_or_our_error(text: str) -> None:
    try:
        parse_tags(text)
    except TagError:
        return
