"""Which service or device a sender is by the catalogue: for names and advice, never for the verdict."""

from __future__ import annotations

from sidedoor.audit import patterns
from sidedoor.audit.features import Features
from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.catalogue.entry import Entry, Kind
from sidedoor.catalogue.match import Hit, Match, Strength, Trait, Traits

_WORDS = {
    Trait.DKIM: "the valid signature of {value}",
    Trait.BOUNCE_SPF: "SPF of its envelope sender's domain {value}",
    Trait.SPF: "the SPF record, by way of {value},",
    Trait.PTR: "the confirmed reverse name {value}",
    Trait.BOUNCE: "its envelope sender's domain {value}",
    Trait.DKIM_CLAIM: "a signature in the name of {value}",
    Trait.MAILER: "its X-Mailer ({value})",
    Trait.MESSAGE_ID: "its Message-ID ({value})",
    Trait.ADDRESS: "its sender address ({value})",
    Trait.HELO: "its greeting ({value})",
    Trait.PTR_CLAIM: "its reverse name {value}",
}


def identify(features: Features, catalogue: Catalogue) -> tuple[Match, ...]:
    """The entries that the evidence speaks for, the likeliest first."""
    return catalogue.match(_traits(features))


def _traits(features: Features) -> Traits:
    """What was verified goes into the fields of proof, all else into those of claims."""
    signers = tuple(features.signers)
    signed = patterns.share(features.dkim, ("pass",)) >= patterns.MOST
    foreign = (features.envelope_domain,) if features.foreign_envelope and features.envelope_domain else ()
    evidence = features.evidence if features.evidence and features.evidence.result == "pass" else None
    path = tuple(domain for domain, _ in evidence.path[1:]) if evidence else ()
    return Traits(
        dkim_domains=signers if signed else (),
        dkim_claims=() if signed else signers,
        bounce_passed=foreign if evidence else (),
        bounce_domains=() if evidence else foreign,
        spf_domains=path,
        ptr_confirmed=features.reverse,
        mailers=tuple(features.mailers),
        addresses=tuple(features.claims),
        helo_names=tuple(features.hosts),
    )


def proved(features: Features) -> Entry | None:
    """The entry that a proof speaks for; a rented machine's landlord is none."""
    match = next((match for match in features.matches if match.strength is Strength.PROOF), None)
    return match.entry if match is not None and match.entry.kind is not Kind.CLOUD_PLATFORM else None


def claimed(features: Features) -> Match | None:
    """What the sender says it is, where nothing proves what it is."""
    if not features.matches or features.matches[0].strength is Strength.PROOF:
        return None
    return features.matches[0]


def in_words(hit: Hit) -> str:
    """`the confirmed reverse name mail.example`."""
    return _WORDS[hit.trait].format(value=hit.value)
