"""Two doors to hold a history against: the tenant's of today and the plan's, both with RejectDirectSend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from sidedoor.audit.classes import Classes
from sidedoor.audit.facts import UNKNOWN, DecisionKey, Representatives, facts_of
from sidedoor.mail.address import Address
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact
from sidedoor.mail.network import IPAddress
from sidedoor.plan.apply import applied
from sidedoor.plan.model import ConnectorProposal
from sidedoor.plan.synthesis import folded
from sidedoor.policy.decision import Decision, Verdict
from sidedoor.policy.facts import ClientCertificate, Connection, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import Rule
from sidedoor.policy.switches import Switches
from sidedoor.tenant.snapshot import ConnectorKind, TenantSnapshot

_OPEN = "verdict-depends-on-unknown"


@dataclass(frozen=True, slots=True)
class Coming:
    """What is different when a sender comes again; None and False leave it as it was.

    certificate: the name it shows. sender: domain of its envelope sender (A-label). address: the client's.
    moved: its owner has to see to that first. logs_in: it submits with a login, at another door.
    """

    certificate: str | None = None
    sender: str | None = None
    address: IPAddress | None = None
    moved: bool = False
    logs_in: bool = False


AS_IT_WAS = Coming()


def outcome_of(decision: Decision) -> str:
    """What becomes of a message: accepted, refused, undetermined."""
    if _OPEN in decision.reasons:
        return "undetermined"
    return "refused" if decision.verdict is Verdict.REJECT else "accepted"


@dataclass(frozen=True, slots=True)
class Question:
    """What a door is asked about besides the rule. unheard: certificate names that only new connectors ask for.

    doubted: connectors (names folded) whose records prove nothing, because the plan changes whom they identify.
    filters: where the filter sends from; locked_by: the certificate it shows to the plan's lock-down.
    """

    unheard: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    filters: tuple[IPv4Network, ...] = ()
    locked_by: str | None = None


class Door:
    """A tenant with RejectDirectSend on; each distinct key is decided once.

    lenient: the same tenant where none of the plan's connectors requires TLS; None where none does.
    """

    def __init__(self, rule: Rule, of: Representatives, question: Question, lenient: Rule | None = None) -> None:
        self._rule, self._lenient, self._of, self._question = rule, lenient, of, question
        self._known: dict[tuple[DecisionKey, Coming], Decision] = {}

    def reading(self, switches: Switches) -> Door:
        """The same door with open questions answered otherwise."""
        lenient = None if self._lenient is None else Rule(self._lenient.snapshot, switches, self._lenient)
        return Door(Rule(self._rule.snapshot, switches, self._rule), self._of, self._question, lenient)

    def decide(self, key: DecisionKey, coming: Coming = AS_IT_WAS) -> Decision:
        """The decision on every message with this key that comes so."""
        asked = (key, coming)
        if asked not in self._known:
            self._known[asked] = self._decided(key, coming)
        return self._known[asked]

    def _decided(self, key: DecisionKey, coming: Coming) -> Decision:
        if key.connector and folded(key.connector) in self._question.doubted:
            key = replace(key, connector=None)
        connection, envelope, message = facts_of(key, self._of)
        connection, envelope = self._changed(connection, coming), _from(envelope, coming)
        decision = self._rule.decide_again(connection, envelope, message, self._question.unheard)
        if self._lenient is None or connection.tls is None or key.tls != UNKNOWN or coming.certificate is not None:
            return decision
        return self._without_tls(decision, replace(connection, tls=None), envelope, message)

    def _without_tls(
        self, decision: Decision, plain: Connection, envelope: Envelope, message: MessageFacts
    ) -> Decision:
        """No export says whether TLS was used: if it was not, a connector of the plan's may refuse it (RequireTls)."""
        assert self._lenient is not None
        strict = self._rule.decide_again(plain, envelope, message, self._question.unheard)
        lenient = self._lenient.decide_again(plain, envelope, message, self._question.unheard)
        if outcome_of(strict) == outcome_of(lenient):
            return decision
        return replace(decision, reasons=(*decision.reasons, _OPEN), missing=tuple(sorted({*decision.missing, "tls"})))

    def _changed(self, connection: Connection, coming: Coming) -> Connection:
        certificate = coming.certificate
        if certificate is None and coming.address is None and self._by_filter(connection.client_ip):
            certificate = self._question.locked_by
        if coming.address is not None:
            connection = replace(connection, client_ip=coming.address)
        if certificate is None:
            return connection
        return replace(connection, tls=Tls("", ClientCertificate(None, (_example(certificate),))))

    def _by_filter(self, client: object) -> bool:
        return isinstance(client, IPv4Address) and any(client in network for network in self._question.filters)


