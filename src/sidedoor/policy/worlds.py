"""Unknown facts as possible worlds: every way the unknown could be, and what the answers have in common.

`completions` yields worlds with their choices (which option of each fact, as numbers); `merge` compares the decisions.
A fact is `missing` where two worlds that differ in it alone are decided differently. See docs/decisions/0002.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple, TypeAlias, TypeVar

from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.attribution import by_name
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict
from sidedoor.policy.entry import attributed, entry_of, fits, told
from sidedoor.policy.examples import LOCKED_TABLE, NO_CONNECTORS, Examples
from sidedoor.policy.facts import ClientCertificate, Connection, Direction, Entry, Envelope, MessageFacts, Tls
from sidedoor.policy.replies import REPLIES
from sidedoor.policy.tables import AcceptedTable, ConnectorTable
from sidedoor.policy.world import Recorded, World
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector

T = TypeVar("T")
FACTS = (
    "accepted-domains",
    "connector",
    "client-ip",
    "envelope-sender",
    "recipient",
    "tls-certificate",
    "authentication",
)
"""Names of the facts, in the order of a world's choices."""
OTHER_FACTS = ("inbound-connectors", "mx", "reject-direct-send")
"""Further names in `Decision.missing`: the tenant's connectors themselves, and two that the rule names by itself."""

MAX_WORLDS = 4096
Choices: TypeAlias = tuple[int, ...]
Connectors: TypeAlias = tuple[ConnectorTable, Recorded | None]


class Decided(NamedTuple):
    """One world's choices and what the rule says of it."""

    choices: Choices
    decision: Decision


def completions(
    examples: Examples, connection: Connection, envelope: Envelope, message: MessageFacts
) -> Iterator[tuple[Choices, World]]:
    """Every way the facts could be; exactly one where all are known."""
    history, entry = message.accepted, entry_of(message)
    connection, message = told(entry, connection, message)
    direction = None if isinstance(message.direction, Unknown) or not history else message.direction
    exists = None if isinstance(message.recipient_exists, Unknown) else message.recipient_exists
    senders = _senders(examples, envelope.envelope_sender)
    recipients = _recipients(examples, envelope.recipient, direction)
    addresses = examples.addresses if isinstance(connection.client_ip, Unknown) else (connection.client_ip,)
    accepted = examples.accepted or _accepted(senders, recipients)
    claims = list(product(range(len(accepted)), range(len(senders))))
    claims = [(a, s) for a, s in claims if fits(entry, accepted[a], senders[s])] or claims
    attributions = _connectors(examples, message, direction)
    if entry is Entry.CONNECTOR and isinstance(message.connector, Unknown):
        attributions = attributed(examples, connection.client_ip)
    for number, (table, record) in enumerate(attributions):
        channels = _channels(examples, connection.tls, record, direction, history=history)
        for i, (a, s), r, c in product(range(len(addresses)), claims, range(len(recipients)), range(len(channels))):
            for login in _logins(connection, message, direction, senders[s], accepted[a], record):
                world = World(
                    addresses[i], *channels[c], login, senders[s], recipients[r], exists,
                    accepted[a], table, history, record, direction, entry,
                )  # fmt: skip
                yield (a, number, i, s, r, c, int(login)), world


def _senders(examples: Examples, sender: Fact[EnvelopeSender]) -> Sequence[Domain | None]:
    if isinstance(sender, Unknown):
        return examples.senders
    return (sender.domain if isinstance(sender, Address) else None,)


def _recipients(examples: Examples, recipient: Fact[Address], direction: Direction | None) -> Sequence[Domain]:
    if isinstance(recipient, Address):
        return (recipient.domain,)
    return examples.hosted if direction is Direction.INCOMING else (*examples.hosted, *examples.outside)


