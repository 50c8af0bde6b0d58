"""Words of the pages for closed values."""

from __future__ import annotations

from collections.abc import Mapping

from sidedoor.report.view import signed
from sidedoor.store.model import Severity, Word
from sidedoor.web.query import Decided, DueFilter
from sidedoor.web.roll import Refused

WORD: Mapping[Word, tuple[str, str]] = {
    Word.LEGITIMATE: ("Honest", "It must get in."),
    Word.SPOOFING: ("Spoof", "Refuse it."),
    Word.UNCLEAR: ("Unclear", "Seen, and not decided yet."),
    Word.NONE: ("Nothing said", "What the audit says holds."),
}
REFUSED: Mapping[Refused, str] = {
    Refused.YES: "Would be refused",
    Refused.UNKNOWN: "Cannot be told",
    Refused.NO: "Would get in",
}
DECIDED: Mapping[Decided, str] = {
    Decided.OPEN: "Waits for a word",
    Decided.YES: "Decided",
    Decided.NO: "Not decided",
}
DUE: Mapping[DueFilter, str] = {
    DueFilter.OVERDUE: "Overdue",
    DueFilter.SOON: "Within a week, or overdue",
    DueFilter.ANY: "Any date",
    DueFilter.NONE: "No date",
}
SEVERITY: Mapping[Severity, tuple[str, str]] = {
    Severity.CRITICAL: ("Critical", "‼"),
    Severity.SERIOUS: ("Serious", "!"),
    Severity.WARNING: ("Warning", "▲"),
    Severity.INFO: ("Info", "i"),
}
# Address below the tenant's, label, what is counted beside it, and what one of these is.
MENU = (
    ("", "Today", "", ""),
    ("senders", "Senders", "senders", "sender waits for a word"),
    ("what-if", "What if", "", ""),
    ("plan", "Plan", "", ""),
    ("alerts", "Alerts", "alerts", "new alert"),
    ("edge", "Edge", "", ""),
    ("quarantine", "Quarantine", "held", "message is held back"),
    ("trail", "Trail", "", ""),
    ("settings", "Settings", "", ""),
)
__all__ = ["DECIDED", "DUE", "MENU", "REFUSED", "SEVERITY", "WORD", "signed"]
