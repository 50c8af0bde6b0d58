"""What the machine cannot settle by itself: it waits until whoever runs it has answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Message:
    """The content of a message is complete: dots unstuffed, lines end in CRLF. Answer with `machine.answer`."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody wants to log in. Answer with `machine.logged_in`. The password is not part of its printed form."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


@dataclass(frozen=True, slots=True)
class StartTls:
    """Send what there is to send, shake hands, then say `machine.tls_started`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what there is to send and close the connection; nothing more will be read. `why` is for the operator."""

    why: str


Event: TypeAlias = Message | Login | StartTls | Close