def _accepted(senders: Sequence[Domain | None], recipients: Sequence[Domain]) -> tuple[AcceptedTable, ...]:
    """Accepted domains unknown: none of those in question, either, both, or all there are."""
    own = AcceptedTable.of(sender for sender in senders if sender is not None)
    hosted = AcceptedTable.of(recipients)
    return (AcceptedTable(), own, hosted, AcceptedTable(everything=True))


def _connectors(examples: Examples, message: MessageFacts, direction: Direction | None) -> Iterator[Connectors]:
    """Today's connectors, together with what the record says: nothing, "none", or a name."""
    name = message.connector
    if isinstance(name, Unknown):
        yield from ((table, None) for table in examples.tables)
        if not examples.tables:
            yield from _unknown_connectors(history=message.accepted)
        return
    for table in examples.tables or (NO_CONNECTORS,):
        if name is None:
            yield table, Recorded(None, None, standing=True, reason="recorded-no-connector")
        else:
            yield from ((table, record) for record in _recorded(examples, table, name, direction))


def _unknown_connectors(*, history: bool) -> Iterator[Connectors]:
    """No connector at all, one that attributes, or (at the door) a lock-down that refuses."""
    for kind in (None, *ConnectorKind):
        yield NO_CONNECTORS, Recorded(kind, None, standing=True, reason="connectors-unknown")
    if not history:
        yield LOCKED_TABLE, None


def _recorded(examples: Examples, table: ConnectorTable, name: str, direction: Direction | None) -> Iterator[Recorded]:
    """A name from the record: the connector it means, or, where the tenant has none, every kind it may have been."""
    settled = by_name(table, name)
    if settled is not None:
        yield _known_connector(settled.row, standing=True)
        return
    disabled = examples.by_name(name)
    if disabled is not None:
        yield _known_connector(disabled, standing=False)
        return
    if direction is not Direction.INCOMING:
        yield Recorded(ConnectorKind.ON_PREMISES, name, standing=False, reason="recorded-connector-gone")
    if direction is not Direction.ORIGINATING:
        yield Recorded(ConnectorKind.PARTNER, name, standing=False, reason="recorded-connector-gone")
        yield Recorded(None, name, standing=False, reason="recorded-connector-gone")


def _known_connector(row: InboundConnector, *, standing: bool) -> Recorded:
    # Naming only domains attributes nothing, whatever a record shows (Set-OrganizationConfig -RejectDirectSend).
    if not row.identifies_by_address_or_certificate:
        return Recorded(None, row.name, standing=standing, reason="recorded-connector-names-only-domains")
    reason = "recorded-connector" if standing else "recorded-connector-gone"
    return Recorded(row.kind, row.name, standing=standing, reason=reason)


def _channels(
    examples: Examples, tls: Fact[Tls | None], record: Recorded | None, direction: Direction | None, *, history: bool
) -> Sequence[tuple[bool, ClientCertificate | None]]:
    """TLS or not, and the client certificate: none, or one that fits each certificate connector."""
    if tls is None:
        return ((False, None),)
    if isinstance(tls, Tls) and not isinstance(tls.client_certificate, Unknown):
        return ((True, tls.client_certificate),)
    if record is not None and record.standing:
        return ((True, None),)  # the record has answered what the certificate could
    bare: list[tuple[bool, ClientCertificate | None]] = [(True, None)]
    if isinstance(tls, Unknown) and not history:
        bare.append((False, None))  # RequireTls may refuse it
    shown = [(kind, cert) for kind, cert in examples.certificates]
    if direction is Direction.INCOMING:
        shown = [(kind, cert) for kind, cert in shown if kind is ConnectorKind.PARTNER]
    return (*bare, *((True, cert) for _, cert in shown))


