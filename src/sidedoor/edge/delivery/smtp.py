"""A next hop by SMTP or LMTP: a mail server behind a gateway, Exchange Online's MX, smtp.office365.com with a login.

The protocol is aiosmtplib's. LMTP (RFC 2033) differs in its greeting and in a reply per recipient after the data, which
that library does not know, so LMTP sends one recipient a transaction: the one reply is then that recipient's.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import aiosmtplib

from sidedoor.edge.delivery.transport import all_alike, fate_of, reply_text
from sidedoor.edge.spool.model import Delivery, Fate, Outcome

_TIMEOUT = 60.0


class Tls(Enum):
    """What is asked of the next hop's TLS."""

    NONE = "none"  # never: a hop on the loopback
    OFFERED = "offered"  # taken where offered, whatever the certificate (RFC 7435); the default between servers
    VERIFIED = "verified"  # required, with a certificate for the hop's name by a known authority
    IMPLICIT = "implicit"  # from the first byte, verified (RFC 8314)


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where to, and how.

    name: what we greet with. certificate, key: PEM files of a client certificate, for a connector by certificate.
    user and token: XOAUTH2 (a call for a fresh access token); user and password: AUTH PLAIN or LOGIN. A password or
    token is never sent without verified TLS.
    """

    host: str
    port: int = 25
    tls: Tls = Tls.OFFERED
    name: str | None = None
    lmtp: bool = False
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    password: str | None = None
    token: Callable[[], Awaitable[str]] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a login that would travel in the clear."""
        if (self.password or self.token) and self.tls not in {Tls.VERIFIED, Tls.IMPLICIT}:
            raise ValueError("a login needs verified TLS to the next hop")


class SmtpTransport:
    """Delivers over one connection per message."""

    def __init__(self, hop: NextHop) -> None:
        """Raises ssl.SSLError or OSError where the client certificate cannot be read."""
        self._hop = hop
        self._context = _context(hop)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """Speak to the next hop; what it does not answer is deferred."""
        try:
            client = await self._connect()
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return all_alike(delivery.recipients, *_verdict(error))
        try:
            if self._hop.lmtp:
                return [outcome for one in delivery.recipients for outcome in await _send(client, delivery, (one,))]
            return await _send(client, delivery, delivery.recipients)
        finally:
            await _leave(client)

    async def close(self) -> None:
        """Nothing is held between messages."""

    async def _connect(self) -> aiosmtplib.SMTP:
        hop = self._hop
        client = (_Lmtp if hop.lmtp else aiosmtplib.SMTP)(
            hostname=hop.host, port=hop.port, local_hostname=hop.name, timeout=_TIMEOUT,
            use_tls=hop.tls is Tls.IMPLICIT, start_tls=False, tls_context=self._context,
        )  # fmt: skip
        await client.connect()
        try:
            await self._secure(client)
            await self._log_in(client)
        except BaseException:
            client.close()
            raise
        return client

    async def _secure(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            if self._hop.lmtp or self._hop.tls is Tls.VERIFIED:
                raise
            await client.helo()
        if self._hop.tls is Tls.VERIFIED or (self._hop.tls is Tls.OFFERED and client.supports_extension("starttls")):
            await client.starttls(tls_context=self._context)
            await client.ehlo()

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        if self._hop.user is None:
            return
        if self._hop.token is not None:
            await client.auth_xoauth2(self._hop.user, await self._hop.token())
        elif self._hop.password is not None:
            await client.login(self._hop.user, self._hop.password)


class _Lmtp(aiosmtplib.SMTP):
    """LMTP greets with LHLO and has EHLO's extensions (RFC 2033 section 4.1)."""

    async def execute_command(self, *args: bytes, **options: Any) -> aiosmtplib.SMTPResponse:
        """As SMTP, but for the greeting."""
        return await super().execute_command(*(b"LHLO" if word == b"EHLO" else word for word in args), **options)


def _context(hop: NextHop) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if hop.tls not in {Tls.VERIFIED, Tls.IMPLICIT}:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if hop.certificate is not None:
        context.load_cert_chain(hop.certificate, hop.key)
    return context


async def _send(client: aiosmtplib.SMTP, delivery: Delivery, recipients: Sequence[str]) -> list[Outcome]:
    """One transaction. A refused recipient does not stop the others."""
    message = delivery.message
    options = ["SMTPUTF8", "BODY=8BITMIME"] if message.smtputf8 else []
    if not options and not message.content.isascii() and client.supports_extension("8bitmime"):
        options = ["BODY=8BITMIME"]
    outcomes: list[Outcome] = []
    encoding = "utf-8" if message.smtputf8 else "ascii"
    try:
        await client.mail(message.envelope_sender, options=options, encoding=encoding)
        for recipient in recipients:
            try:
                await client.rcpt(recipient, encoding=encoding)
            except aiosmtplib.SMTPRecipientRefused as refusal:
                outcomes.append(Outcome(recipient, fate_of(refusal.code), reply_text(refusal.code, refusal.message)))
        taken = [one for one in recipients if one not in {outcome.recipient for outcome in outcomes}]
        if taken:
            response = await client.data(message.content)
            outcomes += all_alike(taken, fate_of(response.code), reply_text(response.code, response.message))
        else:
            await client.rset()
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError, UnicodeError) as error:
        told = {outcome.recipient for outcome in outcomes}
        outcomes += all_alike([one for one in recipients if one not in told], *_verdict(error))
    return outcomes


def _verdict(error: Exception) -> tuple[Fate, str]:
    """A refusal decides by its code; silence, a cut or a wrong certificate are worth another try."""
    if isinstance(error, UnicodeError):
        return Fate.FAILED, "553 5.6.7 the next hop needs an ASCII address and this is none"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return fate_of(error.code) if error.code >= 400 else Fate.DEFERRED, reply_text(error.code, error.message)
    return Fate.DEFERRED, reply_text(451, f"4.4.1 {type(error).__name__}: {error}")


async def _leave(client: aiosmtplib.SMTP) -> None:
    """QUIT is a courtesy: what was answered stands, whatever happens to it."""
    try:
        await client.quit(timeout=5)
    except (aiosmtplib.SMTPException, OSError):
        client.close()
