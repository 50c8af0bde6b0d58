"""Audits for the tests of all writers: a rich one, its hostile twin, an empty one and a very large one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sidedoor.audit.model import (
    Audit,
    Coverage,
    DayCount,
    Disagreement,
    FileCoverage,
    MissingFact,
    Readiness,
    Reason,
    ReportedSource,
    Sender,
    Simulation,
    TenantSummary,
    Verdict,
)
from sidedoor.policy.decision import Submission
from sidedoor.report.view import MX

START = datetime(2026, 10, 25, 0, 4, tzinfo=UTC)
END = datetime(2026, 11, 22, 23, 50, tzinfo=UTC)

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    '\ufeff =HYPERLINK("http://192.0.2.1")',
    "＝1+1",
    "ok;=1+1",
    "+1-800-555-0100",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r\n=1",
    "'\"><img src=x onerror=alert(1)>",
    "a\u202egnp.exe",
    "\x1b[31mred\x1b[0m\x07",
    "\x9b2J\u200b\u2066x",
    "[bold red]markup[/]",
    "[/]",
    "{{ 7 * 7 }}{% raw %}",
    "</style><style>*{display:none}",
    "--><!--",
    "&lt;&#x3c;b&#x3e;",
    "\ud800lone",
    "x" * 10_000,
    "\u202e" * 50,
)


def sender(number: int, **changes: Any) -> Sender:
    """A dull Direct Send sender; name what matters."""
    base = Sender(
        id=f"s-{number:04}",
        name=f"Device {number}",
        submission=Submission.DIRECT_SEND,
        assessment=Verdict.LEGITIMATE,
        confidence=0.9,
        reasons=(Reason("spf-pass", "SPF passes: the address is published for contoso.com.", 2.0),),
        networks=(f"203.0.113.{number % 250}",),
        envelope_domains=("contoso.com",),
        mail_from=("scan@contoso.com",),
        helo=(f"mfp{number}.contoso.com",),
        service=None,
        messages=100,
        recipients=7,
        first_seen=START,
        last_seen=END,
        active_days=20,
        authentication={"spf": {"pass": 100}, "dkim": {"none": 100}, "dmarc": {"pass": 100}},
        would_reject=100,
        would_reject_unknown=0,
        recommendation="Give it an inbound connector that matches its address.",
        header_from=("scan@contoso.com",),
    )
    return dataclasses.replace(base, **changes)


def _scanner() -> Sender:
    return sender(
        1,
        id="s-scan-hq",
        name="Multifunction printers, head office",
        confidence=0.96,
        reasons=(
            Reason("spf-pass", "SPF passes for 1,204 of 1,204 messages: contoso.com publishes 203.0.113.10.", 3.0),
            Reason("steady-days", "It sends on 20 working days and rests at weekends.", 1.5),
            Reason("device-helo", "It introduces itself as MFP-HQ3, the name of a multifunction printer.", 1.0),
            Reason("no-dkim", "Its messages carry no DKIM signature.", -0.5),
        ),
        networks=("203.0.113.10/32", "203.0.113.11/32"),
        mail_from=("scan-hq3@contoso.com", "scan-hq4@contoso.com"),
        header_from=("scan-hq3@contoso.com", "scan-hq4@contoso.com"),
        helo=("MFP-HQ3", "MFP-HQ4"),
        messages=1_204,
        recipients=88,
        would_reject=1_204,
        authentication={"spf": {"pass": 1_204}, "dkim": {"none": 1_204}, "dmarc": {"pass": 1_204}},
        recommendation="Add an inbound connector that matches 203.0.113.10 and 203.0.113.11, then close the door.",
    )


def _monitoring() -> Sender:
    return sender(
        2,
        id="s-mon",
        name="mon01.contoso.com",
        confidence=0.78,
        reasons=(
            Reason("ptr-own", "The address 203.0.113.22 has a reverse name in contoso.com that leads back to it.", 2.0),
            Reason("spf-softfail", "SPF does not cover the address (softfail).", -1.0),
            Reason("round-the-clock", "It sends at every hour of the day, like a monitoring system.", 0.5),
        ),
        networks=("203.0.113.22/32", "2001:db8:10::25/128"),
        mail_from=("alerts@contoso.com",),
        helo=("mon01.contoso.com",),
        messages=412,
        recipients=2,
        would_reject=370,
        would_reject_unknown=42,
        authentication={"spf": {"softfail": 412}, "dmarc": {"fail": 412}, "compauth": {"fail": 412}},
        recommendation="Let it log in (SMTP AUTH or High Volume Email), or match its address with a connector.",
    )


def _unclear() -> Sender:
    return sender(
        3,
        id="s-crm",
        name="o40.mailer.fabrikam.com",
        assessment=Verdict.UNCLEAR,
        confidence=0.4,
        reasons=(
            Reason("service-known", "The address belongs to a mail service that others use too.", 0.5),
            Reason("spf-fail", "SPF fails: contoso.com does not publish the service.", -1.0),
        ),
        networks=("198.51.100.0/28",),
        mail_from=("newsletter@contoso.com", "events@contoso.com"),
        helo=("o40.mailer.fabrikam.com",),
        service="Fabrikam Mailer",
        messages=63,
        recipients=41,
        active_days=3,
        would_reject=63,
        authentication={"spf": {"fail": 63}, "dkim": {"pass": 61, "none": 2}, "dmarc": {"pass": 61, "fail": 2}},
        recommendation="Ask the marketing department whether it uses this service; then tell Sidedoor.",
    )


def _burglar() -> Sender:
    return sender(
        4,
        id="s-burst",
        name="192.0.2.66",
        assessment=Verdict.SPOOFING,
        confidence=0.99,
        reasons=(
            Reason("self-addressed", "311 of 318 messages claim to come from their own recipient.", -4.0),
            Reason("spf-fail", "SPF fails for every message.", -2.0),
            Reason("burst", "All of it came within 3 hours of one day.", -1.5),
        ),
        networks=("192.0.2.66/32",),
        mail_from=tuple(f"user{number}@contoso.com" for number in range(50)),
        helo=("[127.0.0.1]",),
        messages=318,
        recipients=311,
        first_seen=datetime(2026, 11, 17, 3, 2, tzinfo=UTC),
        last_seen=datetime(2026, 11, 17, 5, 49, tzinfo=UTC),
        active_days=1,
        would_reject=318,
        authentication={"spf": {"fail": 318}, "dkim": {"none": 318}, "dmarc": {"fail": 318}},
        recommendation="Nothing to keep: closing Direct Send stops it. Warn the 311 recipients.",
    )


def _header_from_spoof() -> Sender:
    return sender(
        5,
        id="s-p2",
        name="bulk.attacker.example",
        submission=Submission.INTERNET,
        assessment=Verdict.SPOOFING,
        confidence=0.88,
        reasons=(Reason("dmarc-fail", "DMARC fails: nothing aligned with contoso.com is authenticated.", -3.0),),
        networks=("192.0.2.128/25",),
        envelope_domains=("bulk.attacker.example",),
        mail_from=("bounce@bulk.attacker.example",),
        header_from=("ceo@contoso.com",),
        messages=29,
        recipients=29,
        would_reject=0,
        active_days=2,
        authentication={"spf": {"pass": 29}, "dmarc": {"fail": 29}},
        recommendation="RejectDirectSend does not stop it: publish DMARC with p=reject.",
    )


def _direct() -> Sender:
    return sender(
        6,
        id="s-direct",
        name="mta.fabrikam.example",
        submission=Submission.SENT_DIRECTLY,
        assessment=Verdict.UNCLEAR,
        confidence=0.3,
        reasons=(Reason("beside-mx", "It came straight to Exchange Online; the MX leads to a filter.", -0.5),),
        envelope_domains=("fabrikam.example",),
        mail_from=("news@fabrikam.example",),
        header_from=("news@fabrikam.example",),
        messages=17,
        recipients=12,
        would_reject=0,
        recommendation="Lock Exchange Online to your mail filter with a Partner connector for all domains.",
    )


def _timeline() -> tuple[DayCount, ...]:
    days = []
    for offset in range(29):
        at = START.date() + timedelta(days=offset)
        workday = at.weekday() < 5
        days.append(
            DayCount(
                at, 74 + offset % 7 if workday else 12, 318 if at.day == 17 else 0, 21 if at.day in {3, 4, 5} else 0
            )
        )
    return tuple(days)


def _coverage() -> Coverage:
    return Coverage(
        messages=48_211,
        files=(
            FileCoverage("exports/MTSummary_2026-11.csv", "historical-enhanced", 43_300, 3),
            FileCoverage(
                "exports/trace_1.json",
                "message-trace-v2",
                5_000,
                0,
                "exactly 5,000 rows, a limit of the service: probably cut off; export shorter periods",
            ),
            FileCoverage("exports/OrganizationConfig.json", "tenant-settings", 0, 0),
            FileCoverage("exports/notes.txt", "skipped", 0, 0, "skipped: no known format"),
        ),
        missing=(
            MissingFact(
                "connector",
                "a message trace has no connector column, and a connector here could have matched",
                "EmailEvents (Connectors) or Get-MessageTraceDetailV2 (ConnectorId)",
                42,
            ),
            MissingFact("mx", "without the published MX nobody can tell the doors apart", "run with DNS", 0),
        ),
        merged_records=89,
        expanded_records=3,
        disagreements=(
            Disagreement("client_ip", "historical-enhanced", "message-trace-v2", 4, "192.0.2.66 against 192.0.2.67"),
        ),
        warnings=('the connector "Relay" lists an IPv6 address, which Exchange Online does not allow',),
    )


def _reported() -> tuple[ReportedSource, ...]:
    return (
        ReportedSource(
            "203.0.113.10",
            None,
            "s-scan-hq",
            320,
            318,
            2,
            ("Example Net", "Woodgrove"),
            START,
            END,
            ("contoso.com",),
            (),
        ),
        ReportedSource(
            "198.51.100.200",
            "Fabrikam Mailer",
            None,
            12,
            0,
            12,
            ("Example Net",),
            None,
            None,
            ("contoso.com",),
            ("fabrikam.com",),
        ),
    )


def rich_audit() -> Audit:
    """Every section has something in it."""
    return Audit(
        tenant=TenantSummary(
            name="contoso.onmicrosoft.com",
            accepted_domains=("contoso.com", "contoso.onmicrosoft.com"),
            reject_direct_send=False,
            inbound_connectors=(
                {
                    "name": "Inbound from Hygiene",
                    "kind": "Partner",
                    "enabled": None,
                    "matches_by": ["198.51.100.77/32"],
                    "sender_domains": ["*"],
                    "restricts": [],
                    "warnings": [],
                },
            ),
        ),
        window=(START, END),
        coverage=_coverage(),
        totals={
            Submission.DIRECT_SEND: 1_955,
            Submission.SENT_DIRECTLY: 17,
            Submission.INTERNET: 31_022,
            Submission.PARTNER_CONNECTOR: 9_104,
            Submission.AUTHENTICATED: 6_071,
            Submission.UNDETERMINED: 42,
        },
        senders=(_scanner(), _monitoring(), _unclear(), _burglar(), _header_from_spoof(), _direct()),
        simulation=Simulation(
            rejected=1_955,
            rejected_legitimate=1_574,
            rejected_spoofing=318,
            rejected_unclear=63,
            undetermined=42,
            header_from_spoofs=29,
            sent_directly=17,
        ),
        readiness=Readiness("not-ready", ("s-scan-hq", "s-mon", "s-crm")),
        timeline=_timeline(),
        generated_at=datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
        reported=_reported(),
        reported_messages=332,
        switches=(
            {
                "name": "subdomains",
                "value": "exact",
                "default": "honoured",
                "certainty": "assumed",
                "meaning": "Whether MatchSubDomains makes a subdomain own for RejectDirectSend.",
            },
        ),
    )


def ready_audit() -> Audit:
    """Nothing honest uses the door."""
    audit = rich_audit()
    return dataclasses.replace(
        audit,
        senders=(_burglar(),),
        simulation=Simulation(318, 0, 318, 0, 0, 0, 0),
        readiness=Readiness("ready", ()),
    )


def empty_audit() -> Audit:
    """Nothing was found and nothing is known."""
    return Audit(
        tenant=TenantSummary("", None, None, None),
        window=None,
        coverage=Coverage(0, (), ()),
        totals={},
        senders=(),
        simulation=Simulation(0, 0, 0, 0, 0, 0, 0),
        readiness=Readiness("undetermined", ()),
        timeline=(),
        generated_at=datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
    )


def large_audit(senders: int = 5_000) -> Audit:
    """More senders than a page can show as cards, with as many addresses each as the model allows."""
    addresses = tuple(f"mailbox{number}@department{number}.contoso.com" for number in range(50))
    verdicts = tuple(Verdict)
    made = tuple(
        sender(number, assessment=verdicts[number % 3], messages=senders - number, mail_from=addresses, helo=addresses)
        for number in range(senders)
    )
    day = DayCount(date(2026, 11, 1), 10, 5, 1)
    return dataclasses.replace(
        rich_audit(), senders=made, timeline=(day,), readiness=Readiness("not-ready", (made[0].id, made[-2].id))
    )


def map_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same shape with every text changed; enums, figures and times stay.

    Ids of senders and blockers, equal before, stay equal, because `change` sees equal texts.
    """
    if isinstance(value, str):
        return change(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        state = {"state": fields["state"]} if isinstance(value, Readiness) else {}
        return type(value)(**{name: map_text(item, change) for name, item in fields.items()} | state)
    if isinstance(value, tuple | list):
        return type(value)(map_text(item, change) for item in value)
    if isinstance(value, Mapping):
        return {map_key(key, change): map_text(item, change) for key, item in value.items()}
    return value


# Fixed by the model, not read from anywhere.
KEPT_KEYS = frozenset(
    {"spf", "dkim", "dmarc", "compauth", "name", "value", "certainty", "meaning", "default"}
    | {"kind", "enabled", "matches_by", "restricts", "sender_domains", "warnings"}
)


def map_key(key: Any, change: Callable[[str], str]) -> Any:
    """Keys that the model fixes stay; result words of authentication come from outside and change."""
    return change(key) if isinstance(key, str) and key not in KEPT_KEYS else key


def hostile_audit() -> Audit:
    """The rich audit with an attack in every text, all different where the originals were."""
    seen: dict[str, str] = {MX: MX}  # our own word, which the page asks for

    def attack(text: str) -> str:
        return seen.setdefault(text, f"{HOSTILE[len(seen) % len(HOSTILE)]}{len(seen)}")

    changed = map_text(rich_audit(), attack)
    assert isinstance(changed, Audit)
    return changed
