"""A plan's proof, done again without classes, flows or caches: each message of a demo tenant decided by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sidedoor.audit.model import Verdict
from sidedoor.cli.main import main
from sidedoor.mail.address import NULL_REVERSE_PATH, Address, EnvelopeSender, parse_address
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.plan.model import Choice, Method, Plan
from sidedoor.plan.words import parse_words
from sidedoor.policy.decision import Decision, Submission
from sidedoor.policy.decision import Verdict as DoorVerdict
from sidedoor.policy.facts import ClientCertificate, Connection, Direction, Entry, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import Rule
from sidedoor.report import kept_report, tenant_json
from sidedoor.tenant.settings import inbound_connector
from sidedoor.tenant.snapshot import ConnectorKind, TenantSnapshot
from tests.plan.plan_kit import planned

pytestmark = pytest.mark.xdist_group("replay")  # what the module makes once is made by one worker

NOT_TOLD = Unknown("not in the file")
LOGS_IN = {Method.GRAPH, Method.SMTP_AUTH_OAUTH, Method.HVE, Method.LOCAL_RELAY}
KEPT_OUT = {Method.UNSAVABLE, Method.REFUSE, Method.UNDECIDED}
ROWS = 6_000


@dataclass(frozen=True)
class Tenant:
    """A demo tenant's plan, the settings it was made for, and the messages of its history."""

    plan: Plan
    snapshot: TenantSnapshot
    messages: list[dict[str, Any]]
    words: str


@pytest.fixture(scope="module", params=["", "203.0.113.16/28", "203.0.113.22"])
def tenant(request: Any, tmp_path_factory: Any) -> Tenant:
    """Of the bare report; or with a certificate, a relay, and ranges of the wrong sender's that let a spoof in."""
    folder: Path = tmp_path_factory.mktemp("demo")
    assert (
        main(["demo", str(folder / "tenant"), "--rows", str(ROWS), "--seed", "11", "--domain", "litware.example"]) == 0
    )
    zones = ["--dns", str(folder / "tenant" / "zones")]
    assert main(["audit", str(folder / "tenant"), *zones, "-o", str(folder / "report"), "--quiet"]) == 0
    words = _words(folder / "report", request.param) if request.param else ""
    made = planned(folder / "report", parse_words(words, "plan.toml"))
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{folder / 'report' / 'messages.parquet'}')")
        names = [column[0] for column in found.description]
        messages = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return Tenant(made.plan, tenant_json.read(folder / "report").snapshot, messages, request.param)


def _words(report: Path, doors: str) -> str:
    senders = {sender.name: sender.id for sender in kept_report.read(report).senders}

    def of(part: str) -> str:
        return next(sender for name, sender in senders.items() if part in name)

    return f"""
[senders.{of("hr.")}]
certificate = "hr.litware.example"
[senders.{of("erp.")}]
certificate = "erp.litware.example"
[senders.{of("branch-west")}]
method = "local-relay"
relay = "main"
[senders.{of("MFP-HQ3")}]
addresses = ["203.0.113.0/28"]
[senders.{of("mon01.")}]
assessment = "spoofing"
[senders.{of("doors.")}]
assessment = "legitimate"
addresses = ["{doors}"]
[relays.main]
addresses = ["203.0.113.5"]
"""


def door(snapshot: TenantSnapshot, plan: Plan, *, after: bool) -> Rule:
    """The tenant as Get-InboundConnector would show it with the plan's connectors, and the switch on."""
    rows = list(snapshot.known_connectors)
    for each in plan.connectors if after else ():
        assert each.before is None, "the demo tenant has no connector that a plan changes"
        settings = each.settings
        rows.append(
            inbound_connector(
                {
                    "Name": each.name, "Enabled": True, "ConnectorType": each.kind.value,
                    "SenderDomains": [f"smtp:{name};1" for name in settings.sender_domains],
                    "SenderIPAddresses": list(settings.addresses), "RequireTls": settings.require_tls,
                    "TlsSenderCertificateName": settings.certificate_name, "AssociatedAcceptedDomains": [],
                    "RestrictDomainsToIPAddresses": settings.restrict_to_addresses,
                    "RestrictDomainsToCertificate": settings.restrict_to_certificate,
                }
            )
        )  # fmt: skip
    return Rule(replace(snapshot, inbound_connectors=tuple(rows), reject_direct_send=True))