def _from(envelope: Envelope, coming: Coming) -> Envelope:
    if coming.sender is None:
        return envelope
    return replace(envelope, envelope_sender=Address("sender", Domain(coming.sender)))


def _example(name: str) -> str:
    """A name that a connector's wildcard covers."""
    return f"client.{name.removeprefix('*.')}" if name.startswith("*.") else name


@dataclass(frozen=True, slots=True)
class Doors:
    """The door of today and the plan's. new: names of the connectors that the plan makes or changes."""

    today: Door
    planned: Door
    new: frozenset[str]

    @staticmethod
    def of(
        snapshot: TenantSnapshot, switches: Switches, classes: Classes, connectors: Sequence[ConnectorProposal],
        filters: tuple[IPv4Network, ...] = (),
    ) -> Doors:  # fmt: skip
        """Both doors. `classes` know the plan's connectors too."""
        return Doors(
            door_with(snapshot, switches, classes, ()),
            door_with(snapshot, switches, classes, connectors, filters),
            frozenset(each.name for each in connectors),
        )

    def reading(self, switches: Switches) -> Doors:
        """Both with open questions answered otherwise."""
        return replace(self, today=self.today.reading(switches), planned=self.planned.reading(switches))


def door_with(
    snapshot: TenantSnapshot, switches: Switches, classes: Classes, connectors: Sequence[ConnectorProposal],
    filters: tuple[IPv4Network, ...] = (), *, reject: Fact[bool] = True,
) -> Door:  # fmt: skip
    """The tenant's door with these connectors made or changed, and RejectDirectSend as `reject` says."""
    representatives = Representatives(classes.domains.representatives, classes.addresses.representatives())
    before = replace(snapshot, reject_direct_send=reject)
    if not connectors:
        return Door(Rule(before, switches), representatives, Question())
    lenient = None
    if any(each.kind is ConnectorKind.PARTNER and each.settings.require_tls is not False for each in connectors):
        without = [replace(each, settings=replace(each.settings, require_tls=False)) for each in connectors]
        lenient = Rule(applied(before, without), switches)
    question = _question(snapshot, connectors, filters)
    return Door(Rule(applied(before, connectors), switches), representatives, question, lenient)


def _identifies_others(lock: ConnectorProposal) -> bool:
    """Whether a connector, once restricted, may refuse what its record shows: it knew its clients in two ways."""
    before, after = lock.before, lock.settings
    if before is None:
        return False
    both = bool(before.addresses) and before.certificate_name is not None
    return both or before.certificate_name != after.certificate_name


def _question(
    snapshot: TenantSnapshot, connectors: Sequence[ConnectorProposal], filters: tuple[IPv4Network, ...]
) -> Question:
    known = {row.tls_certificate_name for row in snapshot.known_connectors}
    lock = next((each for each in connectors if each.lockdown), None)
    doubted = [folded(each.name) for each in connectors if each.lockdown and _identifies_others(each)]
    by_certificate = lock is not None and lock.settings.restrict_to_certificate is True
    return Question(
        unheard=frozenset(
            name for each in connectors if (name := each.settings.certificate_name) and name not in known
        ),
        doubted=frozenset(doubted),
        filters=filters if by_certificate else (),
        locked_by=lock.settings.certificate_name if lock is not None and by_certificate else None,
    )
