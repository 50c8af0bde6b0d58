"""One cell at a time: what exports write, read into the form `Record` promises.

Each function takes the text of one cell and raises RowError where the row cannot be used with it. The columnar
engine applies the same functions to the distinct values of a column, so both paths agree by construction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sidedoor.evidence.record import NULL_SENDER
from sidedoor.mail.address import AddressError, parse_address
from sidedoor.mail.network import NetworkError, parse_ip

MAX_CELL = 65_536  # characters; Exchange's own limit for a header is 32 KB
_MAX_ADDRESS = 1_000
_CACHE = 1 << 16


class RowError(ValueError):
    """The row cannot be read; the message is the `why` of its RejectedRow."""


_PORT = re.compile(r"(?:\[(?P<v6>[^\]]{2,60})\]|(?P<v4>[0-9.]{7,15})):[0-9]{1,5}")
_KEY = re.compile(r"[^\s\x00-\x1f\x7f]{1,128}")
_TLS = re.compile(r"tls[ _]?v?(?P<major>1)(?:[._ ]?(?P<minor>[0-3]))?(?![0-9])", re.IGNORECASE)
# `AM9PR00MB0001\Default AM9PR00MB0001`: the server's own receive connector, that is, no connector of the tenant.
_DEFAULT_CONNECTOR = re.compile(r"[^\\]{1,200}\\Default [^\\]{1,200}", re.IGNORECASE)
# `...\Client Proxy ...`: the server's own too, for clients that logged in at the front end (Learn, Receive connectors).
_CLIENT_PROXY = re.compile(r"[^\\]{1,200}\\Client Proxy [^\\]{1,200}", re.IGNORECASE)

_TREATMENTS: Mapping[str, str] = {
    "delivered": "delivered",
    "deliver": "delivered",
    "expanded": "expanded",
    "expand": "expanded",
    "failed": "failed",
    "fail": "failed",
    "filteredasspam": "junked",
    "gettingstatus": "pending",
    "pending": "pending",
    "defer": "pending",
    "quarantined": "quarantined",
    "quarantine": "quarantined",
    "junked": "junked",
    "blocked": "blocked",
    "replaced": "replaced",
}
# DI of the anti-spam agent: what it decided to do. SN and SO name the outbound pool and say nothing of treatment.
_DISPOSITIONS: Mapping[str, str] = {"SB": "blocked", "SD": "blocked", "SQ": "quarantined", "SJ": "junked"}
_DIRECTIONS: Mapping[str, str] = {
    "1": "incoming",  # historical search: 1 incoming, 2 from the organisation (run-a-message-trace-and-view-results)
    "2": "originating",
    "incoming": "incoming",
    "inbound": "incoming",
    "received": "incoming",
    "originating": "originating",
    "outgoing": "outbound",
    "outbound": "outbound",
    "sent": "outbound",
    "intra-org": "intra-org",
    "intraorg": "intra-org",
}


@lru_cache(maxsize=_CACHE)
def client_ip(text: str) -> str:
    """The address in its usual spelling, "" for an empty cell; brackets and a port are taken off."""
    bare = text.strip()
    if not bare:
        return ""
    if port := _PORT.fullmatch(bare):
        bare = port["v6"] or port["v4"]
    try:
        return str(parse_ip(bare))
    except NetworkError as error:
        raise RowError(str(error)) from error


@lru_cache(maxsize=_CACHE)
def recipient(text: str) -> str:
    """A recipient's address in lower case, its domain as A-labels."""
    try:
        return parse_address(text[: _MAX_ADDRESS + 1]).folded
    except AddressError as error:
        raise RowError(f"bad recipient: {error}") from error


@lru_cache(maxsize=_CACHE)
def mail_address(text: str) -> str:
    """A sender's address in lower case. A malformed one stays as written: a spoof must not vanish by being ugly."""
    bare = text.strip()
    if bare in {"", NULL_SENDER}:
        return bare
    try:
        return parse_address(bare[: _MAX_ADDRESS + 1]).folded
    except AddressError:
        return bare[:_MAX_ADDRESS].lower()


def message_key(text: str) -> str:
    """NetworkMessageId in lower case; "" for an empty cell."""
    bare = text.strip()
    if bare and not _KEY.fullmatch(bare):
        raise RowError(f"{bare[:60]!r} is no message identifier")
    return bare.lower()


@lru_cache(maxsize=1024)
def treatment(text: str) -> str | None:
    """Status, DeliveryAction or an event's name; None for a word that says nothing of the message's fate."""
    return _TREATMENTS.get(text.strip().lower())


def disposition(text: str) -> str | None:
    """The anti-spam agent's DI."""
    return _DISPOSITIONS.get(text.strip().upper())


@lru_cache(maxsize=1024)
def direction(text: str) -> str | None:
    """Directionality in any of its spellings; None where unknown."""
    return _DIRECTIONS.get(text.strip().lower())


@lru_cache(maxsize=1024)
def tls(text: str) -> str | None:
    """`none`, `TLS1.2` ...; understands `No Tls`, `TLS 1.2` and `SP_PROT_TLS1_2_SERVER`; None for anything else."""
    if text.strip().lower() in {"no tls", "none", "notls"}:
        return "none"
    match = _TLS.search(text)
    return f"TLS{match['major']}.{match['minor'] or '0'}" if match else None


@lru_cache(maxsize=_CACHE)
def connector(text: str) -> str | None:
    """A connector's name; "" for the server's own default one, None for an empty cell (it tells nothing)."""
    bare = text.strip()
    if not bare:
        return None
    return "" if _DEFAULT_CONNECTOR.fullmatch(bare) or _CLIENT_PROXY.fullmatch(bare) else bare


def entry(connector_id: str, *, proxied: bool) -> str | None:
    """How an SMTP client came in, by the server's own receive connector: of `record.ENTRIES`, None where it is none.

    `proxied`: a front end handed on what a client of its own said. Without one nobody came in from outside here. That
    the default connector means "nobody logged in" is reported by those who look for Direct Send in details, not
    documented.
    """
    bare = connector_id.strip()
    if not proxied:
        return None
    if _CLIENT_PROXY.fullmatch(bare):
        return "authenticated"
    return "anonymous" if _DEFAULT_CONNECTOR.fullmatch(bare) else None


def word(text: str | None) -> str | None:
    """A result word in lower case; None where there is none."""
    return (text or "").strip().lower() or None


def sender_pair(listed: str | None) -> tuple[str | None, str | None]:
    """(envelope_sender, listed_sender) of a column of unspecified kind.

    `<>` can only be an envelope sender, the null one: a header From has an address (RFC 5322 section 3.6.2). An empty
    cell may be either, a null sender or a message without header From, and tells nothing.
    """
    if listed is None:
        return None, None
    address = mail_address(listed)
    if address == NULL_SENDER:
        return NULL_SENDER, None
    return None, address or None
