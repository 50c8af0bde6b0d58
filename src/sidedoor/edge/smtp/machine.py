"""The server's side of one SMTP conversation, without I/O: octets in, replies and events out.

Feed octets to `receive_data`; it returns what cannot be settled here (`events.py`), and `data_to_send` what to answer.
While an event waits for its answer input is kept and not looked at, so pipelined commands stay in order (RFC 2920).
Octets may come in any portions: the same octets give the same events and replies.
"""

from __future__ import annotations

from sidedoor.edge.interface import Door
from sidedoor.edge.smtp import replies
from sidedoor.edge.smtp.conversation import Conversation
from sidedoor.edge.smtp.events import Event
from sidedoor.edge.smtp.limits import Offer
from sidedoor.edge.smtp.state import State
from sidedoor.mail.reply import Reply

_NO_LINE = frozenset({State.WAITING, State.TLS, State.DATA})
_STILL = frozenset({State.WAITING, State.TLS, State.CLOSED})


class SmtpMachine:
    """One conversation. `lines` counts complete lines: with `data_octets` it shows whether a client moves on."""

    def __init__(self, offer: Offer, door: Door) -> None:
        self._talk = Conversation(offer, door)
        self._limits = offer.limits
        self._buffer = bytearray()
        self._skipping = False  # within a line that is too long
        self.lines = 0

    def receive_data(self, data: bytes) -> list[Event]:
        """Take octets of the client and go on as far as they reach."""
        talk = self._talk
        if talk.state is State.CLOSED or not data:
            return []
        if (
            not self._buffer and not self._skipping and talk.state not in _NO_LINE
            and len(data) <= self._limits.line and data.find(b"\n") == len(data) - 1
        ):  # fmt: skip
            # Clients mostly send one command and wait: no need for the buffer then.
            self._line(data)
            return talk.taken_events()
        self._buffer += data
        return self._run()

    def data_to_send(self) -> bytes:
        """What to send now; empty where there is nothing."""
        return self._talk.taken_output()

    def answer(self, reply: Reply) -> list[Event]:
        """The reply to the content of a `Message`; goes on with what the client sent meanwhile."""
        self._talk.message_answered(reply)
        return self._run()

    def logged_in(self, *, ok: bool) -> list[Event]:
        """Whether the `Login` was right."""
        self._talk.login_answered(ok=ok)
        return self._run()

    def tls_started(self) -> list[Event]:
        """The handshake is done: the client begins anew and has to say EHLO (RFC 3207 section 4.2)."""
        self._talk.tls_started()
        return self._run()

    def close(self, reply: Reply, why: str) -> list[Event]:
        """End the conversation from outside: a time-out, a shutdown."""
        if self._talk.state is not State.CLOSED:
            self._talk.close(reply, why)
        return self._talk.taken_events()

    @property
    def state(self) -> State:
        """Where the conversation is."""
        return self._talk.state

    @property
    def buffered(self) -> int:
        """Octets that are kept unread."""
        return len(self._buffer)

    @property
    def data_octets(self) -> int:
        """Octets of the content that is being read, 0 outside DATA."""
        return self._talk.reader.octets + len(self._buffer) if self._talk.state is State.DATA else 0

    def _run(self) -> list[Event]:
        talk = self._talk
        while self._buffer and talk.state not in _STILL:
            if not (talk.take_content(self._buffer) if talk.state is State.DATA else self._take_line()):
                break
        if talk.state is State.CLOSED or talk.state is State.TLS:
            # What was sent in the clear behind STARTTLS could be anybody's: it must not be read as sent under TLS.
            self._buffer.clear()
        return talk.taken_events()

    def _take_line(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\n")
        if end < 0:
            if len(buffer) > self._limits.line and len(buffer) > self._limit():
                buffer.clear()
                self._skipping = True
            return False
        too_long = self._skipping or (end >= self._limits.line and end >= self._limit())
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        if too_long:
            self.lines += 1
            self._skipping = False
            self._talk.refuse_line(replies.LINE_TOO_LONG)
        else:
            self._line(line)
        return True

    def _line(self, line: bytes) -> None:
        """One line of no more than its limit, with its LF."""
        self.lines += 1
        # A line ends in CRLF and holds no other CR or LF, or the client and we may not agree on what a line is.
        if line.find(b"\r") != len(line) - 2:
            self._talk.close(replies.BARE_IN_COMMAND, "bare CR or LF in a command")
        elif b"\0" in line:
            self._talk.refuse_line(replies.BAD_CHARACTER)
        else:
            self._talk.line(line[:-2])

    def _limit(self) -> int:
        """Octets of the line at the front of the buffer, its end included."""
        login = self._talk.state is State.AUTH or self._buffer[:5].upper() == b"AUTH "
        return self._limits.login_line if login else self._limits.line
