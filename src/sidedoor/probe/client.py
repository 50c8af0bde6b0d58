"""One conversation as the probe holds it: which command comes when, and what each answer means."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES

from sidedoor.mail.reply import Reply
from sidedoor.mailauth.mx import is_exchange_online
from sidedoor.probe.certificate import described
from sidedoor.probe.model import Attempt, Request, SenderKind, Target
from sidedoor.probe.outcome import Outcome, Stage, outcome_of
from sidedoor.probe.wire import Client, TooMuchError, harmless

_COURTESY = 3.0  # seconds for the answer to QUIT, which nothing hangs on


def attempt(
    request: Request, target: Target, sender: tuple[SenderKind, str], *, tls: bool, message: EmailMessage | None = None
) -> Attempt:
    """One conversation; it ends before DATA unless there is a message to send. Raises nothing."""
    talk = _Talk(request, target, sender[1], tls=tls, message=message)
    outcome, reply = talk.hold()
    local, remote = talk.client.ends
    return Attempt(
        target, *sender, request.recipient, tls, outcome, talk.stage, reply, talk.sent, local, remote,
        tuple(talk.notes), tuple(talk.client.lines), silent=talk.silent,
    )  # fmt: skip


class _Talk:
    """A conversation under way: how far it came, and what is to be said of it."""

    def __init__(
        self, request: Request, target: Target, address: str, *, tls: bool, message: EmailMessage | None
    ) -> None:
        self.client = Client(request.helo, request.timeout)
        self.stage = Stage.CONNECT
        self.notes: list[str] = []
        self.sent: bool | None = False
        self.silent = False
        self._request, self._target, self._address = request, target, address
        self._tls, self._message = tls, message

    def hold(self) -> tuple[Outcome, str]:
        """The whole conversation; its outcome and the reply that decided it."""
        try:
            outcome, answer = self._converse()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            outcome, reply = self._failed(error), ""
            self.notes.append(self._told(error))
        else:
            reply = str(answer)
            self._take_leave()
        self.client.close()
        return outcome, reply

    def _converse(self) -> tuple[Outcome, Reply]:
        self.client.reach(self._target)
        self.stage = Stage.GREETING
        answer = self.client.reply()
        if _took(answer):
            self.stage = Stage.HELLO
            answer = self.client.hello()
        if _took(answer) and self._tls:
            if not self.client.has_extn("starttls"):
                return Outcome.TLS_NOT_OFFERED, answer
            self.stage = Stage.STARTTLS
            answer = self.client.ask("STARTTLS")
            if answer.code != 220:  # RFC 3207 section 4
                return Outcome.TLS_FAILED, answer
            self._handshake()
            self.stage = Stage.HELLO
            answer = self.client.hello()
        for stage, command in (
            (Stage.MAIL, f"MAIL FROM:<{self._address}>"),
            (Stage.RCPT, f"RCPT TO:<{self._request.recipient}>"),
        ):
            if _took(answer):
                self.stage = stage
                answer = self.client.ask(command)
        if _took(answer) and self._message is not None:
            return self._hand_over(self._message)
        return outcome_of(answer, self.stage), answer

    def _hand_over(self, message: EmailMessage) -> tuple[Outcome, Reply]:
        """DATA and the message; the answer to whichever was refused."""
        self.stage = Stage.DATA
        answer = self.client.ask("DATA")
        if answer.code != 354:  # RFC 5321 section 3.3: without it nothing may be sent, whatever else was said
            return (Outcome.BROKEN if answer.code < 400 else outcome_of(answer, self.stage)), answer
        self.stage = Stage.CONTENT
        content = re.sub(rb"(?m)^\.", b"..", message.as_bytes(policy=SMTP_LINES))  # RFC 5321 section 4.5.2
        self.client.note("we", f"(the message: {len(content)} octets, and the dot that ends it)")
        self.sent = None  # from here on it may have been taken, until the server says whether
        self.client.send(content + b".\r\n")
        answer = self.client.reply()
        self.sent = _took(answer)
        return outcome_of(answer, self.stage), answer

    def _handshake(self) -> None:
        """The certificate is described and no reason to stop: the question is about the door."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        wrapped = self.client.secure(context, self._target.host)
        self.notes.append(f"{wrapped.version()}; {described(wrapped.getpeercert(binary_form=True), self._target.host)}")

    def _take_leave(self) -> None:
        """QUIT, if the server still listens: what it said before stands in any case."""
        self.client.hurry(_COURTESY)
        with suppress(OSError, smtplib.SMTPException, ValueError):
            self.client.docmd("QUIT")

    def _failed(self, error: Exception) -> Outcome:
        """What a conversation that broke off stands for, by how far it came."""
        if self.stage is Stage.CONNECT:
            return Outcome.PORT_BLOCKED if _is_blocked(error, self._target) else Outcome.UNREACHABLE
        slow = isinstance(error, TooMuchError) and str(error) == "too slow"
        self.silent = slow or isinstance(error, TimeoutError)
        return Outcome.TLS_FAILED if self.stage is Stage.STARTTLS else Outcome.BROKEN

    def _told(self, error: Exception) -> str:
        """What went wrong, for people."""
        if self.sent is None:
            return "the message was handed over whole and no answer came: it may have been delivered"
        if self.stage is Stage.CONNECT:
            return _not_connected(error, self._target)
        if isinstance(error, TimeoutError):
            where = "; often a firewall or a tarpit" if self.stage is Stage.GREETING else ""
            return f"connected, and then no whole answer within {self._request.timeout:g} s{where}"
        return _broken_off(error)


def _took(reply: Reply) -> bool:
    return 200 <= reply.code < 300  # RFC 5321 section 4.2.1: 3yz is for DATA alone


def _broken_off(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
        return "the server hung up"
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({harmless(error.reason or 'no reason given')[:100]})"
    text = error.smtp_error if isinstance(error, smtplib.SMTPResponseException) else error
    return harmless(str(text))[:200]


def _is_blocked(error: Exception, target: Target) -> bool:
    """No answer, this machine's own firewall, or a refusal in the name of a service that refuses no connection."""
    if isinstance(error, ConnectionRefusedError):
        return is_exchange_online(target.host)
    return isinstance(error, TimeoutError | PermissionError)


def _not_connected(error: Exception, target: Target) -> str:
    where = f"{target.host} port {target.port}"
    if isinstance(error, TimeoutError):
        return f"{where}: nobody answers; a network on the way blocks the port"
    if isinstance(error, ConnectionRefusedError):
        return f"{where}: the connection is refused; nobody listens there, or a firewall answers in its place"
    cause = getattr(error, "strerror", None) or str(error)
    return f"{where}: {harmless(cause)[:100]}"
