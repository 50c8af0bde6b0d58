"""What holds of the rule whatever the tenant and whatever the message."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.address import Address, parse_address
from sidedoor.mail.domain import Domain, parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.policy.decision import Decision, Submission, Verdict
from sidedoor.policy.facts import Connection, Direction, Envelope, MessageFacts, Tls
from sidedoor.policy.reasons import REASONS
from sidedoor.policy.rule import Rule, decide
from sidedoor.policy.switches import Switches
from sidedoor.policy.worlds import FACTS, OTHER_FACTS, strictest
from sidedoor.tenant.snapshot import NOT_EXPORTED, AcceptedDomain, DomainKind, TenantSnapshot
from tests.policy.strategies import UNKNOWN, connections, envelopes, messages, snapshots, switches

MANY = settings(max_examples=120, deadline=None)
LIVE = MessageFacts()


@MANY
@given(snapshots(unknown=True), connections(unknown=True), envelopes(unknown=True), messages(unknown=True), switches())
def test_any_facts_give_a_decision(
    snapshot: TenantSnapshot, connection: Connection, envelope: Envelope, message: MessageFacts, reading: Switches
) -> None:
    decision = Rule(snapshot, reading).decide(connection, envelope, message)
    assert set(decision.reasons) <= REASONS.keys()
    assert set(decision.missing) <= {*FACTS, *OTHER_FACTS}
    assert (decision.verdict is Verdict.REJECT) == (not decision.reply.positive)
    if decision.submission is Submission.UNDETERMINED or decision.would_reject is None:
        assert decision.missing


@MANY
@given(snapshots(mixed=False), connections(), envelopes(), switches(), st.booleans())
def test_known_facts_at_the_door_are_never_undetermined(
    snapshot: TenantSnapshot, connection: Connection, envelope: Envelope, reading: Switches, exists: bool
) -> None:
    message = MessageFacts(recipient_exists=exists)
    decision = Rule(snapshot, reading).decide(connection, envelope, message)
    if "mx-unknown" not in decision.reasons:  # a subdomain's MX was not asked for
        assert decision.submission is not Submission.UNDETERMINED
        assert decision.missing == ()
    assert decision.would_reject is not None
    if decision.would_reject:
        assert decision.submission is Submission.DIRECT_SEND


def forgotten(
    draw: st.DrawFn, snapshot: TenantSnapshot, connection: Connection, envelope: Envelope
) -> tuple[TenantSnapshot, Connection, Envelope]:
    """The same with some facts made unknown."""
    lose = st.booleans()
    if draw(lose):
        snapshot = replace(snapshot, accepted_domains=UNKNOWN)
    if draw(lose):
        snapshot = replace(snapshot, inbound_connectors=UNKNOWN)
    if draw(lose):
        connection = replace(connection, authenticated_as=UNKNOWN)
    if draw(lose):
        connection = replace(connection, client_ip=UNKNOWN)
    if draw(lose):
        envelope = replace(envelope, envelope_sender=UNKNOWN)
    if draw(lose):
        tls = connection.tls
        assert not isinstance(tls, Unknown)
        connection = replace(connection, tls=None if tls is None else Tls(tls.version, UNKNOWN))
    return snapshot, connection, envelope


@MANY
@given(st.data(), snapshots(mixed=False), connections(), envelopes())
def test_forgetting_a_fact_never_contradicts_it(
    data: st.DataObject, snapshot: TenantSnapshot, connection: Connection, envelope: Envelope
) -> None:
    known = Rule(snapshot).decide(connection, envelope, LIVE)
    less, line, paper = forgotten(data.draw, snapshot, connection, envelope)  # type: ignore[arg-type]
    decision = Rule(less).decide(line, paper, LIVE)
    assert decision.would_reject in {known.would_reject, None}
    assert decision.submission in {known.submission, Submission.UNDETERMINED}


@MANY
@given(snapshots(), connections(), envelopes(), messages(unknown=True), st.randoms(use_true_random=False))
def test_the_order_of_accepted_domains_does_not_matter(
    snapshot: TenantSnapshot, connection: Connection, envelope: Envelope, message: MessageFacts, dice: Random
) -> None:
    assert not isinstance(snapshot.accepted_domains, Unknown)
    shuffled = list(snapshot.accepted_domains)
    dice.shuffle(shuffled)
    other = replace(snapshot, accepted_domains=tuple(shuffled))
    assert Rule(snapshot).decide(connection, envelope, message) == Rule(other).decide(connection, envelope, message)


@MANY
@given(snapshots(), connections(), envelopes(), switches())
def test_an_empty_connector_list_attributes_nothing(
    snapshot: TenantSnapshot, connection: Connection, envelope: Envelope, reading: Switches
) -> None:
    decision = Rule(replace(snapshot, inbound_connectors=()), reading).decide(connection, envelope, LIVE)
    assert decision.submission not in {Submission.PARTNER_CONNECTOR, Submission.ONPREMISES_CONNECTOR}
    assert decision.connector is None


@MANY
@given(snapshots(), connections(unknown=True), envelopes(unknown=True), messages(unknown=True))
def test_switching_it_on_refuses_what_would_be_refused(
    snapshot: TenantSnapshot, connection: Connection, envelope: Envelope, message: MessageFacts
) -> None:
    off = Rule(replace(snapshot, reject_direct_send=False)).decide(connection, envelope, message)
    on = Rule(replace(snapshot, reject_direct_send=True))
    refused = {each.reply.enhanced == "5.7.68" for each in on.worlds(connection, envelope, message)}
    if off.would_reject is not None and "too-many-unknowns" not in off.reasons:
        assert off.would_reject in refused
    assert on.decide(connection, envelope, message).would_reject is off.would_reject


@given(
    st.sampled_from(["not{}", "{}.evil.example", "x{}", "sub.{}"]),
    st.sampled_from(["contoso.com", "b\u00fccher.example"]),
)
def test_look_alikes_are_never_accepted(shape: str, name: str) -> None:
    own = parse_domain(name)
    snapshot = TenantSnapshot((AcceptedDomain(own, DomainKind.AUTHORITATIVE, match_subdomains=False),), (), True)
    envelope = Envelope(Address("a", parse_domain(shape.format(name))), Address("b", own))
    assert ask(snapshot, envelope).would_reject is False
    unicode = Envelope(parse_address(f"a@{name.upper()}."), Address("b", Domain(own.ascii)))
    assert ask(snapshot, unicode).reply.enhanced == "5.7.68"


def ask(snapshot: TenantSnapshot, envelope: Envelope) -> Decision:
    connection = Connection(parse_ip("192.0.2.1"), None, None, None)
    return decide(snapshot, connection, envelope, LIVE)


def test_worlds_show_the_strictest() -> None:
    own = AcceptedDomain(parse_domain("contoso.com"), DomainKind.AUTHORITATIVE, match_subdomains=False)
    rule = Rule(TenantSnapshot((own,), (), True))
    envelope = Envelope(NOT_EXPORTED, parse_address("b@contoso.com"))
    connection = Connection(parse_ip("192.0.2.1"), None, None, None)
    assert rule.decide(connection, envelope, LIVE).verdict is Verdict.ACCEPT
    assert not strictest(list(rule.worlds(connection, envelope, LIVE))).reply.positive


def test_direction_is_history_only() -> None:
    snapshot = TenantSnapshot((), (), True)
    envelope = Envelope(parse_address("a@contoso.com"), parse_address("b@contoso.com"))
    live = MessageFacts(direction=Direction.OUTBOUND)
    connection = Connection(parse_ip("192.0.2.1"), None, None, None)
    assert Rule(snapshot).decide(connection, envelope, live).reply.enhanced == "5.7.64"
