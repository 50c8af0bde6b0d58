"""Step 5: Partner connectors whose SenderDomains cover the envelope sender, which attribute or refuse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sidedoor.policy.attribution import UNATTRIBUTED, Attribution, Identified, partner_by_identity, violates
from sidedoor.policy.decision import Certainty
from sidedoor.policy.switches import NullSenderLockdown, PartnerPrecedence, Switches
from sidedoor.policy.tables import Level
from sidedoor.policy.world import World


class Refusal(NamedTuple):
    """A Partner connector's refusal; `reply` is an id of `replies.REPLIES`."""

    reply: str
    connector: str
    reasons: tuple[str, ...]
    certainty: Certainty


class PartnerAnswer(NamedTuple):
    """What the Partner connectors say: an attribution (perhaps to none), and a refusal where one is due."""

    attribution: Attribution
    refusal: Refusal | None


SILENT = PartnerAnswer(UNATTRIBUTED, None)


def ask_partners(world: World, switches: Switches, identified: Identified) -> PartnerAnswer:
    """Attribution and restrictions of the tenant's Partner connectors, by the switched precedence."""
    null_covered = switches.null_sender_lockdown is NullSenderLockdown.COVERED
    levels = [level for level in world.connectors.levels(world.sender, null_covered=null_covered) if level.all]
    if not levels:
        return SILENT
    if switches.partner_precedence is PartnerPrecedence.MOST_SPECIFIC:
        levels = levels[:1]
    match = _match(world, switches, identified, levels)
    # How several covering connectors share a domain is undocumented, so what rests on it is assumed.
    contested = len({index for level in levels for index in level.restricting[:2]}) > 1
    any_violation = switches.partner_precedence is PartnerPrecedence.ANY_VIOLATION
    refusal = _restriction(world, identified, levels, contested=contested) if any_violation or match is None else None
    if match is None:
        anyone = (index for level in levels for index in level.tls)
        return PartnerAnswer(_why_none(identified, levels), refusal or _tls(world, anyone))
    index, attribution = match
    if contested:
        attribution = attribution._replace(
            reasons=(*attribution.reasons, "several-partner-connectors"), certainty=Certainty.ASSUMED
        )
    demanding = iter([index] if world.connectors.connectors[index].require_tls else [])
    return PartnerAnswer(attribution, refusal or _tls(world, demanding))


def _match(
    world: World, switches: Switches, identified: Identified, levels: Sequence[Level]
) -> tuple[int, Attribution] | None:
    """The first identifying connector, by most specific SenderDomains, certificate before address."""
    candidates = [*sorted(identified.certificates), *sorted(identified.addresses)]
    for level in levels if candidates else ():
        within = set(level.all)
        for index in candidates:
            attribution = partner_by_identity(world, switches, index, identified) if index in within else None
            if attribution is not None:
                return index, attribution
    return None


def _restriction(world: World, identified: Identified, levels: Sequence[Level], *, contested: bool) -> Refusal | None:
    """5.7.51: the first connector, most specific first, whose restriction the client does not meet."""
    rows = world.connectors.connectors
    for level in levels:
        for index in level.restricting:
            if violates(rows[index], index, identified):
                connector = rows[index]
                by_address = connector.restrict_addresses and index not in identified.addresses
                reasons = ["restrict-addresses-violated" if by_address else "restrict-certificate-violated"]
                # Whether `*` takes in bounces is a switch, and so is precedence.
                reasons += ["null-sender-in-lockdown"] if world.sender is None else []
                reasons += ["several-partner-connectors"] if contested else []
                certainty = Certainty.ASSUMED if len(reasons) > 1 else Certainty.DOCUMENTED
                return Refusal("partner-restriction", connector.row.name, tuple(reasons), certainty)
    return None


def _tls(world: World, demanding: Iterator[int]) -> Refusal | None:
    """RequireTls without TLS: the refusal is documented (New-InboundConnector), its text is inferred."""
    if world.tls:
        return None
    index = next(demanding, None)
    if index is None:
        return None
    name = world.connectors.connectors[index].row.name
    return Refusal("starttls-required", name, ("tls-required",), Certainty.ASSUMED)


def _why_none(identified: Identified, levels: Sequence[Level]) -> Attribution:
    """Unattributed, and why the covering connectors did not help."""
    if any(index in level.all and index not in level.restricting for level in levels for index in identified.addresses):
        return Attribution(None, None, ("address-without-restrict-ignored",), Certainty.ASSUMED)
    if any(level.bare for level in levels):
        return Attribution(None, None, ("connector-names-only-domains",))
    return UNATTRIBUTED
