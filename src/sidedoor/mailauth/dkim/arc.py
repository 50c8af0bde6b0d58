"""ARC chains (RFC 8617): whether every hop that sealed the message found it as the one before had left it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sidedoor.mailauth.dkim.message import Canonicalization, Field, MessageError, SignedMessage, parse_message
from sidedoor.mailauth.dkim.signature import (
    SignatureError,
    Word,
    check_body,
    covered_fields,
    find_key,
    header_digest,
    read_terms,
)
from sidedoor.mailauth.dkim.tags import TagError, parse_tags
from sidedoor.mailauth.resolver import Resolver

MAX_INSTANCES = 50  # section 4.2.1
_AAR, _AMS, _SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_INSTANCE = re.compile(r"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*(?:;|\Z)")


class Chain(StrEnum):
    """The state of a chain (section 4.4)."""

    NONE = "none"  # there is none
    PASS = "pass"  # noqa: S105 - every seal and the newest message signature verify
    FAIL = "fail"  # something in it does not
    TEMPERROR = "temperror"  # DNS gave no answer; a later try may


@dataclass(frozen=True, slots=True)
class ArcResult:
    """`instances`: sets in the chain. `sealers`: their domains, the first first. `reason`: "" for pass and none.

    oldest_pass: the earliest instance whose message signature still verifies, 0 for all of them (section 5.2).
    Whether a receiver trusts these sealers is another question.
    """

    chain: Chain
    instances: int = 0
    sealers: tuple[str, ...] = ()
    reason: str = ""
    oldest_pass: int | None = None


class _BrokenError(Exception):
    """Why the chain fails."""


@dataclass(frozen=True, slots=True)
class _Set:
    """The three fields of one instance."""

    results: Field
    message: Field
    seal: Field
    tags: dict[str, str]  # of the seal


def verify_arc(message: bytes | SignedMessage, resolver: Resolver) -> ArcResult:
    """The state of the message's chain. Raises nothing."""
    try:
        parsed = parse_message(message) if isinstance(message, bytes) else message
    except MessageError as error:
        return ArcResult(Chain.FAIL, reason=str(error))
    if not any(each.name in {_AAR, _AMS, _SEAL} for each in parsed.fields):
        return ArcResult(Chain.NONE)
    sets: list[_Set] = []
    try:
        sets = _sets(parsed)
        _check_states(sets)
        _check_message(parsed, sets[-1].message, len(sets), resolver)
        for instance in range(len(sets), 0, -1):
            _check_seal(sets[:instance], resolver)
    except _BrokenError as broken:
        return ArcResult(Chain.FAIL, len(sets), _sealers(sets), str(broken))
    except SignatureError as problem:
        chain = Chain.TEMPERROR if problem.word is Word.TEMPERROR else Chain.FAIL
        return ArcResult(chain, len(sets), _sealers(sets), problem.why)
    return ArcResult(Chain.PASS, len(sets), _sealers(sets), oldest_pass=_oldest_pass(parsed, sets, resolver))


def _sealers(sets: list[_Set]) -> tuple[str, ...]:
    return tuple(each.tags.get("d", "").lower() for each in sets)


def _sets(message: SignedMessage) -> list[_Set]:
    """The sets by instance: each of the three fields once, from 1 without a gap (section 5.2, step 3)."""
    found: dict[int, dict[bytes, Field]] = {}
    for each in message.fields:
        if each.name not in {_AAR, _AMS, _SEAL}:
            continue
        parts = found.setdefault(_instance(each), {})
        if each.name in parts:
            raise _BrokenError("a field of the chain stands twice")
        parts[each.name] = each
    if max(found) > MAX_INSTANCES:
        raise _BrokenError(f"more than {MAX_INSTANCES} instances")
    if sorted(found) != list(range(1, len(found) + 1)) or any(len(parts) != 3 for parts in found.values()):
        raise _BrokenError("the chain has gaps")
    return [_Set(parts[_AAR], parts[_AMS], parts[_SEAL], _tags(parts[_SEAL])) for _, parts in sorted(found.items())]


def _instance(each: Field) -> int:
    text = each.value.decode("utf-8", "replace")
    if each.name == _AAR:
        match = _INSTANCE.match(text)
        number = match[1] if match else ""
    else:
        number = _tags(each).get("i", "")
    if not number.isascii() or not number.isdecimal() or len(number) > 2 or int(number) < 1:
        raise _BrokenError(f"an instance that is no number: {number[:20]!r}")
    return int(number)


def _tags(each: Field) -> dict[str, str]:
    try:
        return parse_tags(each.value.decode("utf-8", "replace"))
    except TagError as error:
        raise _BrokenError(str(error)) from error


def _check_states(sets: list[_Set]) -> None:
    """cv= says none in the first seal and pass in every other (section 5.2, steps 2 and 3)."""
    for instance, each in enumerate(sets, start=1):
        expected = "none" if instance == 1 else "pass"
        if each.tags.get("cv", "").lower() != expected:
            raise _BrokenError(f"the seal of instance {instance} says cv={each.tags.get('cv', '')[:20]}")
        if "h" in each.tags:
            raise _BrokenError(f"the seal of instance {instance} names fields (h=)")


def _check_message(message: SignedMessage, signature: Field, instance: int, resolver: Resolver) -> None:
    """An ARC-Message-Signature is a DKIM signature without v= that leaves the seals out (section 4.1.2)."""
    tags = _tags(signature)
    terms = read_terms(tags)
    if "arc-seal" in terms.covered:
        raise _BrokenError(f"the message signature of instance {instance} covers seals")
    key = find_key(terms, resolver)
    digest = header_digest(covered_fields(message, terms.covered), signature, terms.header_how)
    if not key.verifies(terms.signature, digest):
        raise SignatureError(Word.FAIL, f"the header is not what instance {instance} signed")
    check_body(message, terms)


def _check_seal(sets: list[_Set], resolver: Resolver) -> None:
    """A seal covers all sets up to its own, in order of instance, relaxed (section 5.1.1)."""
    newest = sets[-1]
    tags = {**newest.tags, "bh": newest.tags.get("bh", "AA=="), "h": "from"}  # a seal has neither
    terms = read_terms(tags)
    key = find_key(terms, resolver)
    before = [part for each in sets[:-1] for part in (each.results, each.message, each.seal)]
    digest = header_digest([*before, newest.results, newest.message], newest.seal, Canonicalization.RELAXED)
    if not key.verifies(terms.signature, digest):
        raise SignatureError(Word.FAIL, f"the seal of instance {len(sets)} does not verify")


def _oldest_pass(message: SignedMessage, sets: list[_Set], resolver: Resolver) -> int:
    """Section 5.2, step 5: 0 where every message signature verifies, else the one behind the newest that does not."""
    for instance in range(len(sets) - 1, 0, -1):
        try:
            _check_message(message, sets[instance - 1].message, instance, resolver)
        except (_BrokenError, SignatureError):
            return instance + 1
    return 0
