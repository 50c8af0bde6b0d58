"""The rule for a message that is at the door now: eight steps, the first that ends the matter wins.

What no Microsoft text orders (5.7.68 among the other refusals) is `ORDERS`, one row for each value of the switch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sidedoor.mail.fact import Unknown
from sidedoor.policy.attribution import Attribution, identify, onpremises
from sidedoor.policy.case import Case, Settings
from sidedoor.policy.decision import Certainty, Decision, Step, Verdict
from sidedoor.policy.partner import SILENT, PartnerAnswer, Refusal, ask_partners
from sidedoor.policy.switches import BothIpLists, RejectDirectSendOrder
from sidedoor.policy.world import World
from sidedoor.tenant.snapshot import ConnectorKind, DomainKind

StepFunction: TypeAlias = Callable[[Case, Refusal | None], Decision | None]


def settle(world: World, settings: Settings) -> Decision:
    """Decide a world that is present: nobody has recorded what became of the message."""
    attribution, partners = attribute(world, settings)
    case = Case(world, settings, attribution)
    if settings.trusts_organisations and attribution.kind is None and not world.authenticated:
        case.note("trusted-organizations", certainty=Certainty.ASSUMED)
    for step in ORDERS[settings.switches.reject_direct_send_order]:
        decision = step(case, partners.refusal)
        if decision is not None:
            return decision
    raise AssertionError("the last step always decides")


def attribute(world: World, settings: Settings) -> tuple[Attribution, PartnerAnswer]:
    """Steps 3 and 5 up to attribution: OnPremises connectors first, then Partner connectors."""
    if world.record is not None:
        record = world.record
        return Attribution(record.kind, record.connector, (record.reason,)), SILENT
    identified = identify(world, settings.switches)
    own = onpremises(world, settings.switches, identified)
    if own.kind is not None:
        return own, SILENT
    partners = ask_partners(world, settings.switches, identified)
    attribution = partners.attribution
    if own.reasons:
        attribution = attribution._replace(reasons=own.reasons + attribution.reasons)
    return attribution, partners


def connection_filter(case: Case, _refusal: Refusal | None) -> Decision | None:
    """1. The tenant's IP block list (Set-HostedConnectionFilterPolicy); the allow list spares filtering only."""
    if case.settings.addresses is None and not case.world.authenticated:
        case.note("connection-filter-unknown")
    labels = address_labels(case)
    if "allow" in labels and not case.world.authenticated:
        case.note("allowed-address")
    if "block" not in labels:
        return None
    if "allow" in labels:
        case.note("on-both-ip-lists", certainty=Certainty.ASSUMED)
        if case.settings.switches.both_ip_lists is BothIpLists.ALLOW_WINS:
            return None
    case.note(certainty=Certainty.REPORTED)  # the reply's text; the refusal itself is documented
    return case.finish(Verdict.REJECT, "blocked-address", Step.CONNECTION_FILTER, "blocked-address")


def address_labels(case: Case) -> frozenset[str]:
    """`allow` and `block`, as far as the connection filter is known and names the client."""
    if case.settings.addresses is None or case.world.client_ip is None:
        return frozenset()
    return case.settings.addresses.labels_of(case.world.client_ip)


def authenticated(case: Case, _refusal: Refusal | None) -> Decision | None:
    """2. Whoever logged in submits; that is not anonymous mail."""
    if not case.world.authenticated:
        return None
    case.attribution = Attribution(None)
    return case.finish(Verdict.ACCEPT, "accepted", Step.AUTHENTICATED, "authenticated")


def onpremises_connector(case: Case, _refusal: Refusal | None) -> Decision | None:
    """3. The organisation's own servers, which may relay."""
    case.note(*case.attribution.reasons, certainty=case.attribution.certainty)
    if case.attribution.kind is not ConnectorKind.ON_PREMISES:
        return None
    _note_warnings(case)
    return case.finish(Verdict.ACCEPT, "accepted", Step.ONPREMISES_CONNECTOR)


def recipient_tenant(case: Case, _refusal: Refusal | None) -> Decision | None:
    """4. Attribution falls to the recipient's domain; a domain nobody hosts would be relaying."""
    if case.hosted is not None:
        return None
    return case.finish(Verdict.REJECT, "relay-denied", Step.RECIPIENT_TENANT, "recipient-not-hosted-here")


def partner_connector(case: Case, refusal: Refusal | None) -> Decision | None:
    """5. Restrictions of Partner connectors; they hold whether or not RejectDirectSend is on."""
    if refusal is None:
        return None
    case.note(*refusal.reasons, certainty=refusal.certainty)
    if case.attribution.kind is None and case.own.yes and case.settings.reject_direct_send is not False:
        case.note("order-assumed", certainty=Certainty.ASSUMED)
    return case.finish(Verdict.REJECT, refusal.reply, Step.PARTNER_CONNECTOR, connector=refusal.connector)


def reject_direct_send(case: Case, _refusal: Refusal | None) -> Decision | None:
    """6. Unattributed, and the envelope sender is in an accepted domain."""
    if case.attribution.kind is not None:
        return None
    case.note(case.own.reason, certainty=case.own.certainty)
    if not case.own.yes:
        return None
    case.would_reject = True
    setting = case.settings.reject_direct_send
    if setting is True:
        return case.finish(Verdict.REJECT, "direct-send", Step.REJECT_DIRECT_SEND, "reject-direct-send-on")
    if isinstance(setting, Unknown):
        case.note("reject-direct-send-unknown", certainty=Certainty.ASSUMED)
    else:
        case.note("reject-direct-send-off")
    return None


def recipient_exists(case: Case, _refusal: Refusal | None) -> Decision | None:
    """7. Directory-based edge blocking, for authoritative domains only."""
    kind = None if case.hosted is None else case.hosted.kind
    if kind is DomainKind.INTERNAL_RELAY or kind is DomainKind.EXTERNAL_RELAY:
        return None
    if case.world.recipient_exists is None:
        case.note("recipient-not-checked")
    if case.world.recipient_exists is not False:
        return None
    if isinstance(kind, Unknown):
        case.note(certainty=Certainty.ASSUMED)  # authoritative is what a domain is unless somebody changed it
    return case.finish(Verdict.REJECT, "unknown-recipient", Step.RECIPIENT_EXISTS, "unknown-recipient")


def accepted(case: Case, _refusal: Refusal | None) -> Decision:
    """8. Nothing objected."""
    if case.settings.has_transport_rules:
        case.note("transport-rules-may-act")
    _note_warnings(case)
    attributed = case.attribution.kind is not None
    return case.finish(Verdict.ACCEPT, "accepted", Step.PARTNER_CONNECTOR if attributed else Step.ACCEPTED)


def _note_warnings(case: Case) -> None:
    name = case.attribution.connector
    if name is not None and name in case.world.connectors.warned:
        case.note("connector-warnings")


_FIRST: tuple[StepFunction, ...] = (connection_filter, authenticated, onpremises_connector, recipient_tenant)
ORDERS: dict[RejectDirectSendOrder, tuple[StepFunction, ...]] = {
    RejectDirectSendOrder.AFTER_PARTNER: (*_FIRST, partner_connector, reject_direct_send, recipient_exists, accepted),
    RejectDirectSendOrder.BEFORE_PARTNER: (*_FIRST, reject_direct_send, partner_connector, recipient_exists, accepted),
    RejectDirectSendOrder.AFTER_RECIPIENT: (*_FIRST, partner_connector, recipient_exists, reject_direct_send, accepted),
}
