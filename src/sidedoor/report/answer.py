"""The answer in words: ready or not, in one sentence, with what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass

from sidedoor.audit.coverage import DECISIVE
from sidedoor.audit.model import Audit, Sender, Verdict
from sidedoor.report.words import count


@dataclass(frozen=True, slots=True)
class Answer:
    """`state` as in report.json; `headline` a few words; `sentence` the figures; `switch` how the door stands now."""

    state: str
    headline: str
    sentence: str
    switch: str
    why: tuple[str, ...]


_HEADLINES = {
    ("ready", False): "Ready: closing Direct Send would refuse no honest mail of this window.",
    ("ready", True): "Direct Send is closed, and no honest mail of this window would be refused.",
    ("not-ready", False): "Not ready: closing Direct Send now would refuse honest mail.",
    ("not-ready", True): "Direct Send is closed, and honest mail would be refused.",
}
_UNDETERMINED = "Undetermined: this evidence cannot tell whether Direct Send can be closed."

_SWITCH = {
    True: "RejectDirectSend is on: Exchange Online refuses Direct Send.",
    False: "RejectDirectSend is off: Direct Send is open. Anyone on the internet can use it.",
    None: "Whether RejectDirectSend is on is not known: the settings at hand do not say. It is off by default.",
}


def answer(audit: Audit) -> Answer:
    """The answer this audit gives."""
    closed = audit.tenant.reject_direct_send is True
    headline = _HEADLINES.get((audit.readiness.state, closed), _UNDETERMINED)
    return Answer(
        state=audit.readiness.state,
        headline=headline,
        sentence=_sentence(audit, closed=closed),
        switch=_SWITCH[audit.tenant.reject_direct_send],
        why=_why(audit),
    )


def _sentence(audit: Audit, *, closed: bool) -> str:
    simulation = audit.simulation
    senders = sum(1 for sender in audit.senders if sender.would_reject)
    opening = (
        "RejectDirectSend is on already; by the same rule," if closed else "If you set RejectDirectSend to true today,"
    )
    return (
        f"{opening} {count(simulation.rejected, 'message')} from {count(senders, 'sender')} would have been refused "
        f"in this window: {simulation.rejected_legitimate:,} legitimate, {simulation.rejected_spoofing:,} spoofing, "
        f"{simulation.rejected_unclear:,} unclear; {simulation.undetermined:,} cannot be told."
    )


def _why(audit: Audit) -> tuple[str, ...]:
    """What keeps the answer from being "ready", one sentence each."""
    blocking = blockers(audit)
    honest = sum(1 for sender in blocking if sender.assessment is Verdict.LEGITIMATE)
    unclear = len(blocking) - honest
    found = (
        (honest, f"{count(honest, 'legitimate sender')} would lose mail, or may."),
        (unclear, f"{count(unclear, 'unclear sender')} would lose mail, or may; a person must judge."),
        (
            audit.simulation.undetermined,
            f"For {count(audit.simulation.undetermined, 'message')} the exports do not tell enough to decide.",
        ),
        (not audit.coverage.messages, "The exports hold no messages, so nothing was seen that could speak either way."),
        (
            any(item.fact in DECISIVE for item in audit.coverage.missing),
            "Not all that was asked of the tenant was collected: mail may have come in that nobody has looked at.",
        ),
        (
            audit.tenant.accepted_domains is None,
            "The tenant's accepted domains are not known, so no mail could be called your own.",
        ),
    )
    return tuple(text for applies, text in found if applies)


def blockers(audit: Audit) -> list[Sender]:
    """The senders that stand in the way, in the order of `readiness.blockers`."""
    by_id = {sender.id: sender for sender in audit.senders}
    return [by_id[id_] for id_ in audit.readiness.blockers if id_ in by_id]
