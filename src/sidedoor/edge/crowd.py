"""Who is connected, and who has to go when there are too many or nothing moves. No I/O, no clock of its own.

A flood of idle connections must not keep honest clients out: where the house is full, whoever has been still for the
longest goes. Nobody goes whose message is being kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sidedoor.mail.network import IPAddress
from sidedoor.mail.reply import Reply


class Guest(Protocol):
    """What the crowd knows of a connection."""

    client_ip: IPAddress | None
    moved: float
    marker: tuple[int, int, int]

    @property
    def busy(self) -> bool:
        """Whether a message is on its way."""

    @property
    def waiting(self) -> bool:
        """Whether the client waits for us."""

    @property
    def begun(self) -> bool:
        """Whether it has said EHLO."""

    def progress(self) -> tuple[int, int, int]:
        """Changes when it moves on."""

    def end(self, reply: Reply, why: str) -> None:
        """Say so and close."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections, in all and from one address, and how long they may be still, in seconds."""

    connections: int = 2_000
    from_one: int = 200
    patience: float = 300.0  # RFC 5321 section 4.5.3.2.7: at least five minutes
    patience_at_first: float = 60.0  # before EHLO, and for PROXY and TLS handshakes
    patience_in_need: float = 10.0  # while more than three quarters are taken, as Postfix under stress


class Crowd:
    """The connections of a server. Times are those of one monotonic clock, in seconds."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._guests: dict[Guest, IPAddress | None] = {}
        self._by_address: Counter[IPAddress] = Counter()

    def __len__(self) -> int:
        return len(self._guests)

    def __iter__(self) -> Iterator[Guest]:
        return iter(list(self._guests))

    def enter(self, guest: Guest, now: float) -> Guest | None:
        """Let a client in, or count one that was let in under its own address now; who has to go for it, if any.

        That is the guest itself where all others are at work.
        """
        self._leave(guest)
        guest.moved = now
        address = guest.client_ip
        goes: Guest | None = None
        if address is not None and self._by_address[address] >= self.room.from_one:
            goes = self._stillest(address) or guest
        elif len(self._guests) >= self.room.connections:
            goes = self._stillest(None) or guest
        if goes is not guest:
            self._guests[guest] = address
            if address is not None:
                self._by_address[address] += 1
        if goes is not None:
            self.leave(goes)
        return goes

    def _stillest(self, address: IPAddress | None) -> Guest | None:
        """Who has been still for the longest: the idle first, then those whose messages do not come."""
        guests = [
            guest for guest, own in self._guests.items() if not guest.waiting and (address is None or own == address)
        ]
        return min(guests, key=lambda guest: (guest.busy, guest.moved), default=None)

    def leave(self, guest: Guest) -> None:
        """A connection is gone, or as good as gone."""
        self._leave(guest)

    def _leave(self, guest: Guest) -> None:
        if guest not in self._guests:
            return
        address = self._guests.pop(guest)
        if address is not None:
            self._by_address[address] -= 1
            if self._by_address[address] <= 0:
                del self._by_address[address]

    def late(self, now: float) -> list[Guest]:
        """Those whose time is up. A client moves on by whole lines and by steps of content, not by single octets."""
        in_need = len(self._guests) * 4 > self.room.connections * 3
        late: list[Guest] = []
        for guest in self._guests:
            marker = guest.progress()
            if marker != guest.marker or guest.waiting:
                guest.marker, guest.moved = marker, now
                continue
            patience = self.room.patience if guest.begun else self.room.patience_at_first
            if now - guest.moved > (min(patience, self.room.patience_in_need) if in_need else patience):
                late.append(guest)
        return late
