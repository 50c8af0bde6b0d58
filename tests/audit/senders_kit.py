"""Single flows and contexts for tests of senders: a plain Direct Send flow, changed by keyword."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sidedoor.audit.context import AssessmentContext, SpfEvidence
from sidedoor.audit.flow import Flow
from sidedoor.catalogue.catalogue import Catalogue, load_catalogue
from sidedoor.catalogue.read import read_entries
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict

START = date(2026, 9, 1)
WINDOW = (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 30, 23, 59, tzinfo=UTC))
FAILING: dict[str, Any] = {
    "spf": {"fail": 10}, "dkim": {"none": 10}, "dmarc": {"fail": 10}, "compauth": {"fail": 10},
    "compauth_reason": {"601": 10},
}  # fmt: skip


@dataclass(frozen=True)
class Spf:
    """An SPF answer."""

    result: str
    path: tuple[tuple[str, str], ...] = ()
    owner: str | None = None


@dataclass(frozen=True)
class Use:
    """What DMARC reports say of one address."""

    messages: int = 100
    passed: int = 0
    failed: int = 0
    reporters: tuple[str, ...] = ("example.net",)
    first: datetime | None = None
    last: datetime | None = None
    header_from: Mapping[str, int] = field(default_factory=lambda: {"contoso.com": 100})
    signers: Mapping[str, int] = field(default_factory=dict)
    source_ip: str = "203.0.113.10"


@dataclass(frozen=True)
class Uses:
    """Reports by address."""

    uses: Mapping[str, Use]

    def of(self, ip: str) -> Use | None:
        return self.uses.get(ip)

    def sources(self) -> tuple[Use, ...]:
        return tuple(self.uses.values())


def decision(submission: Submission = Submission.DIRECT_SEND, *, would_reject: bool | None = True) -> Decision:
    return Decision(
        Verdict.ACCEPT, Reply(250, "", "OK"), submission, Step.ACCEPTED, Certainty.DOCUMENTED, would_reject=would_reject
    )


def flow(
    number: int = 1,
    ip: str | None = "203.0.113.10",
    *,
    days: Sequence[int] = (3,),
    senders: Mapping[str, int] | None = None,
    hours: Sequence[int] = (9,),
    submission: Submission = Submission.DIRECT_SEND,
    would_reject: bool | None = True,
    messages: int | None = None,
    **changes: Any,
) -> Flow:
    """A flow of `messages` (10 unless told) on `days` after 1 September 2026 at `hours`."""
    senders = {"scan@contoso.com": 10} if senders is None else senders
    total = messages if messages is not None else max(1, sum(senders.values()))
    profile = [0] * 24
    for number_of_message in range(total):
        profile[hours[number_of_message % len(hours)]] += 1
    calendar = tuple(START + timedelta(days=day) for day in sorted(days))
    plain = Flow(
        id=number, client_ip=ip, envelope_domain="contoso.com", listed_domain=None, header_from_domain="contoso.com",
        helo=None, tls=None, connector="", direction="incoming",
        decision=decision(submission, would_reject=would_reject), messages=total, distinct_senders=len(senders),
        distinct_recipients=1, self_addressed=0,
        first_seen=datetime.combine(calendar[0], datetime.min.time(), UTC) + timedelta(hours=min(hours)),
        last_seen=datetime.combine(calendar[-1], datetime.min.time(), UTC) + timedelta(hours=max(hours)),
        days=calendar, hours=tuple(profile), envelope_senders=tuple(senders.items()),
        header_froms=tuple(senders.items()), own_header_from=True,
    )  # fmt: skip
    return replace(plain, **changes)


def context(
    spf: Mapping[tuple[str, str], Spf] | None = None,
    *,
    reverse: Mapping[str, Fact[tuple[str, ...]]] | None = None,
    logins: Mapping[str, int] | None = None,
    catalogue: str | None = None,
    reported: Mapping[str, Use] | None = None,
) -> AssessmentContext:
    """contoso.com in September 2026; SPF as told, unknown otherwise; the catalogue's entries as TOML."""
    answers = dict(spf or {})

    def lookup(domain: str, address: str) -> SpfEvidence | None:
        return answers.get((domain, address))

    entries = load_catalogue()
    if catalogue is not None:
        entries = Catalogue(read_entries(catalogue, "entries.toml") if catalogue else ())
    accepted = frozenset({Domain("contoso.com")})
    return AssessmentContext(accepted, WINDOW, lookup, reverse or {}, logins or {}, entries, Uses(reported or {}))
