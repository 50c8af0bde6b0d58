"""What may follow what: the states of an SMTP conversation and, for each, the commands it takes.

Everything that decides whether a command is in order stands here; `machine.py` has the handlers by these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):  # its hash is that of a text: the tables are asked for each line
    """Where the conversation is."""

    CONNECTED = "connected"  # greeted, no EHLO yet; again after STARTTLS
    READY = "ready"  # EHLO said, no transaction
    MAIL = "mail"  # MAIL FROM taken, no recipient taken
    RCPT = "rcpt"  # at least one recipient taken
    DATA = "data"  # reading content
    AUTH = "auth"  # the next line is the answer to a challenge
    WAITING = "waiting"  # an event has to be answered; input is kept until then
    TLS = "tls"  # shaking hands
    CLOSED = "closed"  # nothing is read any more


_ALWAYS = {
    b"EHLO": "ehlo", b"HELO": "helo", b"QUIT": "quit", b"NOOP": "noop", b"RSET": "rset", b"VRFY": "vrfy",
    b"HELP": "help",
}  # fmt: skip
_READY = {**_ALWAYS, b"MAIL": "mail", b"STARTTLS": "starttls", b"AUTH": "auth"}
TRANSITIONS: Mapping[State, Mapping[bytes, str]] = {
    # RFC 3207 section 4 lets STARTTLS come only after EHLO told of it, and so does everybody.
    State.CONNECTED: _ALWAYS,
    State.READY: _READY,
    State.MAIL: {**_ALWAYS, b"RCPT": "rcpt", b"DATA": "data_without_recipients"},
    State.RCPT: {**_ALWAYS, b"RCPT": "rcpt", b"DATA": "data"},
}
"""State -> command -> handler. A known command that is not in its state's row is 503."""

KNOWN = frozenset(command for row in TRANSITIONS.values() for command in row)
NOT_IMPLEMENTED = frozenset({b"BDAT", b"EXPN", b"TURN", b"ETRN", b"SEND", b"SOML", b"SAML", b"BURL", b"ATRN"})
"""Commands of standards that the EHLO answer does not offer: 502."""
# A browser that was made to talk to a mail server: the rest of its request would be read as commands.
FOREIGN = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"HOST:", b"USER-AGENT:"})
"""First words of other protocols: the connection is closed."""
CHATTER = frozenset({b"NOOP", b"VRFY", b"HELP", b"RSET", b"EHLO", b"HELO"})
"""Commands that move nothing; a bounded number of them between messages."""
