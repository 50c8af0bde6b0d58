"""SMTP replies: basic code, enhanced status code (RFC 3463), text."""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 5321 section 4.2: the text may be missing. RFC 2034 section 4: the enhanced code comes first in it.
_REPLY = re.compile(
    r"(?P<code>[2-5][0-9][0-9])(?:[ -](?:(?P<enhanced>[245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$))?(?P<text>.*))?", re.DOTALL
)


class ReplyError(ValueError):
    """The text is no SMTP reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply: `code` 200 to 599, `enhanced` as `5.7.68` or "" where the service gives none, `text`."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)

    @property
    def positive(self) -> bool:
        """Whether the server took the command (RFC 5321 section 4.2.1: 2yz and 3yz)."""
        return self.code < 400


def parse_reply(line: str) -> Reply:
    """Parse one reply line, `550 5.7.68 TenantInboundAttribution; ...`. Raises ReplyError."""
    match = _REPLY.fullmatch(line.strip())
    if match is None:
        raise ReplyError(f"{line[:80]!r} is no SMTP reply")
    return Reply(int(match["code"]), match["enhanced"] or "", match["text"] or "")
