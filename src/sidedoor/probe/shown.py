"""The certificate that a mail server shows after STARTTLS, read for its dates; bounded in time and lines.

To read a date nothing needs to be verified. Whether it verifies is tried first all the same and said: a certificate
that nobody believes is no better than one that has ended.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass

from sidedoor.errors import UnreachableError
from sidedoor.probe.model import Role, Target
from sidedoor.probe.wire import Client

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """der: the leaf. verified: whether the system's authorities vouch for it under that host's name; why_not: else."""

    der: bytes
    verified: bool
    why_not: str = ""


def shown_certificate(host: str, port: int, seconds: float = SECONDS) -> ShownCertificate:
    """Ask a mail server for STARTTLS and take its certificate. Raises UnreachableError with a phrase."""
    try:
        return ShownCertificate(_shake_hands(host, port, seconds, ssl.create_default_context()), verified=True)
    except ssl.SSLCertVerificationError as error:
        why_not = error.verify_message or "not verified"
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise UnreachableError(f"{host}:{port}: {_phrase(error)}") from error
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return ShownCertificate(_shake_hands(host, port, seconds, context), verified=False, why_not=why_not)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise UnreachableError(f"{host}:{port}: {_phrase(error)}") from error


def _shake_hands(host: str, port: int, seconds: float, context: ssl.SSLContext) -> bytes:
    client = Client("sidedoor.invalid", seconds)
    try:
        client.reach(Target(host, port, Role.MX))
        greeting = client.reply()
        if greeting.code >= 400:
            raise smtplib.SMTPConnectError(greeting.code, "it does not talk to us")
        client.hello()
        if not client.has_extn("starttls"):
            raise smtplib.SMTPNotSupportedError("no STARTTLS is offered")
        if client.ask("STARTTLS").code != 220:  # RFC 3207 section 4
            raise smtplib.SMTPNotSupportedError("STARTTLS is refused")
        der = client.secure(context, host).getpeercert(binary_form=True)
    finally:
        client.close()
    if not der:
        raise smtplib.SMTPNotSupportedError("no certificate is shown")
    return der


def _phrase(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    return str(getattr(error, "strerror", None) or type(error).__name__)
