"""What the published baselines ask about Direct Send, answered from the settings, with what the history adds. Pure.

All three ask the same: RejectDirectSend is on. A setting that no export told is unknown, which passes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from sidedoor.audit.coverage import DECISIVE
from sidedoor.audit.model import Audit, Verdict
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.decision import Submission


class Outcome(Enum):
    """How a tenant stands to a control."""

    PASS = "pass"  # noqa: S105  # the setting is as the control wants it
    FAIL = "fail"  # it is not
    UNDETERMINED = "undetermined"  # no export told


@dataclass(frozen=True, slots=True)
class Control:
    """One published control. `level`: the baseline's own word for how strict it is. certainty: how we know of it."""

    id: str
    baseline: str
    version: str
    title: str
    level: str
    status: str
    url: str
    certainty: str


CONTROLS: tuple[Control, ...] = (
    Control(
        "6.5.5", "CIS Microsoft 365 Foundations Benchmark", "6.0.0, kept in 7.0.0",
        "Direct Send submissions are rejected", "L2", "published",
        "https://www.cisecurity.org/benchmark/microsoft_365", "reported",
    ),
    Control(
        "MS.EXO.15.1v1", "CISA ScubaGear, Exchange Online", "proposed 2026-08-25",
        "Direct Send SHALL be disabled", "SHALL", "proposed",
        "https://github.com/cisagov/ScubaGear/issues/2360", "reported",
    ),
    Control(
        "MT.1062", "Maester", "current", "Direct Send is set to be rejected", "Medium", "published",
        "https://maester.dev/docs/tests/MT.1062", "reported",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """One control's answer. evidence: sentences, the setting first."""

    control: Control
    outcome: Outcome
    evidence: tuple[str, ...]
    remedy: str


def answers(reject_direct_send: Fact[bool], audit: Audit | None = None) -> tuple[Answer, ...]:
    """All controls. `audit`: the history where there is one; it explains, and never turns a setting's answer."""
    outcome, setting, remedy = _setting(reject_direct_send)
    evidence = (setting, *(_history(audit, reject_direct_send) if audit is not None else _NO_HISTORY))
    if outcome is Outcome.FAIL and audit is not None and _honest(audit):
        remedy = f"{remedy} First give the honest senders another way in: sidedoor plan."
    return tuple(Answer(control, outcome, evidence, remedy) for control in CONTROLS)


_NO_HISTORY = ("No mail history was given: who would be refused is not known.",)


def _setting(value: Fact[bool]) -> tuple[Outcome, str, str]:
    if isinstance(value, Unknown):
        how = "Export Get-OrganizationConfig with ExchangeOnlineManagement 3.7.2 or newer."
        return Outcome.UNDETERMINED, f"RejectDirectSend is not known: {value.reason}.", how
    if value:
        return Outcome.PASS, "RejectDirectSend is True (Get-OrganizationConfig).", ""
    return (
        Outcome.FAIL,
        "RejectDirectSend is False (Get-OrganizationConfig).",
        "Set-OrganizationConfig -RejectDirectSend $true.",
    )


def _honest(audit: Audit) -> list[str]:
    return [
        sender.id
        for sender in audit.senders
        if sender.assessment is Verdict.LEGITIMATE and (sender.would_reject or sender.would_reject_unknown)
    ]


def _history(audit: Audit, setting: Fact[bool]) -> Sequence[str]:
    """Direct Send only: mail sent directly, round a filter, is another matter and not what these controls ask."""
    seen = audit.totals.get(Submission.DIRECT_SEND, 0)
    told = [f"{seen:,} messages of the history came in by Direct Send."]
    if audit.simulation.undetermined:
        told.append(f"Of {audit.simulation.undetermined:,} messages it could not be told.")
    if any(item.fact in DECISIVE for item in audit.coverage.missing):
        told.append("The history is not whole: the collection says that something is missing.")
    honest = _honest(audit)
    if honest and setting is not True:
        told.append(f"{len(honest)} honest senders would be refused: {', '.join(honest[:20])}.")
    if setting is True and seen:
        told.append("They came in although the setting is on: before it was switched on, or in the half hour after.")
    return told
