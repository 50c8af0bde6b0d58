"""DMARC evaluated for one message: organizational domains, alignment, policy (RFC 7489 and its successor RFC 9989)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from typing import TYPE_CHECKING

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mailauth.dmarc import Disposition, DmarcRecord, record_at
from sidedoor.mailauth.resolver import Kind, NoSuchName, Resolver

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

# RFC 9989: of a longer name the walk looks at the whole and then at its last seven labels, eight look-ups in all.
_WALKED_LABELS = 7


class Discovery(Enum):
    """How the organizational domain is found."""

    TREE_WALK = "tree-walk"  # by the records on the way up (RFC 9989)
    PUBLIC_SUFFIX = "public-suffix"  # by the public suffix list, one label below a suffix (RFC 7489 section 3.2)


class DmarcWord(StrEnum):
    """The result (RFC 7489 section 11.2)."""

    PASS = "pass"  # noqa: S105 - an aligned identifier passes
    FAIL = "fail"  # none does
    NONE = "none"  # no record asks for anything
    TEMPERROR = "temperror"  # DNS gave no answer
    PERMERROR = "permerror"  # there is no single author's domain to evaluate


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain for which a check passed."""

    domain: Domain
    passed: bool


@dataclass(frozen=True, slots=True)
class DmarcEvaluation:
    """`policy`: what the domain asks for, None without a record; `published_at` says where it stands.

    spf_aligned, dkim_aligned: whether an aligned identifier passes. would_pass: that one does, record or not
    (Microsoft's bestguesspass). testing: the owner asks that the policy be not applied (t=y, or pct=0).
    """

    word: DmarcWord
    reason: str
    policy: Disposition | None = None
    published_at: Domain | None = None
    spf_aligned: bool = False
    dkim_aligned: bool = False
    testing: bool = False

    @property
    def would_pass(self) -> bool:
        """Whether it would pass if there were a record."""
        return self.spf_aligned or self.dkim_aligned


def evaluate_dmarc(
    header_from: Sequence[Domain],
    spf: Identifier | None,
    dkim: Iterable[Identifier],
    resolver: Resolver,
    discovery: Discovery = Discovery.TREE_WALK,
) -> DmarcEvaluation:
    """Evaluate DMARC for the domains of header From. Raises nothing.

    `spf`: the envelope sender's domain (or HELO's for a null one), None where SPF was not checked.
    """
    authors = tuple(dict.fromkeys(header_from))
    if len(authors) != 1:
        what = "no author" if not authors else f"{len(authors)} domains of authors"
        return DmarcEvaluation(DmarcWord.PERMERROR, f"{what} in header From (RFC 7489 section 6.6.1)")
    author = authors[0]
    found = _policy_of(author, resolver, discovery)
    if isinstance(found, Unknown):
        return DmarcEvaluation(DmarcWord.TEMPERROR, f"DNS gave no answer: {found.reason}")
    signed = [identifier.domain for identifier in dkim if identifier.passed]
    sent = [spf.domain] if spf is not None and spf.passed else []
    strict_dkim, strict_spf = (found.record.strict_dkim, found.record.strict_spf) if found.record else (False, False)
    try:
        by_dkim = any(_aligned(author, each, resolver, discovery, strict=strict_dkim) for each in signed)
        by_spf = any(_aligned(author, each, resolver, discovery, strict=strict_spf) for each in sent)
    except _NoAnswerError as error:
        return DmarcEvaluation(DmarcWord.TEMPERROR, f"DNS gave no answer: {error}")
    return _result(author, found, by_spf=by_spf, by_dkim=by_dkim, resolver=resolver)


def _result(author: Domain, found: _Published, *, by_spf: bool, by_dkim: bool, resolver: Resolver) -> DmarcEvaluation:
    if found.record is None or found.domain is None:
        return DmarcEvaluation(
            DmarcWord.NONE, f"{author} and its organizational domain publish no policy", None, None, by_spf, by_dkim
        )
    policy = _applies(author, found.domain, found.record, resolver)
    testing = found.record.testing or found.record.pct == 0
    if by_spf or by_dkim:
        word, how = DmarcWord.PASS, " and ".join(["SPF"] * by_spf + ["DKIM"] * by_dkim)
        reason = f"{how} pass{'es' if by_spf != by_dkim else ''} in the name of {author}"
    else:
        word, reason = DmarcWord.FAIL, f"neither SPF nor DKIM passes in the name of {author}"
    return DmarcEvaluation(word, reason, policy, found.domain, by_spf, by_dkim, testing)