def _logins(  # noqa: PLR0917  # the facts it rests on
    connection: Connection,
    message: MessageFacts,
    direction: Direction | None,
    sender: Domain | None,
    accepted: AcceptedTable,
    record: Recorded | None,
) -> tuple[bool, ...]:
    """Whether somebody logged in, as far as the record and the addresses tell."""
    if not isinstance(connection.authenticated_as, Unknown):
        return (connection.authenticated_as is not None,)
    if direction is Direction.INCOMING or (record is not None and (record.kind or record.connector)):
        return (False,)
    if not message.accepted:
        return (False, True)
    foreign = sender is not None and accepted.find(sender) is None
    # No SMTP client, own domain or bounce: it began inside (assumed; the record has no better word for it).
    if connection.client_ip is None and (not foreign or direction is Direction.INTRA_ORG):
        return (True,)
    if direction is Direction.ORIGINATING:
        return (False, True) if record is None else (True,)
    # Nobody who logs in may use a foreign envelope sender (5.7.60).
    return (False,) if foreign else (False, True)


def merge(decided: Sequence[Decided], names: Sequence[str]) -> Decision:
    """One decision out of those of all worlds: what they agree on, and the facts on which they part."""
    decisions = [each.decision for each in decided]
    submission = _agreed([each.submission for each in decisions])
    would_reject = _agreed([each.would_reject for each in decisions])
    agreed = submission is not None and would_reject is not None
    missing = [] if agreed else _dividing(decided, names)
    missing += [name for each in decisions for name in each.missing]
    base = strictest(decisions)
    reasons = ["facts-unknown"]
    if _agreed([each.verdict for each in decisions]) is None:
        base = next(each for each in decisions if each.reply.positive)
        reasons.append("verdict-depends-on-unknown")
    shared = [reason for reason in base.reasons if all(reason in each.reasons for each in decisions)]
    return replace(
        base,
        submission=Submission.UNDETERMINED if submission is None else submission,
        step=_agreed([each.step for each in decisions]) or base.step,
        connector=_agreed([each.connector for each in decisions]),
        certainty=max(each.certainty for each in decisions),
        reasons=(*shared, *reasons),
        would_reject=would_reject,
        missing=tuple(sorted(set(missing))),
    )


def strictest(decisions: Sequence[Decision]) -> Decision:
    """The decision of the least favourable world: a refusal where there is one. For a caller that must be sure."""
    return next((each for each in decisions if not each.reply.positive), decisions[0])


def overwhelmed(missing: Sequence[str]) -> Decision:
    """The answer where there are more worlds than `MAX_WORLDS`: nothing is claimed."""
    return Decision(
        Verdict.ACCEPT,
        REPLIES["accepted"].reply,
        Submission.UNDETERMINED,
        Step.ACCEPTED,
        Certainty.ASSUMED,
        reasons=("too-many-unknowns", "verdict-depends-on-unknown"),
        would_reject=None,
        missing=tuple(sorted(set(missing))),
    )


def fact_names(examples: Examples, *, history: bool) -> Sequence[str]:
    """The names of `FACTS` as they are missing here.

    No record tells a certificate, so what a better record would tell is the connector; and where the tenant's
    connectors are unknown, it is these.
    """
    names = list(FACTS)
    if not examples.tables:
        names[1] = "inbound-connectors"
    if history:
        names[5] = "connector"
    return names


def varying(choices: Sequence[Choices], names: Sequence[str]) -> list[str]:
    """Names of the facts that are not the same in all worlds."""
    return [name for at, name in enumerate(names) if len({each[at] for each in choices}) > 1]


def _agreed(values: Sequence[T]) -> T | None:
    return values[0] if all(value == values[0] for value in values) else None


def _dividing(decided: Sequence[Decided], names: Sequence[str]) -> list[str]:
    """Facts such that two worlds which differ in them alone have different answers."""
    found = []
    for at, name in enumerate(names):
        seen: dict[Choices, tuple[Submission, bool | None]] = {}
        for choices, decision in decided:
            outcome = (decision.submission, decision.would_reject)
            if seen.setdefault(choices[:at] + choices[at + 1 :], outcome) != outcome:
                found.append(name)
                break
    # Facts that depend on each other may part the worlds only together.
    return found or varying([each.choices for each in decided], names)
