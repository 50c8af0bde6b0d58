"""ARC chains of an independent sealer, whole and broken."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mailauth.dkim import ArcResult, verify_arc
from sidedoor.mailauth.dkim.arc import Chain
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure
from tests.mailauth.signing import MESSAGE, record, sealed, zone

SEALER = "hygiene.example"
KEY = zone(domain=SEALER)


def test_a_message_without_a_chain() -> None:
    assert verify_arc(MESSAGE, KEY) == ArcResult(Chain.NONE)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_chains_of_an_independent_sealer(times: int) -> None:
    result = verify_arc(sealed(MESSAGE, SEALER, times), KEY)
    assert (result.chain, result.instances, result.reason) == (Chain.PASS, times, "")
    assert result.sealers == (SEALER,) * times
    assert result.oldest_pass == 0


def test_a_change_on_the_way_that_a_later_sealer_saw() -> None:
    once = sealed(MESSAGE, SEALER)
    changed = sealed(once.replace(b"first", b"[list] first"), SEALER)
    result = verify_arc(changed, KEY)
    assert result.chain in {Chain.PASS, Chain.FAIL}
    if result.chain is Chain.PASS:
        assert result.oldest_pass == 2


PARTS = [b"Seal", b"Message-Signature", b"Authentication-Results"]
BROKEN = {
    "the body": (rb"first", b"last", "body"),
    "the header": (rb"From: Scanner", b"From: Boss", "header"),
    "what the sealer found": (rb"spf=pass", b"spf=fail", "seal"),
    "the seal's state": (rb"cv=none", b"cv=pass", "cv="),
    "an instance": (rb"(ARC-Seal: i=)1", rb"\g<1>2", "gaps"),
    "no number": (rb"(ARC-Seal: i=)1", rb"\g<1>x", "number"),
    "zero": (rb"(ARC-Seal: i=)1", rb"\g<1>0", "number"),
    "a field missing": (rb"ARC-Message-Signature:", b"X-Nothing:", "gaps"),
    "a field twice": (rb"(ARC-Seal: i=1)", rb"ARC-Seal: i=1; a=b\r\n\1", "twice"),
    "fields named by the seal": (rb"(ARC-Seal: i=1)", rb"\1; h=from", "h="),
    "a seal that covers seals": (rb"(ARC-Message-Signature: i=1[^\0]*?h=)", rb"\1arc-seal:", "seals"),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_a_chain(case: tuple[bytes, bytes, str]) -> None:
    pattern, replacement, reason = case
    message = sealed(MESSAGE, SEALER)
    changed = re.sub(pattern, replacement, message, count=1)
    assert changed != message
    result = verify_arc(changed, KEY)
    assert result.chain is Chain.FAIL
    assert reason in result.reason


def test_keys_of_sealers() -> None:
    message = sealed(MESSAGE, SEALER)
    assert verify_arc(message, MemoryResolver({})).chain is Chain.FAIL
    silent = MemoryResolver({}, {f"sel._domainkey.{SEALER}": Failure("timed out", temporary=True)})
    assert verify_arc(message, silent).chain is Chain.TEMPERROR
    assert verify_arc(message, zone(record(more="h=sha1; "), domain=SEALER)).chain is Chain.FAIL


def test_more_sets_than_a_chain_may_have() -> None:
    sets = b"".join(
        b"ARC-Seal: i=%d\r\nARC-Message-Signature: i=%d\r\nARC-Authentication-Results: i=%d; x\r\n" % (n, n, n)
        for n in range(1, 60)
    )
    assert verify_arc(sets + MESSAGE, KEY).chain is Chain.FAIL


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([b"Seal", b"Message-Signature", b"Authentication-Results"]), st.binary(max_size=40))
    )
)
def test_any_fields_give_a_result(fields: list[tuple[bytes, bytes]]) -> None:
    header = b"".join(b"ARC-" + name + b": " + value + b"\r\n" for name, value in fields)
    assert isinstance(verify_arc(header + MESSAGE, KEY).chain, Chain)