def facts(row: Mapping[str, Any], snapshot: TenantSnapshot) -> tuple[Connection, Envelope, MessageFacts]:
    """What a row of messages.parquet tells, by itself."""
    address = row["client_ip"]
    client = NOT_TOLD if address is None else (parse_ip(address) if address else None)
    tls: Fact[Tls | None] = NOT_TOLD if row["tls"] is None else (None if row["tls"] == "none" else Tls("", NOT_TOLD))
    message = MessageFacts(
        connector=NOT_TOLD if row["connector"] is None else (row["connector"] or None),
        direction=NOT_TOLD if row["direction"] is None else Direction(row["direction"]),
        accepted=True,
        entry=NOT_TOLD if row["entry"] is None else Entry(row["entry"]),
    )
    recipient = NOT_TOLD if row["recipient"] is None else parse_address(row["recipient"])
    envelope = Envelope(_sender(row, snapshot), recipient)
    return Connection(client_ip=client, tls=tls, authenticated_as=NOT_TOLD), envelope, message


def _sender(row: Mapping[str, Any], snapshot: TenantSnapshot) -> Fact[EnvelopeSender]:
    """A listed sender stands for the envelope's where it is foreign (decision 0004)."""
    text = row["envelope_sender"]
    if text is None:
        listed = row["listed_sender"]
        if listed is None or (listed != "<>" and snapshot.accepts(parse_address(listed).domain)):
            return NOT_TOLD
        text = listed
    return NULL_REVERSE_PATH if text == "<>" else parse_address(text)


def outcome(decision: Decision) -> str:
    if "verdict-depends-on-unknown" in decision.reasons:
        return "undetermined"
    return "refused" if decision.verdict is DoorVerdict.REJECT else "accepted"


@dataclass(frozen=True)
class Judged:
    """One message at the door of today and at that of the plan."""

    sender: str
    before: Decision
    closed: Decision
    after: Decision | None  # None: it submits with a login


def judged(tenant: Tenant) -> Iterator[Judged]:
    choices = {choice.sender: choice for choice in tenant.plan.choices}
    today, planned_door = (door(tenant.snapshot, tenant.plan, after=after) for after in (False, True))
    new = frozenset(each.settings.certificate_name for each in tenant.plan.connectors if each.settings.certificate_name)
    for row in tenant.messages:
        connection, envelope, message = facts(row, tenant.snapshot)
        choice = choices.get(row["sender_id"])
        before = today.decide_again(connection, envelope, message)
        shown = connection if connection.tls is None else _showing(connection, choice)
        closed = planned_door.decide_again(shown, envelope, message, new)
        after: Decision | None = closed
        if choice is not None and before.submission not in {Submission.OUTBOUND, Submission.AUTHENTICATED}:
            after = _moved(choice, planned_door, connection, envelope, message, new)
        yield Judged(row["sender_id"] or "", before, closed, after)


def _showing(connection: Connection, choice: Choice | None) -> Connection:
    if choice is None or choice.certificate is None:
        return connection
    return replace(connection, tls=Tls("", ClientCertificate(None, (choice.certificate,))))


def _moved(  # noqa: PLR0917  # a message, and who it is from
    choice: Choice, rule: Rule, connection: Connection, envelope: Envelope, message: MessageFacts, new: frozenset[str]
) -> Decision | None:
    if choice.relay == "main":
        connection = replace(connection, client_ip=parse_ip("203.0.113.5"))
    elif choice.method in LOGS_IN:
        return None
    if choice.method is Method.RETURN_PATH:
        assert choice.return_path is not None
        envelope = replace(envelope, envelope_sender=Address("sender", Domain(choice.return_path)))
    return rule.decide_again(_showing(connection, choice), envelope, message, new)


