"""One world with what the rule has worked out about it: the working paper that the steps share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import Partition
from sidedoor.policy.attribution import Attribution
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict
from sidedoor.policy.replies import REPLIES
from sidedoor.policy.switches import NullSender, Subdomains, Switches
from sidedoor.policy.world import World
from sidedoor.tenant.snapshot import AcceptedDomain, ConnectorKind, MailExchanger


@dataclass(frozen=True, slots=True)
class Settings:
    """What the rule asks of the tenant beside accepted domains and connectors; `addresses` None where unknown."""

    switches: Switches
    reject_direct_send: Fact[bool]
    addresses: Partition[str] | None  # labels: allow, block
    mail_exchangers: Mapping[Domain, Fact[MailExchanger]]
    has_transport_rules: bool
    trusts_organisations: bool


@dataclass(frozen=True, slots=True)
class Own:
    """Whether the envelope sender is in an accepted domain for RejectDirectSend, and how sure that is."""

    yes: bool
    reason: str
    certainty: Certainty


_EXACT = Own(True, "own-domain-unattributed", Certainty.DOCUMENTED)
_FOREIGN = Own(False, "foreign-envelope-sender", Certainty.DOCUMENTED)


def own_domain(world: World, switches: Switches) -> Own:
    """The second condition of RejectDirectSend (Set-OrganizationConfig): MAIL FROM is in an accepted domain."""
    if world.sender is None:
        return Own(switches.null_sender is NullSender.OWN, "null-reverse-path", Certainty.ASSUMED)
    accepted = world.accepted.find(world.sender)
    if accepted is None:
        return _FOREIGN
    if accepted.domain == world.sender:
        return _EXACT
    if switches.subdomains is Subdomains.HONOURED:
        return Own(True, "subdomain-of-accepted-domain", Certainty.ASSUMED)
    return Own(False, "subdomain-not-own", Certainty.ASSUMED)


_BY_KIND = {
    ConnectorKind.ON_PREMISES: Submission.ONPREMISES_CONNECTOR,
    ConnectorKind.PARTNER: Submission.PARTNER_CONNECTOR,
}
# Beside the published MX is "sent directly". Where no MX is published nobody can have come by it.
_BY_MX = {
    MailExchanger.EXCHANGE_ONLINE: (Submission.INTERNET, "mx-here"),
    MailExchanger.ELSEWHERE: (Submission.SENT_DIRECTLY, "mx-elsewhere"),
    MailExchanger.NONE: (Submission.SENT_DIRECTLY, "mx-none"),
    MailExchanger.MIXED: (Submission.UNDETERMINED, "mx-mixed"),
}
_NO_MX_FACT = Unknown("no DNS answer")


class Case:
    """A world under decision. `notes` and `certainty` gather while the steps go; `would_reject` is set by step 6."""

    __slots__ = ("attribution", "certainty", "hosted", "notes", "own", "settings", "world", "would_reject")

    def __init__(self, world: World, settings: Settings, attribution: Attribution) -> None:
        self.world, self.settings, self.attribution = world, settings, attribution
        self.hosted: AcceptedDomain | None = world.accepted.find(world.recipient)
        self.own = own_domain(world, settings.switches)
        self.notes: list[str] = []
        self.certainty = Certainty.DOCUMENTED
        self.would_reject = False

    def note(self, *reasons: str, certainty: Certainty = Certainty.DOCUMENTED) -> None:
        """Keep reason ids for the decision and let the weakest certainty count."""
        self.notes.extend(reasons)
        self.certainty = max(self.certainty, certainty)

    def submission(self) -> tuple[Submission, tuple[str, ...]]:
        """How the message got in (or tried to), with the reason where the MX decides."""
        if self.world.authenticated:
            return Submission.AUTHENTICATED, ()
        if self.attribution.kind is not None:
            return _BY_KIND[self.attribution.kind], ()
        if self.hosted is None and not self.world.history:
            return Submission.OUTBOUND, ()
        if self.own.yes:
            return Submission.DIRECT_SEND, ()
        exchanger = self.settings.mail_exchangers.get(self.world.recipient, _NO_MX_FACT)
        if isinstance(exchanger, Unknown):
            return Submission.UNDETERMINED, ("mx-unknown",)
        submission, reason = _BY_MX[exchanger]
        return submission, (reason,)

    def finish(self, verdict: Verdict, reply: str, step: Step, *reasons: str, connector: str | None = None) -> Decision:
        """The decision: own reasons first, then what was noted on the way; `reply` is an id of REPLIES."""
        submission, by_mx = self.submission()
        missing: tuple[str, ...] = ("mx",) if submission is Submission.UNDETERMINED else ()
        if "reject-direct-send-unknown" in self.notes:
            missing += ("reject-direct-send",)
        return Decision(
            verdict=verdict,
            reply=REPLIES[reply].reply,
            submission=submission,
            step=step,
            certainty=self.certainty,
            connector=self.attribution.connector if connector is None else connector,
            reasons=tuple(dict.fromkeys((*reasons, *self.notes, *by_mx))),
            would_reject=self.would_reject,
            missing=missing,
        )
