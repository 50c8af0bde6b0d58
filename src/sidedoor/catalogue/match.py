"""Traits of a sender, and which entries they speak for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from sidedoor.catalogue.entry import Entry


class Strength(IntEnum):
    """How much a trait that matched is worth for the name; never for the verdict."""

    CLAIM = 1  # anybody can say it: HELO, X-Mailer, Message-ID, a reverse name that does not resolve back
    PROOF = 2  # the vendor's network or key: SPF, a valid signature, a confirmed reverse name


class Trait(Enum):
    """What was compared, the most telling first."""

    DKIM = "dkim"  # d= of a signature that is valid: the vendor's key
    BOUNCE_SPF = "bounce-spf"  # envelope-sender domain for which SPF passes
    SPF = "spf"  # a name on the path by which the sender's SPF record lists the client
    PTR = "ptr"  # reverse name that resolves back to the address
    BOUNCE = "bounce"  # envelope-sender domain, nothing known of SPF
    DKIM_CLAIM = "dkim-claim"  # d= of a signature that fails or was not checked
    MAILER = "mailer"  # X-Mailer or User-Agent
    MESSAGE_ID = "message-id"  # right side of Message-ID
    ADDRESS = "address"  # sender address or display name
    HELO = "helo"  # HELO or EHLO name
    PTR_CLAIM = "ptr-claim"  # reverse name, not confirmed

    @property
    def strength(self) -> Strength:
        """Proof or claim."""
        return Strength.PROOF if self in _PROOFS else Strength.CLAIM


_PROOFS = frozenset({Trait.DKIM, Trait.BOUNCE_SPF, Trait.SPF, Trait.PTR})
RANK = {trait: rank for rank, trait in enumerate(Trait)}


@dataclass(frozen=True, slots=True)
class Traits:
    """What evidence says of one sender. Each field lists what was seen; an empty one says nothing.

    The caller vouches for the four fields that are proof: put into them only what was verified.
    """

    dkim_domains: tuple[str, ...] = ()  # d= of signatures that passed
    bounce_passed: tuple[str, ...] = ()  # envelope-sender domains for which SPF passed
    spf_domains: tuple[str, ...] = ()  # include and redirect names on the path that lists the client
    ptr_confirmed: tuple[str, ...] = ()  # reverse names that resolve back to the address
    bounce_domains: tuple[str, ...] = ()  # envelope-sender domains
    dkim_claims: tuple[str, ...] = ()  # d= of other signatures
    mailers: tuple[str, ...] = ()  # X-Mailer, User-Agent
    message_id_hosts: tuple[str, ...] = ()  # right side of Message-ID
    addresses: tuple[str, ...] = ()  # sender addresses, display names
    helo_names: tuple[str, ...] = ()  # HELO or EHLO
    ptr_names: tuple[str, ...] = ()  # reverse names

    def by_trait(self) -> tuple[tuple[Trait, tuple[str, ...]], ...]:
        """The fields with what they are."""
        return (
            (Trait.DKIM, self.dkim_domains),
            (Trait.BOUNCE_SPF, self.bounce_passed),
            (Trait.SPF, self.spf_domains),
            (Trait.PTR, self.ptr_confirmed),
            (Trait.BOUNCE, self.bounce_domains),
            (Trait.DKIM_CLAIM, self.dkim_claims),
            (Trait.MAILER, self.mailers),
            (Trait.MESSAGE_ID, self.message_id_hosts),
            (Trait.ADDRESS, self.addresses),
            (Trait.HELO, self.helo_names),
            (Trait.PTR_CLAIM, self.ptr_names),
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """One trait that matched: what was seen (at most 200 characters, lower case), and the pattern it fits."""

    trait: Trait
    value: str
    pattern: str

    @property
    def strength(self) -> Strength:
        """Proof or claim."""
        return self.trait.strength


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that may be the sender, with the traits that say so, the most telling first; never without one."""

    entry: Entry
    hits: tuple[Hit, ...]

    @property
    def strength(self) -> Strength:
        """That of its strongest trait."""
        return max(hit.strength for hit in self.hits)

    @property
    def best(self) -> Hit:
        """The most telling trait."""
        return self.hits[0]
