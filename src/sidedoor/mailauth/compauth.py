"""What the reasons of composite authentication (compauth) mean, and who says so.

Sources: Microsoft's page "Anti-spam message headers in Microsoft 365" (2025-07-07), documented; a third party that
cites a newer table of Microsoft's (2026-08-26), reported. compauth judges header From, never the envelope sender.
"""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a reason says, and whether Microsoft's own page was read for it."""

    text: str
    documented: bool


_REASONS = {
    "000": Meaning("DMARC failed, and its policy asks for quarantine or rejection", True),
    "001": Meaning("nothing authenticates the sender, and its domain publishes no or a lenient policy", True),
    "002": Meaning("the organisation forbids this pair of sender and domain to be spoofed", True),
    "010": Meaning("DMARC failed under a strict policy, and header From is in an accepted domain", True),
    "100": Meaning("SPF or DKIM passes and aligns with header From", False),
    "101": Meaning("DKIM passes and aligns with header From", False),
    "102": Meaning("SPF passes and aligns with header From", False),
    "103": Meaning("header From agrees with the client's reverse name", False),
    "104": Meaning("header From agrees with the client's reverse name", False),
    "108": Meaning("the body was changed at an earlier legitimate hop", False),
    "109": Meaning("there is no DMARC record, and it would have passed", False),
    "111": Meaning("DMARC could not be evaluated, and SPF or DKIM aligns", False),
    "112": Meaning("a DNS time-out kept DMARC from being evaluated", False),
    "115": Meaning("it came from a Microsoft 365 organisation in which header From is an accepted domain", False),
    "116": Meaning("the MX of header From agrees with the client's reverse name", False),
    "130": Meaning("the ARC result of a trusted sealer overrides a DMARC failure", True),
    "501": Meaning("a valid bounce: DMARC was not enforced", False),
    "502": Meaning("a valid bounce: DMARC was not enforced", False),
    "601": Meaning("header From is in an accepted domain, and nothing authenticates it", False),
    "905": Meaning("DMARC was not enforced because of complex routing: the MX leads elsewhere", False),
}
_CLASSES = {
    "1": Meaning("it passed", True),
    "2": Meaning("it passed softly, for want of better", True),
    "3": Meaning("it was not checked", True),
    "4": Meaning("the check was bypassed", True),
    "6": Meaning("header From is in an accepted domain, and nothing authenticates it", True),
    "7": Meaning("it passed", True),
    "9": Meaning("the check was bypassed", True),
}


def meaning(reason: str) -> Meaning | None:
    """The meaning of a three-digit reason, by its class where no better is known; None for what is no reason."""
    if len(reason) != 3 or not reason.isdecimal():
        return None
    return _REASONS.get(reason) or _CLASSES.get(reason[0])
