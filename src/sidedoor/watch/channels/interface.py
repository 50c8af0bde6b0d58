"""What a channel is, and how it fails.

A new kind of channel is one module here and one line in `settings.KINDS`. Channels know nothing of quiet hours, snoozes
or attempts: the outbox decides when to send, a channel sends once and says what became of it.

ChannelError
├── TemporaryError    the same message may be taken later: no connection, time-out, 5xx, 429, disk full
└── PermanentError    it will not be taken as things are: unknown address, refused credential, no such folder

No text of an error holds a URL, a token or a password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sidedoor.store.model import Alert, Finding, Occasion, Severity


class ChannelError(Exception):
    """A message that did not go out; `str()` is a phrase for people.

    retry_after: seconds before which another attempt makes no sense, None where the channel gives no advice.
    maybe_arrived: the message may have got there all the same, so the next attempt is a possible repeat.
    """

    def __init__(self, why: str, *, retry_after: float | None = None, maybe_arrived: bool = False) -> None:
        super().__init__(why)
        self.retry_after, self.maybe_arrived = retry_after, maybe_arrived


class TemporaryError(ChannelError):
    """Later it may work."""


class PermanentError(ChannelError):
    """It will not work before somebody changes something."""


class Channel(Protocol):
    """One place that takes messages."""

    @property
    def name(self) -> str:
        """Its name in the settings; deliveries are kept under it."""

    @property
    def looks(self) -> bool:
        """Whether a repeat is looked for first, so that it arrives once whatever happened before."""

    def send(self, alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> None:
        """Send one message in bounded time. The same delivery gives the same message, marked where it is a `repeat`.

        Raises TemporaryError, PermanentError; nothing else.
        """


@dataclass(frozen=True, slots=True)
class Outlet:
    """A channel and what it wants. kinds: reason ids, a trailing `*` for all that begin so; none: every kind."""

    channel: Channel
    minimum: Severity = Severity.INFO
    kinds: tuple[str, ...] = field(default=())

    def wants(self, finding: Finding) -> bool:
        """Whether messages about a finding go there."""
        return finding.severity.rank >= self.minimum.rank and self._kind(finding.kind)

    def _kind(self, kind: str) -> bool:
        return not self.kinds or any(
            kind == each or (each.endswith("*") and kind.startswith(each[:-1])) for each in self.kinds
        )
