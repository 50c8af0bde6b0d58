"""The rule for a message the service is known to have taken: the record outranks the model.

Restrictions that should have refused it did evidently not; what the record says of connector and direction holds for
then. What RejectDirectSend would do is asked of the tenant as it is now. See docs/decisions/0001.
"""

from __future__ import annotations

from typing import NamedTuple

from sidedoor.mail.fact import Unknown
from sidedoor.policy.attribution import Attribution, identify, onpremises
from sidedoor.policy.case import Case, Settings
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict
from sidedoor.policy.entry import REASONS as ENTRY_REASONS
from sidedoor.policy.facts import Direction, Entry
from sidedoor.policy.partner import ask_partners
from sidedoor.policy.replies import REPLIES
from sidedoor.policy.steps import address_labels
from sidedoor.policy.world import World
from sidedoor.tenant.snapshot import ConnectorKind

FORCED = "direction-originating"
"""The reason of a world that only the record's direction makes possible; dropped where another world explains it."""


class Attributions(NamedTuple):
    """Whose mail it was by the record (or, where it is silent, the model), and whose it would be today."""

    then: Attribution
    now: Attribution
    outranked: bool  # a restriction of today's tenant would have refused it


def settle_history(world: World, settings: Settings) -> Decision:
    """Decide a world of the past: nothing is refused but what RejectDirectSend, on today, would refuse."""
    then, now, outranked = _attributions(world, settings)
    case = opened(world, settings, then)
    if leaves(case):
        return outbound(case)
    if world.authenticated:
        reason = "authenticated" if world.client_ip is not None else "no-smtp-client"
        case.note(certainty=Certainty.DOCUMENTED if world.client_ip is not None else Certainty.ASSUMED)
        case.attribution = Attribution(None)
        return case.finish(Verdict.ACCEPT, "accepted", Step.AUTHENTICATED, reason)
    case.note(*then.reasons, certainty=then.certainty)
    if world.direction is Direction.INCOMING:
        case.note("direction-incoming")
    if world.entry is Entry.REFUSED:
        return case.finish(Verdict.REJECT, "partner-restriction", Step.PARTNER_CONNECTOR)
    if then.kind is not None and now.kind is not None:
        step = Step.ONPREMISES_CONNECTOR if then.kind is ConnectorKind.ON_PREMISES else Step.PARTNER_CONNECTOR
        return case.finish(Verdict.ACCEPT, "accepted", step)
    if outranked:
        case.note("history-outranks-lockdown", certainty=Certainty.ASSUMED)
    if "block" in address_labels(case):
        case.note("history-outranks-block-list", certainty=Certainty.ASSUMED)
    return _direct_send(case, now)


def opened(world: World, settings: Settings, attribution: Attribution) -> Case:
    """A case of mail that the service took, with what the message's own way in says."""
    case = Case(world, settings, attribution)
    if world.entry is not None:
        reason, certainty = ENTRY_REASONS[world.entry]
        case.note(reason, certainty=certainty)
    return case


def _attributions(world: World, settings: Settings) -> Attributions:
    identified = identify(world, settings.switches)
    partners = ask_partners(world, settings.switches, identified)
    own = onpremises(world, settings.switches, identified)
    now = own if own.kind is not None else partners.attribution
    outranked = own.kind is None and partners.refusal is not None
    record = world.record
    if record is None:
        # "Incoming" is what the service does not say of mail through an OnPremises connector.
        then = partners.attribution if world.direction is Direction.INCOMING else now
    else:
        then = Attribution(record.kind, record.connector, (record.reason,))
        now = then if record.kind is not None and record.standing else now
    originating = world.direction is Direction.ORIGINATING and then.kind is not ConnectorKind.ON_PREMISES
    if originating and not world.authenticated:
        then = Attribution(ConnectorKind.ON_PREMISES, None, (FORCED,), Certainty.ASSUMED)
    return Attributions(then, now, outranked)


def leaves(case: Case) -> bool:
    """Outbound by the record; or the recipient is outside and nothing says that the mail came in."""
    if case.world.direction is Direction.OUTBOUND:
        return True
    recorded = case.world.record is not None and case.attribution.kind is not None
    return case.hosted is None and case.world.direction is not Direction.INCOMING and not recorded


def outbound(case: Case) -> Decision:
    """The decision on mail that goes out: no switch of the door concerns it."""
    if not case.own.yes:
        # Forwarded mail keeps or rewrites a foreign envelope sender; either way it goes out.
        case.note(case.own.reason, certainty=Certainty.ASSUMED)
    return Decision(
        Verdict.ACCEPT,
        REPLIES["accepted"].reply,
        Submission.OUTBOUND,
        Step.ACCEPTED,
        case.certainty,
        None,
        ("leaves-the-organisation", *case.notes),
        would_reject=False,
    )


def _direct_send(case: Case, now: Attribution) -> Decision:
    """Step 6 with the tenant of today."""
    case.note(case.own.reason, certainty=case.own.certainty)
    setting = case.settings.reject_direct_send
    if case.own.yes and now.kind is not None:
        case.note("connector-added-since")
    elif case.own.yes:
        case.would_reject = True
        if setting is True:
            case.note("accepted-before-closing")
            return case.finish(Verdict.REJECT, "direct-send", Step.REJECT_DIRECT_SEND, "reject-direct-send-on")
        unknown = isinstance(setting, Unknown)
        case.note("reject-direct-send-unknown" if unknown else "reject-direct-send-off")
        case.certainty = max(case.certainty, Certainty.ASSUMED if unknown else Certainty.DOCUMENTED)
    return case.finish(Verdict.ACCEPT, "accepted", Step.ACCEPTED)