def test_every_count_of_the_replay_is_that_of_single_messages(tenant: Tenant) -> None:
    plan, replay = tenant.plan, tenant.plan.replay
    choices = {choice.sender: choice for choice in plan.choices}
    counts: Counter[tuple[str, str, str]] = Counter()
    found: Counter[str] = Counter()
    new = {each.name for each in plan.connectors}
    for each in judged(tenant):
        before, closed = outcome(each.before), outcome(each.closed)
        after = "accepted" if each.after is None else outcome(each.after)
        for when, what in (("before", before), ("closed", closed), ("after", after)):
            counts[each.sender, when, what] += 1
        choice = choices.get(each.sender)
        honest = choice is not None and choice.assessment is Verdict.LEGITIMATE and choice.method not in KEPT_OUT
        spoof = choice is not None and choice.assessment is Verdict.SPOOFING
        found["honest_refused"] += honest and after == "refused"
        found["honest_undetermined"] += honest and after == "undetermined"
        found["spoofing_refused"] += spoof and after == "refused"
        admitted = each.after is not None and each.after.connector in new and before != "accepted"
        found["spoofing_admitted"] += spoof and after == "accepted" and admitted
        found["undetermined"] += after == "undetermined"
        caught = after == "refused" and each.after is not None and str(each.after.reply.enhanced) == "5.7.51"
        left_alone = choice is None or (choice.assessment is Verdict.UNCLEAR and choice.method is Method.NOTHING)
        newly = caught and str(each.before.reply.enhanced) != "5.7.51"
        found["newly_restricted"] += newly and (honest or left_alone)
    assert {name: getattr(replay, name) for name in found} == dict(found)
    assert replay.messages == len(tenant.messages)
    for sender in replay.senders:
        for when in ("before", "closed", "after"):
            tally = getattr(sender, when)
            told = {what: getattr(tally, what) for what in ("accepted", "refused", "undetermined")}
            assert told == {what: counts[sender.sender, when, what] for what in told}, (sender.sender, when)
    for when in ("before", "closed", "after"):
        total = sum(number for (_, at, what), number in counts.items() if (at, what) == (when, "refused"))
        assert getattr(replay, when).refused == total


def test_the_door_itself_answers_as_the_replay_says(tenant: Tenant) -> None:
    """Mail of the report's senders whose client is known, told to the rule as a live edge would tell it."""
    choices = {choice.sender: choice for choice in tenant.plan.choices}
    rule = door(tenant.snapshot, tenant.plan, after=True)
    seen: Counter[str] = Counter()
    for row in tenant.messages:
        choice = choices.get(row["sender_id"])
        if choice is None or choice.method in LOGS_IN | {Method.RETURN_PATH} or choice.certificate:
            continue
        connection, envelope, _ = facts(row, tenant.snapshot)
        if any(isinstance(fact, Unknown) for fact in (connection.client_ip, envelope.envelope_sender)):
            continue
        tls = Tls("", None) if row["tls"] not in {None, "none"} else None
        live = rule.decide(
            replace(connection, tls=tls, authenticated_as=None), envelope, MessageFacts(recipient_exists=True)
        )
        seen[choice.sender] += live.verdict is DoorVerdict.REJECT
    told = {each.sender: each.after for each in tenant.plan.replay.senders}
    for sender, refused in seen.items():
        if not told[sender].undetermined:
            assert refused == told[sender].refused, sender
    assert sum(seen.values()) > 0


def test_both_plans_have_something_to_prove(tenant: Tenant) -> None:
    replay = tenant.plan.replay
    assert replay.before.refused > replay.after.refused > 0
    kinds = {each.kind for each in tenant.plan.connectors}
    if tenant.words:  # a certificate is shown from an IPv6 address, which no restriction could list
        assert kinds == set(ConnectorKind)
        assert replay.spoofing_admitted > 0
        assert replay.honest_refused > 0
    else:
        assert kinds == {ConnectorKind.PARTNER}
