"""RFC 1035 master files: the zones of an audit that asks no name server.

One file may hold several zones. Lenient where people are: no SOA and no NS is needed. `$INCLUDE` and `$GENERATE` are
refused: a zone file may come from a stranger, and reads no other file and makes no records out of nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidedoor.errors import InputError
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mailauth.memory import RecordStore, parent
from sidedoor.mailauth.resolver import fold
from sidedoor.mailauth.zones import ZoneResolver

if TYPE_CHECKING:
    import dns.name
    import dns.rdata

_MAX_BYTES = 16 * 2**20  # some 800,000 records, half a minute of reading
_KINDS = frozenset({"A", "AAAA", "MX", "TXT", "PTR", "CNAME", "NS", "SOA"})
_NO_ORIGIN = "no-origin.invalid"  # RFC 6761 section 6.4: nobody's name
_EXPECTED = "an RFC 1035 master file"
_SUFFIXES = (".zone", ".dns", ".txt", ".db", ".hosts")
_PREFIX = re.compile(r"^(db|zone)[.-]", re.IGNORECASE)

Row = tuple[str, str, str]  # owner, kind, value


def read_zones(paths: Iterable[Path]) -> ZoneResolver:
    """Read master files, each with one zone or several. Raises InputError with file and line."""
    rows: list[Row] = []
    stated: set[str] = set()
    for path in paths:
        text = _read(path)
        rows += parse_master_file(text, str(path), origin_of_file_name(path.name))
        stated |= _stated_origins(text)
    store = RecordStore()
    for owner, kind, value in rows:
        store.add(owner, kind, value)
    return ZoneResolver(store, zone_origins(rows, stated))


def zone_origins(rows: Iterable[Row], stated: Iterable[str]) -> frozenset[str]:
    """The names at which the given zones begin.

    An SOA record says so. So does an `$ORIGIN` that owns records itself (`$ORIGIN com.` before `contoso MX ...` owns
    none). A name under neither is a zone of its own: its file holds nothing above it.
    """
    owners: set[str] = set()
    origins: set[str] = set()
    for owner, kind, _ in rows:
        owners.add(owner)
        if kind == "SOA":
            origins.add(owner)
    origins |= owners.intersection(stated)
    for owner in sorted(owners, key=lambda name: name.count(".")):
        if not any(ancestor in origins for ancestor in _self_and_ancestors(owner)):
            origins.add(owner)
    return frozenset(origins)


def origin_of_file_name(name: str) -> str:
    """The zone that a file is named after (`contoso.com.zone`, `db.contoso.com`), or "" where it is named otherwise."""
    stem = _PREFIX.sub("", name)
    stem = next((stem[: -len(suffix)] for suffix in _SUFFIXES if stem.lower().endswith(suffix)), stem)
    try:
        domain = parse_domain(stem)
    except DomainError:
        return ""
    return domain.ascii if "." in domain.ascii else ""


def parse_master_file(text: str, path: str, origin: str = "") -> list[Row]:
    """The records of one file that mail asks for. `origin` holds until the first `$ORIGIN`; "" where none is known.

    Raises InputError with the line where the text is no master file, or a relative name has no origin.
    """
    import dns.name
    import dns.rdataclass
    import dns.tokenizer
    import dns.zonefile

    rows: list[Row] = []

    class Sink(dns.zonefile.RRsetsReaderTransaction):
        """Takes records as they are read: dnspython's own zone would refuse a second SOA."""

        def add(self, *args: Any) -> None:
            owner, _, record = args
            rows.extend(_rows(owner, record))
            if rows and (rows[-1][0].endswith(_NO_ORIGIN) or rows[-1][2].endswith(_NO_ORIGIN)):
                raise ValueError("a relative name, and no $ORIGIN before it")

    class Lines(dns.tokenizer.Tokenizer):
        """Remembers on which line the current record began: by the time it is refused, its end may have been read."""

        began = 1

        def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:
            if want_leading and self.ungotten_token is None:
                self.began = self.line_number
            return super().get(want_leading, want_comment)

    manager = dns.zonefile.RRSetsReaderManager(dns.name.root, False, dns.rdataclass.IN)
    tokenizer = Lines(text, path)
    sink = Sink(manager, True, False)  # type: ignore[no-untyped-call]
    reader = dns.zonefile.Reader(
        tokenizer, dns.rdataclass.IN, sink, allow_directives=("$ORIGIN", "$TTL"), default_ttl=3600
    )
    reader.current_origin = reader.last_name = dns.name.from_text(origin or _NO_ORIGIN)
    try:
        reader.read()
    except (dns.exception.DNSException, ValueError) as error:
        raise InputError(path, _what(error), _EXPECTED, tokenizer.began) from error
    return rows


def _what(error: Exception) -> str:
    """dnspython's message without the place, which InputError names itself."""
    message = re.sub(r"^.*?:\d+: ", "", str(error).replace("\n", " "))
    return message[:200] or type(error).__name__


def _rows(owner: dns.name.Name, record: dns.rdata.Rdata) -> Iterator[Row]:
    import dns.rdatatype

    kind = dns.rdatatype.to_text(record.rdtype)
    if kind in _KINDS:
        yield name_text(owner), kind, record_text(record, kind)


def name_text(name: dns.name.Name) -> str:
    """A name as the resolver interface writes it."""
    return fold(name.to_text())


def record_text(record: dns.rdata.Rdata, kind: str) -> str:
    """A record's data as `resolver.Records` writes it."""
    if kind == "TXT":
        # RFC 7208 section 3.3: the strings are joined without a space.
        return b"".join(record.strings).decode("latin-1")  # type: ignore[attr-defined]
    if kind == "MX":
        return f"{record.preference} {name_text(record.exchange) or '.'}"  # type: ignore[attr-defined]
    return fold(record.to_text())


def _self_and_ancestors(name: str) -> Iterator[str]:
    while name:
        yield name
        name = parent(name)
    yield ""


def _stated_origins(text: str) -> set[str]:
    """Names on `$ORIGIN` lines, relative ones joined to the one before."""
    origins: set[str] = set()
    current = ""
    for match in re.finditer(r"^\$ORIGIN[ \t]+([^ \t\r\n;]+)", text, re.IGNORECASE | re.MULTILINE):
        name = match[1]
        current = fold(name) if name.endswith(".") or not current else f"{fold(name)}.{current}"
        origins.add(current)
    return origins


def _read(path: Path) -> str:
    """The file's text: UTF-8, UTF-16 with a byte order mark (PowerShell's redirection), or else ISO 8859-1."""
    try:
        with path.open("rb") as handle:
            data = handle.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(str(path), f"a file that cannot be opened ({error.strerror})", _EXPECTED) from error
    if len(data) > _MAX_BYTES:
        raise InputError(str(path), f"more than {_MAX_BYTES:,} bytes", f"{_EXPECTED} below that size")
    return decode_master_file(data, str(path))


def decode_master_file(data: bytes, path: str) -> str:
    """Text of a master file's bytes. Raises InputError for a NUL, which no text has."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    if "\0" in text:
        raise InputError(path, "a NUL character", _EXPECTED, text.count("\n", 0, text.index("\0")) + 1)
    return text
