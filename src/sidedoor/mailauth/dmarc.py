"""DMARC policies as domains publish them, for reporting (RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mailauth.resolver import Failure, Kind, Query, Records, Resolver
from sidedoor.mailauth.spf.owner import owner_of

_TAG = re.compile(r"\s*([a-z]+)\s*=\s*([^;]*?)\s*", re.IGNORECASE | re.ASCII)
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")  # section 6.4: case-sensitive, and first


class Disposition(StrEnum):
    """What the domain asks receivers to do with mail that fails DMARC (section 6.3)."""

    NONE = "none"  # nothing; the domain only wants reports
    QUARANTINE = "quarantine"  # treat it as suspicious
    REJECT = "reject"  # refuse it


class DmarcError(ValueError):
    """The text is no DMARC policy record; the message says why."""


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """The tags of one record that decide.

    sp, np: for subdomains and for those that do not exist (RFC 9091), None where the record leaves it to p or sp.
    pct: 0 to 100 (RFC 7489). strict_dkim, strict_spf: adkim=s and aspf=s. psd: y, n or u; testing: t=y (RFC 9989).
    """

    p: Disposition
    sp: Disposition | None = None
    pct: int = 100
    np: Disposition | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    testing: bool = False

    def __str__(self) -> str:
        parts = ["v=DMARC1", f"p={self.p}"]
        parts += [f"{name}={value}" for name, value in (("sp", self.sp), ("np", self.np)) if value]
        parts += ["adkim=s"] * self.strict_dkim + ["aspf=s"] * self.strict_spf
        parts += [f"psd={self.psd}"] * (self.psd != "u") + ["t=y"] * self.testing
        return "; ".join([*parts, f"pct={self.pct}"])


@dataclass(frozen=True, slots=True)
class DmarcPolicy:
    """The policy that holds for a domain: `published_at` is the domain whose record says so, `applies` what it asks."""

    published_at: Domain
    record: DmarcRecord
    applies: Disposition


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is a DMARC record at all."""
    return _VERSION.match(text) is not None


def parse_dmarc(text: str) -> DmarcRecord:
    """Parse `v=DMARC1; p=reject; ...`; unknown tags are ignored. Raises DmarcError."""
    if not is_dmarc(text):
        raise DmarcError(f"{text[:40]!r} does not begin with v=DMARC1")
    tags: dict[str, str] = {}
    for part in text.split(";")[1:]:
        match = _TAG.fullmatch(part)
        if match:
            tags.setdefault(match[1].lower(), match[2].lower())
    if "p" not in tags and "rua" in tags:
        return DmarcRecord(Disposition.NONE)  # section 6.6.3, step 6
    policy = _disposition(tags.get("p", ""))
    if policy is None:
        raise DmarcError(f"p={tags.get('p', '')[:40]!r} is no policy")
    # Any other tag that cannot be read is as if it were not there.
    return DmarcRecord(
        policy,
        _disposition(tags.get("sp", "")),
        _pct(tags),
        _disposition(tags.get("np", "")),
        strict_dkim=tags.get("adkim") == "s",
        strict_spf=tags.get("aspf") == "s",
        psd=tags["psd"] if tags.get("psd") in {"y", "n"} else "u",
        testing=tags.get("t") == "y",
    )


def _disposition(text: str) -> Disposition | None:
    return Disposition(text) if text in set(Disposition) else None


def dmarc_policy(domain: Domain, resolver: Resolver) -> Fact[DmarcPolicy | None]:
    """The policy for mail whose header From is in `domain`: its own record, or its organisational domain's.

    None where neither publishes a (single, readable) record; Unknown where DNS did not answer. The organisational
    domain is found by `owner_of`, not by the public suffix list: good enough to report, not to enforce.
    """
    organisation = Domain(owner_of(domain.ascii))
    for publisher in dict.fromkeys((domain, organisation)):
        record = record_at(publisher, resolver)
        if isinstance(record, Unknown):
            return record
        if record is not None:
            own = publisher == domain
            return DmarcPolicy(publisher, record, record.p if own else record.sp or record.p)
    return None


def queries(domains: Iterable[Domain]) -> list[Query]:
    """What `dmarc_policy` asks."""
    names = {name for domain in domains for name in (domain.ascii, owner_of(domain.ascii))}
    return [(f"_dmarc.{name}", Kind.TXT) for name in sorted(names)]


def record_at(domain: Domain, resolver: Resolver) -> Fact[DmarcRecord | None]:
    """The single readable record that `domain` itself publishes, None for none, Unknown where DNS did not answer."""
    answer = resolver.lookup(f"_dmarc.{domain}", Kind.TXT)
    if isinstance(answer, Failure):
        return Unknown(answer.reason)
    texts = [text for text in answer.values if is_dmarc(text)] if isinstance(answer, Records) else []
    if len(texts) != 1:
        return None  # section 6.6.3, step 5: several records are none
    try:
        return parse_dmarc(texts[0])
    except DmarcError:
        return None


def _pct(tags: dict[str, str]) -> int:
    text = tags.get("pct", "100")
    return min(100, int(text)) if re.fullmatch(r"[0-9]{1,3}", text) else 100
