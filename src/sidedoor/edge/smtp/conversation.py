"""What each command does: one method for each handler that the table in `state.py` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sidedoor.edge.interface import Door
from sidedoor.edge.smtp import replies
from sidedoor.edge.smtp.data import DataReader
from sidedoor.edge.smtp.events import Close, Event, Message, StartTls
from sidedoor.edge.smtp.limits import Offer
from sidedoor.edge.smtp.replies import encode, encode_lines, encode_once
from sidedoor.edge.smtp.sasl import MECHANISMS, Dialogue, SaslError
from sidedoor.edge.smtp.state import CHATTER, FOREIGN, KNOWN, NOT_IMPLEMENTED, TRANSITIONS, State
from sidedoor.edge.smtp.syntax import (
    AddressError,
    CommandError,
    Path,
    address_of,
    hello_name,
    parse_path,
    sender_of,
)
from sidedoor.mail.address import Address
from sidedoor.mail.reply import Reply


class Conversation:
    """State, counters, and what is to be sent. Lines come without their CRLF."""

    def __init__(self, offer: Offer, door: Door) -> None:
        self.state = State.CONNECTED
        self.reader = DataReader(offer.limits.message)
        self._offer, self._door, self._limits = offer, door, offer.limits
        self._out: list[bytes] = [encode(Reply(220, "", f"{offer.hostname} ESMTP Sidedoor"))]
        self._events: list[Event] = []
        self._dialogue: Dialogue | None = None
        self._smtputf8 = self._secure = self._logged_in = False
        self._recipients = self._errors = self._refusals = self._chatter = self._logins = self._transactions = 0

    def taken_output(self) -> bytes:
        """What is to be sent, once."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)

    def taken_events(self) -> list[Event]:
        """What has happened, once."""
        events = self._events
        if events:
            self._events = []
        return events

    def line(self, line: bytes) -> None:
        """One line of the client."""
        if self.state is State.AUTH:
            self._sasl_line(line)
            return
        word, _, argument = line.partition(b" ")
        verb = word.upper()
        name = TRANSITIONS[self.state].get(verb)
        if name is None:
            self._out_of_place(verb)
            return
        if verb in CHATTER:
            self._chatter += 1
            if self._chatter > self._limits.chatter:
                self.close(replies.TOO_MANY_ERRORS, "too many commands without a message")
                return
        try:
            _HANDLERS[name](self, argument)
        except CommandError:
            self._refuse(replies.SYNTAX)

    def refuse_line(self, reply: Reply) -> None:
        """A line that cannot be read as one; a login in progress is over."""
        if self.state is State.AUTH:
            self.state, self._dialogue = State.READY, None
        self._refuse(reply)

    def take_content(self, buffer: bytearray) -> bool:
        """Take the content out of `buffer`; False where its end is not there yet."""
        content = self.reader.read(buffer)
        if content is None:
            return False
        if isinstance(content, Reply):
            self._door.refused_content(content, self.reader.octets)
            self.state = State.READY
            self._refuse(content)
        else:
            self._events.append(Message(content))
            self.state = State.WAITING
        return True

    def message_answered(self, reply: Reply) -> None:
        """What became of a message."""
        self._out.append(encode_once(reply))
        self.state = State.READY
        if reply.code == 421:
            self._shut("the keeper asked for it")
        elif self._transactions >= self._limits.transactions:
            self.close(replies.TOO_MANY_MESSAGES, "enough messages for one connection")

    def login_answered(self, *, ok: bool) -> None:
        """Whether user and password were right."""
        self.state = State.READY
        if ok:
            self._logged_in = True
            self._say(replies.LOGGED_IN)
            return
        self._login_failed(replies.LOGIN_FAILED)

    def tls_started(self) -> None:
        """All knowledge of the client from before TLS is gone (RFC 3207 section 4.2)."""
        self._secure = True
        self.state = State.CONNECTED

    def close(self, reply: Reply, why: str) -> None:
        """Say a last word."""
        self._say(reply)
        self._shut(why)

    def _shut(self, why: str) -> None:
        self._door.reset()
        self.state = State.CLOSED
        self._events.append(Close(why))

    def _say(self, reply: Reply) -> None:
        self._out.append(encode(reply))

    def _refuse(self, reply: Reply) -> None:
        """A fault of the client's; the last of many ends the conversation."""
        self._errors += 1
        self._say(reply)
        if self._errors >= self._limits.errors:
            self.close(replies.TOO_MANY_ERRORS, "too many errors")

    def _out_of_place(self, verb: bytes) -> None:
        if verb in FOREIGN:
            self.close(replies.NOT_SMTP, "another protocol")
        elif verb in KNOWN:
            self._refuse(replies.HELLO_FIRST if self.state is State.CONNECTED else replies.BAD_SEQUENCE)
        elif verb in NOT_IMPLEMENTED:
            self._refuse(replies.NOT_IMPLEMENTED)
        else:
            self._refuse(replies.UNKNOWN_COMMAND)

    def _ehlo(self, argument: bytes) -> None:
        self._door.hello(hello_name(argument), extended=True)
        self.state = State.READY
        self._out.append(encode_lines(250, (self._offer.hostname, *self._extensions())))

    def _extensions(self) -> list[str]:
        words = [f"SIZE {self._limits.message}", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self._offer.starttls and not self._secure:
            words.append("STARTTLS")
        if self._offer.auth and self._secure:
            words.append(f"AUTH {' '.join(MECHANISMS)}")
        return words

    def _helo(self, argument: bytes) -> None:
        self._door.hello(hello_name(argument), extended=False)
        self.state = State.READY
        self._say(Reply(250, "", self._offer.hostname))

    def _mail(self, argument: bytes) -> None:
        path = parse_path(argument, "FROM")
        refusal = self._parameters(path)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._smtputf8 = "SMTPUTF8" in path.parameters
        if not self._smtputf8 and not path.text.isascii():
            self._refuse(replies.NOT_ASCII)
            return
        try:
            sender = sender_of(path.text)
        except AddressError:
            self._refuse(replies.BAD_SENDER)
            return
        eight_bit = path.parameters.get("BODY", "").upper() == "8BITMIME"
        reply = self._door.sender(sender, smtputf8=self._smtputf8, eight_bit=eight_bit)
        self._say(reply)
        if reply.positive:
            self.state = State.MAIL
            self._recipients = self._chatter = 0
            self._transactions += 1

    def _parameters(self, path: Path) -> Reply | None:
        """Why the parameters of MAIL are refused. AUTH= is read and not believed (RFC 4954 section 5)."""
        for name, value in path.parameters.items():
            if name == "SIZE":
                if not value.isascii() or not value.isdecimal() or len(value) > 20:
                    return replies.SYNTAX
                if int(value) > self._limits.message:
                    return replies.TOO_BIG
            elif name == "BODY":
                if value.upper() not in {"7BIT", "8BITMIME"}:
                    return replies.SYNTAX
            elif name == "SMTPUTF8":
                if value:
                    return replies.SYNTAX
            elif name != "AUTH" or not self._offer.auth:
                return replies.BAD_PARAMETER
        return None

    def _rcpt(self, argument: bytes) -> None:
        path = parse_path(argument, "TO")
        if path.parameters:
            self._refuse(replies.BAD_PARAMETER)
            return
        if not self._smtputf8 and not path.text.isascii():
            self._refuse(replies.NOT_ASCII)
            return
        address = self._recipient_of(path.text)
        if address is None:
            self._refuse(replies.BAD_RECIPIENT)
        elif self._recipients >= self._limits.recipients:
            self._say(replies.TOO_MANY_RECIPIENTS)
        else:
            self._ask(address)

    def _recipient_of(self, text: str) -> Address | None:
        if text.lower() == "postmaster":
            return self._door.postmaster()
        try:
            return address_of(text)
        except AddressError:
            return None

    def _ask(self, address: Address) -> None:
        reply = self._door.recipient(address)
        if reply.positive:
            self._say(reply)
            self._recipients += 1
            self.state = State.RCPT
            return
        self._out.append(encode_once(reply))
        self._refusals += 1
        if self._refusals >= self._limits.refusals:
            self.close(replies.TOO_MANY_ERRORS, "too many refused recipients")

    def _data(self, argument: bytes) -> None:
        if argument.strip():
            raise CommandError("DATA has no argument")
        self.reader = DataReader(self._limits.message)
        self.state = State.DATA
        self._say(replies.START_INPUT)

    def _data_without_recipients(self, _: bytes) -> None:
        # RFC 2920 section 3.1: a client that pipelines learns here that no recipient was taken.
        self._refuse(replies.NO_RECIPIENTS)

    def _rset(self, _: bytes) -> None:
        self._door.reset()
        if self.state is not State.CONNECTED:
            self.state = State.READY
        self._say(replies.OK)

    def _noop(self, _: bytes) -> None:
        self._say(replies.OK)

    def _vrfy(self, _: bytes) -> None:
        # RFC 5321 section 7.3: nobody is told who exists.
        self._say(replies.CANNOT_VRFY)

    def _help(self, _: bytes) -> None:
        self._say(replies.HELP)

    def _quit(self, _: bytes) -> None:
        self.close(replies.BYE, "QUIT")

    def _starttls(self, argument: bytes) -> None:
        if argument.strip():
            raise CommandError("STARTTLS has no argument")
        if not self._offer.starttls:
            self._refuse(replies.NOT_IMPLEMENTED)
        elif self._secure:
            self._refuse(replies.BAD_SEQUENCE)
        else:
            self._door.reset()
            self._say(replies.READY_FOR_TLS)
            self.state = State.TLS
            self._events.append(StartTls())

    def _auth(self, argument: bytes) -> None:
        if not self._offer.auth:
            self._refuse(replies.NOT_IMPLEMENTED)
        elif not self._secure:
            self._refuse(replies.ENCRYPTION_NEEDED)
        elif self._logged_in:
            self._refuse(replies.BAD_SEQUENCE)  # RFC 4954 section 4: once in a session
        else:
            self._begin_login(argument)

    def _begin_login(self, argument: bytes) -> None:
        word, _, initial = argument.strip().partition(b" ")
        mechanism = word.decode("ascii", errors="replace").upper()
        if mechanism not in MECHANISMS:
            self._refuse(replies.NO_SUCH_MECHANISM)
            return
        self._dialogue = Dialogue(mechanism)
        if initial:
            self._sasl_line(initial.strip())
        else:
            self._challenge(self._dialogue)

    def _challenge(self, dialogue: Dialogue) -> None:
        self.state = State.AUTH
        self._say(replace(replies.CHALLENGE, text=dialogue.challenge))

    def _sasl_line(self, line: bytes) -> None:
        dialogue, self.state = self._dialogue, State.READY
        assert dialogue is not None
        if line == b"*":
            self._refuse(replies.LOGIN_CANCELLED)
            return
        try:
            login = dialogue.answer(line)
        except SaslError:
            self._login_failed(replies.LOGIN_SYNTAX)
            return
        if login is None:
            self._challenge(dialogue)
            return
        self.state, self._dialogue = State.WAITING, None
        self._events.append(login)

    def _login_failed(self, reply: Reply) -> None:
        self._logins += 1
        self._say(reply)
        if self._logins >= self._limits.logins:
            self.close(replies.TOO_MANY_LOGINS, "too many failed logins")


_HANDLERS: Mapping[str, Callable[[Conversation, bytes], None]] = {
    name: getattr(Conversation, f"_{name}") for row in TRANSITIONS.values() for name in row.values()
}