def _applies(author: Domain, published_at: Domain, record: DmarcRecord, resolver: Resolver) -> Disposition:
    """p for the domain itself, sp below it, np for names that do not exist (RFC 9091 section 2)."""
    if author == published_at:
        return record.p
    if record.np is not None and isinstance(resolver.lookup(author, Kind.A), NoSuchName):
        return record.np
    return record.sp or record.p


@dataclass(frozen=True, slots=True)
class _Published:
    """The policy record that holds, and where it stands; both None where there is none."""

    domain: Domain | None
    record: DmarcRecord | None


class _NoAnswerError(Exception):
    """DNS did not answer a question on which alignment depends."""


def _policy_of(author: Domain, resolver: Resolver, discovery: Discovery) -> Fact[_Published]:
    """The author domain's own record, else the organizational domain's (RFC 7489 section 6.6.3)."""
    own = record_at(author, resolver)
    if own is not None:
        return own if isinstance(own, Unknown) else _Published(author, own)
    organization = organizational_domain(author, resolver, discovery)
    if isinstance(organization, Unknown):
        return organization
    record = record_at(organization, resolver) if organization != author else None
    if record is not None:
        return record if isinstance(record, Unknown) else _Published(organization, record)
    return _of_suffix(organization, resolver) if discovery is Discovery.TREE_WALK else _Published(None, None)


def _of_suffix(organization: Domain, resolver: Resolver) -> Fact[_Published]:
    """The policy of the public suffix domain above, where that publishes one (psd=y)."""
    above = organization.ascii.partition(".")[2]
    record = record_at(Domain(above), resolver) if above else None
    if isinstance(record, Unknown):
        return record
    return _Published(Domain(above), record) if record is not None and record.psd == "y" else _Published(None, None)


def _aligned(author: Domain, other: Domain, resolver: Resolver, discovery: Discovery, *, strict: bool) -> bool:
    """Section 3.1: the same domain, or (relaxed) the same organizational domain."""
    if author == other:
        return True
    if strict:
        return False
    mine = organizational_domain(author, resolver, discovery)
    theirs = organizational_domain(other, resolver, discovery)
    for each in (mine, theirs):
        if isinstance(each, Unknown):
            raise _NoAnswerError(each.reason)
    return mine == theirs


def organizational_domain(
    domain: Domain, resolver: Resolver, discovery: Discovery = Discovery.TREE_WALK
) -> Fact[Domain]:
    """The domain that answers for `domain`; Unknown where DNS did not tell. The list comes with `publicsuffixlist`."""
    return organization_by_list(domain) if discovery is Discovery.PUBLIC_SUFFIX else _by_walk(domain, resolver)


def organization_by_list(domain: Domain) -> Domain:
    """One label below a public suffix; the domain itself where it is one. Asks nobody."""
    return Domain(_suffixes().privatesuffix(domain.ascii) or domain.ascii)


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def _by_walk(domain: Domain, resolver: Resolver) -> Fact[Domain]:
    """RFC 9989, DNS tree walk: psd=n is the organization, psd=y is just above it, else the highest record counts."""
    found: list[Domain] = []
    for place, name in enumerate(_way_up(domain)):
        record = record_at(name, resolver)
        if isinstance(record, Unknown):
            return record
        if record is None:
            continue
        if record.psd == "n":
            return name
        if record.psd == "y" and place:
            return _below(domain, name)
        found.append(name)
    return found[-1] if found else domain


def _way_up(domain: Domain) -> list[Domain]:
    labels = domain.ascii.split(".")
    start = max(1, len(labels) - _WALKED_LABELS)
    return [domain, *(Domain(".".join(labels[at:])) for at in range(start, len(labels)))]


def _below(domain: Domain, suffix: Domain) -> Domain:
    """The name one label below `suffix` on the way to `domain`."""
    labels = domain.ascii.split(".")
    return Domain(".".join(labels[-len(suffix.ascii.split(".")) - 1 :]))
