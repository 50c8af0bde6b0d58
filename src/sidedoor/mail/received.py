"""The trace field Received (RFC 5321 section 4.4), as Exchange Online, Postfix, Exim, sendmail and qmail write it.

A line may be anybody's: nothing here says whether to believe it. Work is linear in a bounded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

from sidedoor.mail.network import IPAddress, NetworkError, parse_ip

MAX_RECEIVED = 8_192
"""Characters of one unfolded line; Exchange's own are below 500."""
_MAX_DEPTH = 16
_CLAUSES = frozenset({"from", "by", "via", "with", "id", "for"})
_DATE = re.compile(
    r"(?:[A-Za-z]{3},? +)?(?P<day>[0-9]{1,2}) (?P<month>[A-Za-z]{3}) (?P<year>[0-9]{4}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,7}))?)?"
    r" *(?:(?P<sign>[+-])(?P<zh>[0-9]{2})(?P<zm>[0-9]{2})|\(?(?:UTC|GMT)\)?)(?: *\([^()]*\))?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
# What Exchange writes, in one go: most lines of most messages. Anything else takes the way by tokens.
_MICROSOFT = re.compile(
    r"from (?P<from>[^\s();]+) \((?P<ip>[0-9A-Fa-f:.]+)\) by (?P<by>[^\s();]+)(?: \((?P<byip>[0-9A-Fa-f:.]+)\))? with "
    r"(?P<with>Microsoft SMTP Server|HTTPS|mapi)(?: \((?P<tls>[^()]*)\))?(?: id (?P<id>[^\s();]+))?"
    r"(?: via (?P<via>[A-Za-z]+(?: [A-Za-z]+)?))?; (?P<date>[^()]+)"
)
_TOKEN = re.compile(r'[()]|;|\\.|"(?:[^"\\]|\\.)*"|[^\s()";\\]+|["\\]')
_LITERAL = re.compile(r"\[(?P<ip>[^\][\s]{2,60})\]")
_HELO = re.compile(r"(?:^|[\s(])(?:helo=|HELO )(?P<helo>[^\s()]+)")
_TLS_VERSION = re.compile(r"(?:version=|using )(?P<name>(?:TLS|SSL)v?)(?P<major>[0-9])(?:[._](?P<minor>[0-9]))?")
_CIPHER = re.compile(r"cipher[ =](?P<cipher>[A-Za-z0-9_-]+)")
_ATOM = re.compile(r"[^\s()\";\\\x00-\x1f\x7f]+")


class ReceivedError(ValueError):
    """The text is beyond what can be read as a trace line; the message says why."""


class Received(NamedTuple):
    """One line. Names are as written, and None where the line does not hold them.

    from_name: the name after `from`; helo: what the client called itself (the same name, unless the line says
    otherwise); rdns: the name that the address has in DNS, where the line shows one; by: who wrote the line.
    protocol: `Microsoft SMTP Server`, `ESMTPS`, `mapi`; tls: `TLS1.2`; recipient: `for <x>`; date in UTC.
    doubled: a clause stands twice, so that a client's own words may pass for the server's.
    """

    from_name: str | None = None
    helo: str | None = None
    rdns: str | None = None
    client_ip: IPAddress | None = None
    by: str | None = None
    by_ip: IPAddress | None = None
    protocol: str | None = None
    tls: str | None = None
    cipher: str | None = None
    id: str | None = None
    via: str | None = None
    recipient: str | None = None
    date: datetime | None = None
    doubled: bool = False

    def __str__(self) -> str:
        """A line that reads back as the same value (where `from_name` is the HELO)."""
        named = f"{self.rdns} " if self.rdns else ""
        client = f" ({named}[{self.client_ip}])" if self.client_ip else (f" ({self.rdns})" if self.rdns else "")
        tls = " ".join(
            part
            for part in (f"version={self.tls}" * bool(self.tls), f"cipher={self.cipher}" * bool(self.cipher))
            if part
        )
        parts = (
            ("from ", self.from_name, client),
            ("by ", self.by, f" ([{self.by_ip}])" if self.by_ip else ""),
            ("via ", self.via, ""),
            ("with ", self.protocol, f" ({tls})" if tls else ""),
            ("id ", self.id, ""),
            ("for ", f"<{self.recipient}>" if self.recipient else None, ""),
        )
        line = " ".join(f"{word}{value}{more}" for word, value, more in parts if value)
        return f"{line}; {self.date:%a, %d %b %Y %H:%M:%S +0000}" if self.date else line


def parse_received(text: str) -> Received:
    """Read one unfolded line. Raises ReceivedError where it is too long or its comments are nested too deep."""
    if len(text) > MAX_RECEIVED:
        raise ReceivedError(f"a Received line of {len(text):,} characters; {MAX_RECEIVED:,} is the most")
    if match := _MICROSOFT.fullmatch(text.strip()):
        return _of_exchange(match)
    return _of_clauses(_clauses(text))


def _of_exchange(match: re.Match[str]) -> Received:
    name, ip, by, by_ip, protocol, comment, number, via, date = match.groups()
    tls, cipher = _tls(comment or "")
    return Received(
        name, name, None, _ip(ip), by, _ip(by_ip or ""), protocol, tls, cipher, number, via, None, parse_date(date)
    )


@dataclass(slots=True)
class _Clause:
    words: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Clauses:
    """The parts of a line by their keyword, and the text after the last semicolon."""

    parts: dict[str, _Clause] = field(default_factory=dict)
    doubled: bool = False
    date: str = ""


def _clauses(text: str) -> _Clauses:
    """Cut a line at its keywords. The word right after a keyword is its value, whatever it is."""
    found, current = _Clauses(), _Clause()
    for kind, part, end in _parts(text):
        if kind == "comment":
            current.comments.append(part)
        elif part == ";":
            found.date = text[end:]
        elif part.lower() in _CLAUSES and (current.words or not found.parts):
            found.doubled |= part.lower() in found.parts
            current = found.parts.setdefault(part.lower(), _Clause())
            current = _Clause() if current.words else current
        elif len(current.words) < 16:
            current.words.append(part)
    if found.date:  # what follows the semicolon is the date and no clause
        return _without_date(text, found)
    return found


def _without_date(text: str, found: _Clauses) -> _Clauses:
    before = text[: len(text) - len(found.date)].rstrip().removesuffix(";")
    if ";" in before:
        before = before.replace(";", " ")
    again = _clauses(before)
    again.date = found.date
    return again


def _parts(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, end): words, `;` outside comments, and whole comments without their parentheses."""
    depth, opened = 0, 0
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part == "(":
            depth += 1
            if depth > _MAX_DEPTH:
                raise ReceivedError(f"comments nested more than {_MAX_DEPTH} deep")
            opened = match.end() if depth == 1 else opened
        elif part == ")":
            depth -= depth > 0
            if depth == 0 and opened:
                yield "comment", text[opened : match.start()], match.end()
                opened = 0
        elif depth == 0:
            yield "word", part, match.end()


def _of_clauses(found: _Clauses) -> Received:
    parts = found.parts
    nothing = _Clause()
    came, wrote = parts.get("from", nothing), parts.get("by", nothing)
    name = came.words[0] if came.words else None
    rdns, helo, client_ip = _client(name, came.comments)
    tls, cipher = _tls(" ".join(comment for part in parts.values() for comment in part.comments))
    return Received(
        name,
        helo,
        rdns,
        client_ip,
        wrote.words[0] if wrote.words else None,
        next((ip for comment in wrote.comments if (ip := _ip(comment.strip())) is not None), None),
        " ".join(parts.get("with", nothing).words) or None,
        tls,
        cipher,
        " ".join(parts.get("id", nothing).words[:1]) or None,
        " ".join(parts.get("via", nothing).words) or None,
        " ".join(parts.get("for", nothing).words[:1]).strip("<>") or None,
        parse_date(found.date),
        found.doubled,
    )


def _client(name: str | None, comments: list[str]) -> tuple[str | None, str | None, IPAddress | None]:
    """(rdns, helo, address) of the client, from `helo (rdns [ip])`, `rdns ([ip] helo=x)`, `rdns (HELO x) (ip)`."""
    told = " ".join(comments)
    said = _HELO.search(told)
    helo = said["helo"] if said else name
    literal = _LITERAL.search(told)
    address = _ip(literal["ip"]) if literal else None
    if address is None:
        address = next((ip for comment in comments if (ip := _ip(comment.strip())) is not None), None)
    if address is None and name and name.startswith("["):
        address = _ip(name)
    before = told[: literal.start()].split() if literal else []
    rdns = before[-1] if before and "=" not in before[-1] and not said else None
    if said and name and not name.startswith("["):
        rdns = name
    return rdns, helo, address


@lru_cache(maxsize=4_096)
def _ip(text: str) -> IPAddress | None:
    try:
        return parse_ip(text) if text else None
    except NetworkError:
        return None


@lru_cache(maxsize=1_024)
def _tls(comment: str) -> tuple[str | None, str | None]:
    """(version, cipher) of `version=TLS1_2, cipher=X`, `using TLSv1.3 with cipher X`."""
    version, cipher = _TLS_VERSION.search(comment), _CIPHER.search(comment)
    name = f"{version['name'].rstrip('v')}{version['major']}.{version['minor'] or '0'}" if version else None
    return name, cipher["cipher"] if cipher else None


def parse_date(text: str) -> datetime | None:
    """A date as RFC 5322 section 3.3 writes it, and as Exchange's OriginalArrivalTime does; in UTC, None for no date.

    A zone must be there: a local time of nobody knows where is no date.
    """
    bare = text.strip()
    if match := _DATE.fullmatch(bare):
        return _exact(match)
    if not bare or len(bare) > 120:
        return None
    try:
        parsed = parsedate_to_datetime(bare)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _exact(match: re.Match[str]) -> datetime | None:
    month = _MONTHS.get(match["month"].lower())
    if month is None:
        return None
    micro = int((match["part"] or "0").ljust(6, "0")[:6])
    try:
        local = datetime(
            int(match["year"]), month, int(match["day"]), int(match["hour"]), int(match["minute"]),
            min(int(match["second"] or 0), 59), micro, tzinfo=UTC,
        )  # fmt: skip
        if not match["sign"]:
            return local
        ahead = timedelta(hours=int(match["zh"]), minutes=int(match["zm"]))
        return local - ahead if match["sign"] == "+" else local + ahead
    except (ValueError, OverflowError):
        return None
