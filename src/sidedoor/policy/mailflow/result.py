"""What the rules did with one message to one recipient."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sidedoor.mail.reply import Reply
from sidedoor.policy.mailflow.actions import Action, HeaderChange


class Part(Enum):
    """What a setting that is not evaluated is in its rule, and what follows."""

    CONDITION = "condition"  # the rule never fires; at most it is undetermined
    EXCEPTION = "exception"  # likewise: the exception might have held
    ACTION = "action"  # the rule fires without it
    PROPERTY = "property"  # of the rule as a whole (State, Mode, dates): as a condition


class Mode(Enum):
    """Mode of a rule (New-TransportRule)."""

    AUDIT = "Audit"  # nothing is done to the message; an incident report is made
    AUDIT_AND_NOTIFY = "AuditAndNotify"  # as Audit, and the recipient is notified
    ENFORCE = "Enforce"  # everything is done


class MailVerdict(Enum):
    """What becomes of the message."""

    DELIVER = "deliver"  # as the actions changed it
    QUARANTINE = "quarantine"  # held
    REJECT = "reject"  # returned with the reply
    DELETE = "delete"  # dropped


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A setting of a rule that is not evaluated: `setting` is the parameter's name."""

    rule: str
    setting: str
    part: Part
    why: str

    def __str__(self) -> str:
        return f"rule {self.rule!r}: the {self.part.value} {self.setting} is not evaluated ({self.why})"


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that matched. `actions` were taken (few or none in an Audit mode), `left_out` could not be."""

    rule: str
    mode: Mode
    reason: str
    actions: tuple[Action, ...]
    left_out: tuple[Unsupported, ...] = ()


@dataclass(frozen=True, slots=True)
class Undetermined:
    """A rule that may match: it was not run. `reasons` are sentences, one for each fact that is missing."""

    rule: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MailFlow:
    """The rules' answer for one recipient.

    `rule` is the rule that decided a verdict other than deliver, `reply` that of a rejection. `actions` are all that
    were taken, in order; `header_changes` those of them that `apply_changes` puts into the message. `scl` is what rules
    set, None for nothing. `unsupported` are settings of rules that fired or are undetermined, not of all.
    """

    verdict: MailVerdict
    reply: Reply | None
    rule: str | None
    actions: tuple[Action, ...]
    header_changes: tuple[HeaderChange, ...]
    scl: int | None
    fired: tuple[Fired, ...]
    undetermined: tuple[Undetermined, ...]
    unsupported: tuple[Unsupported, ...]

    @property
    def determined(self) -> bool:
        """Whether no missing fact and no setting that is not evaluated could have changed the answer."""
        return not self.undetermined and not self.unsupported
