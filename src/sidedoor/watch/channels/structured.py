"""Syslog messages in the form of RFC 5424: header, structured data, text. Pure.

No library in use writes them: Python's SysLogHandler speaks RFC 3164 with a NUL at the end, and the packages that did
have not been touched for years.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sidedoor.store.model import Severity

FACILITIES: Mapping[str, int] = {
    "user": 1, "mail": 2, "daemon": 3, "auth": 4, "authpriv": 10,
    **{f"local{number}": 16 + number for number in range(8)},
}  # fmt: skip
"""RFC 5424 section 6.2.1, those that fit an application."""
LEVELS: Mapping[Severity, int] = {
    Severity.INFO: 6,  # informational
    Severity.WARNING: 4,  # warning
    Severity.SERIOUS: 3,  # error
    Severity.CRITICAL: 2,  # critical
}
RECOVERED = 5  # notice
BOM = b"\xef\xbb\xbf"
# Octets a field of the header may have; PRINTUSASCII without blanks.
_LENGTHS = {"host": 255, "app": 48, "process": 128, "kind": 32}
_NOT_PRINTABLE = re.compile(r"[^!-~]")
# SD-NAME: PRINTUSASCII without `=`, blank, `]` and `"`, at most 32 octets (section 6.3.2).
_NOT_NAME = re.compile(r"[^!-~]|[=\]\"]")
_SD_ID = re.compile(r"[A-Za-z0-9_.-]{1,20}@[0-9]{1,10}(?:\.[0-9]{1,10}){0,4}")


@dataclass(frozen=True, slots=True)
class Header:
    """The part before the structured data. kind: MSGID. process: PROCID, "" for none."""

    facility: int
    level: int
    at: datetime
    host: str
    app: str
    kind: str
    process: str = ""

    def __str__(self) -> str:
        stamp = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
        fields = [_field(getattr(self, name), length) for name, length in _LENGTHS.items()]
        return " ".join([f"<{self.facility * 8 + self.level}>1", stamp, *fields])


def is_sd_id(text: str) -> bool:
    """Whether a text names structured data: `name@enterprise-number` (RFC 5424 section 7.2.2), 32 octets at most."""
    return len(text) <= 32 and _SD_ID.fullmatch(text) is not None


def element(sd_id: str, parameters: Iterable[tuple[str, str]]) -> str:
    """One element of structured data. Names that occur again are allowed (section 6.3.3)."""
    told = "".join(f' {param_name(name)}="{param_value(value)}"' for name, value in parameters)
    return f"[{sd_id}{told}]"


def param_name(text: str) -> str:
    """A name as section 6.3.2 allows it: blanks and all else become `_`."""
    return _NOT_NAME.sub("_", text)[:32] or "_"


def param_value(text: str) -> str:
    """A value with `"`, a backslash and `]` escaped (section 6.3.3), on one line."""
    one_line = re.sub(r"[\0-\x1f\x7f\x85\u2028\u2029]", " ", text)
    return re.sub(r'(["\\\]])', r"\\\1", one_line)


def syslog_message(header: Header, data: str, text: str, most: int, *, mark: bool = True) -> bytes:
    """The whole message, `most` octets at most: the text is cut where it must be, the structured data never.

    `mark`: text beyond ASCII begins with a byte order mark, as section 6.4 wants it of UTF-8.
    """
    head = f"{header} {data or '-'}".encode("utf-8", "replace")
    plain = re.sub(r"[\0-\x1f\x7f]", " ", text)
    body = (BOM if mark and not plain.isascii() else b"") + plain.encode("utf-8", "replace")
    room = max(most - len(head) - 1, 0)
    cut = body[:room].decode("utf-8", "ignore").encode() if len(body) > room else body
    return head + b" " + cut if cut else head


def _field(text: str, length: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:length] or "-"
