"""The rule for mail of the past that knocks again: at the door as a plan would make it, with RejectDirectSend on.

History tells how a message came in then; what a plan adds is asked anew. Unlike `history`, nothing is forgiven: a
restriction that the plan sets up refuses (5.7.51), and so does one of today's that the record outranks.
"""

from __future__ import annotations

from sidedoor.policy.attribution import Attribution, identify, onpremises
from sidedoor.policy.case import Case, Settings
from sidedoor.policy.decision import Decision, Step, Verdict
from sidedoor.policy.facts import Direction, Entry
from sidedoor.policy.history import FORCED, leaves, opened, outbound
from sidedoor.policy.partner import SILENT, PartnerAnswer, Refusal, ask_partners
from sidedoor.policy.steps import partner_connector, reject_direct_send
from sidedoor.policy.switches import RejectDirectSendOrder
from sidedoor.policy.world import World
from sidedoor.tenant.snapshot import ConnectorKind


def settle_again(world: World, settings: Settings) -> Decision:
    """Decide a world of the past as if it came today. `settings` has RejectDirectSend as it is to be."""
    attribution, partners = _attribution(world, settings)
    case = opened(world, settings, attribution)
    if leaves(case):
        return outbound(case)
    if world.authenticated:
        case.attribution = Attribution(None)
        return case.finish(Verdict.ACCEPT, "accepted", Step.AUTHENTICATED, "authenticated")
    case.note(*attribution.reasons, certainty=attribution.certainty)
    if attribution.kind is ConnectorKind.ON_PREMISES:
        return case.finish(Verdict.ACCEPT, "accepted", Step.ONPREMISES_CONNECTOR)
    if world.entry is Entry.REFUSED and attribution.kind is None:
        return case.finish(Verdict.REJECT, "partner-restriction", Step.PARTNER_CONNECTOR)
    return _refused(case, partners.refusal) or _accepted(case)


def _attribution(world: World, settings: Settings) -> tuple[Attribution, PartnerAnswer]:
    """Whose mail it is: the connector of the record while it stands, else whoever of today's takes it."""
    record = world.record
    if record is not None and record.kind is not None and record.standing:
        return Attribution(record.kind, record.connector, (record.reason,)), SILENT
    identified = identify(world, settings.switches)
    own = onpremises(world, settings.switches, identified)
    if own.kind is not None:
        return own, SILENT
    if world.direction is Direction.ORIGINATING and not world.authenticated and record is None:
        return Attribution(ConnectorKind.ON_PREMISES, None, (FORCED,)), SILENT
    partners = ask_partners(world, settings.switches, identified)
    return partners.attribution, partners


def _refused(case: Case, refusal: Refusal | None) -> Decision | None:
    """The two refusals that a plan has to do with, in the order of the switch."""
    if case.settings.switches.reject_direct_send_order is RejectDirectSendOrder.BEFORE_PARTNER:
        return reject_direct_send(case, refusal) or partner_connector(case, refusal)
    return partner_connector(case, refusal) or reject_direct_send(case, refusal)


def _accepted(case: Case) -> Decision:
    attributed = case.attribution.kind is not None
    return case.finish(Verdict.ACCEPT, "accepted", Step.PARTNER_CONNECTOR if attributed else Step.ACCEPTED)
