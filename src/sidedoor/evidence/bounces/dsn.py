"""The machine-readable part of a report: message/delivery-status (RFC 3464), as it really comes.

Groups of fields with blank lines between; some programs forget the blank lines, so a field that begins a recipient
begins a group too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sidedoor.evidence.bounces.codes import MATTER, refusal_in, status_in
from sidedoor.evidence.message.fields import MessageError, parse_fields
from sidedoor.evidence.message.model import HeaderField

_MOST_GROUPS = 500
_MOST_VALUE = 2_000  # characters of a field
_BLANK = re.compile(rb"\n[ \t\r]*\n")
_BEGINS = frozenset({"final-recipient", "original-recipient"})
_MESSAGE = frozenset({"reporting-mta", "arrival-date", "received-from-mta", "original-envelope-id", "x-postfix-sender"})
# Of these actions nothing is lost (RFC 3464 section 2.3.3).
_NO_FAILURE = frozenset({"delivered", "relayed", "expanded", "delayed"})
Group = Mapping[str, str]


class Recipient(NamedTuple):
    """One recipient of a report. code: one of those that matter, else the status it has, "" for none at all."""

    address: str
    code: str
    diagnostic: str
    remote_mta: str
    last_attempt: str

    @property
    def matters(self) -> bool:
        """Whether it was refused with a code that matters."""
        return self.code in MATTER


class Status(NamedTuple):
    """A delivery status: fields about the message, and its failed recipients."""

    reporting_mta: str
    sender: str  # Postfix alone tells it
    recipients: tuple[Recipient, ...]


def read_status(data: bytes) -> Status | None:
    """The status; None where nothing of the kind is in it."""
    groups = list(_groups(data))
    if not groups:
        return None
    about = {name: value for group in groups for name, value in group.items() if name in _MESSAGE}
    recipients = [_recipient(group) for group in groups if _BEGINS.intersection(group) and _failed(group)]
    return Status(_host(about.get("reporting-mta", "")), _typed(about.get("x-postfix-sender", "")), tuple(recipients))


def _groups(data: bytes) -> Iterator[Group]:
    count = 0
    for block in _BLANK.split(data.replace(b"\r\n", b"\n").strip()):
        try:
            fields = parse_fields(block.strip(b"\n"))
        except MessageError:
            continue
        for group in _cut(fields):
            count += 1
            if count > _MOST_GROUPS:
                return
            yield group


def _cut(fields: Sequence[HeaderField]) -> Iterator[Group]:
    """A group that names a recipient for the second time is two."""
    group: dict[str, str] = {}
    for field in fields:
        name = field.name.lower()
        if name in _BEGINS and (name in group or (group and not _BEGINS.intersection(group))):
            yield group
            group = {}
        group.setdefault(name, field.value[:_MOST_VALUE])
    if group:
        yield group


def _failed(group: Group) -> bool:
    return group.get("action", "failed").strip().lower().split(" ")[0] not in _NO_FAILURE


def _recipient(group: Group) -> Recipient:
    diagnostic, status = group.get("diagnostic-code", ""), group.get("status", "")
    address = _typed(group.get("original-recipient") or group.get("final-recipient", ""))
    code = refusal_in(diagnostic) or status_in(status)
    return Recipient(
        address, code, _typed(diagnostic), _host(group.get("remote-mta", "")), group.get("last-attempt-date", "")
    )


def _typed(value: str) -> str:
    """What stands behind the type: `rfc822; a@b`, `dns; host`, `smtp; 550 ...` (RFC 3464 section 2.1.2)."""
    kind, mark, rest = value.partition(";")
    told = rest if mark and " " not in kind.strip() else value
    return told.strip().strip("<> ")


def _host(value: str) -> str:
    """The name of a server, without a comment behind it."""
    return _typed(value).partition(" (")[0].strip().rstrip(".")
