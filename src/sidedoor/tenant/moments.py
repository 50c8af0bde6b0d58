"""Dates as PowerShell and the Exchange Online API serialise them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# ConvertTo-Json of Windows PowerShell 5.1; JavaScriptSerializer may add the zone of the machine.
_EPOCH = re.compile(r"\\?/Date\((?P<ms>-?[0-9]{1,17})(?P<zone>[+-][0-9]{4})?\)\\?/")
# .NET's round-trip form "O" has seven fractional digits; datetime holds six.
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]{1,9}))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


def parse_ps_date(value: object) -> datetime | None:
    """An aware datetime from `/Date(ms)/`, `/Date(ms+0100)/` or ISO 8601; None for anything else.

    The milliseconds count from 1970 in UTC whatever the zone says; the zone only tells how to show the moment.
    ISO without a zone is taken as UTC, in which Exchange Online answers.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return None
    try:
        return _from_epoch(value.strip()) or _from_iso(value.strip())
    except (ValueError, OverflowError):
        return None


def _from_epoch(text: str) -> datetime | None:
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None
    moment = _EPOCH_START + timedelta(milliseconds=int(match["ms"]))
    return moment.astimezone(_zone(match["zone"])) if match["zone"] else moment


def _zone(text: str) -> timezone:
    size = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-size if text[0] == "-" else size)


def _from_iso(text: str) -> datetime | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    fraction = (match["fraction"] or "0")[:6].ljust(6, "0")
    return datetime.fromisoformat(f"{match['day']}T{match['time']}.{fraction}{match['zone'] or 'Z'}")
