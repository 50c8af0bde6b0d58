"""What comes over the wire: bodies that may be NUL bytes, errors that bury what they mean, keys about keys. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias, TypeGuard

Row: TypeAlias = dict[str, object]
_SHOWN = 300
# Graph's message traces need this service principal of Microsoft's in the tenant (exchangeMessageTrace).
TRACE_SERVICE = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"
_THROTTLED = "surpassed the permitted limit"


class Refusal(Enum):
    """Why the service would not answer; the value says what that means."""

    UNAUTHORIZED = "the token is not accepted: it has ended, or the application has neither the right nor the role"
    NOT_PROVISIONED = "Microsoft's message trace service has no service principal in this tenant yet"
    FORBIDDEN = "no right to it, or no such cmdlet"
    REDIRECTED = "the service sends us to a host that is not its own; not followed"
    GARBLED = "the answer cannot be read"
    REFUSED = "the request is refused"


class RefusedError(Exception):
    """The service was reached and will not answer this request. `str()` is a phrase for people."""

    def __init__(self, refusal: Refusal, status: int, message: str = "") -> None:
        told = f": {message[:_SHOWN]}" if message else ""
        super().__init__(f"{refusal.value} (HTTP {status}{told})")
        self.refusal, self.status, self.message = refusal, status, message


def parse_object(body: bytes) -> Row | None:
    """A JSON object; None for NUL bytes, for half a body and for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def deepest_message(body: Row | None) -> str:
    """The message that says most: the inner exception's, the last `|` part of the details, then the outer one."""
    error = (body or {}).get("error")
    if not isinstance(error, Mapping):
        return ""
    inner = error.get("innererror")
    exception = inner.get("internalexception") if isinstance(inner, Mapping) else None
    found = exception.get("message") if isinstance(exception, Mapping) else None
    details = error.get("details")
    if not found and isinstance(details, list) and details and isinstance(details[0], Mapping):
        found = str(details[0].get("message") or "").rpartition("|")[2]
    return str(found or error.get("message") or error.get("code") or "")


def refusal_of(status: int, body: Row | None) -> RefusedError:
    """What an answer of 4xx means."""
    message = deepest_message(body)
    if status == 401:
        missing = TRACE_SERVICE in message
        return RefusedError(Refusal.NOT_PROVISIONED if missing else Refusal.UNAUTHORIZED, status, message)
    return RefusedError(Refusal.FORBIDDEN if status == 403 else Refusal.REFUSED, status, message)


def is_throttled(status: int, body: Row | None) -> bool:
    """429, or the words of it under another status."""
    return status == 429 or (status >= 400 and _THROTTLED in deepest_message(body))


def plain(row: Mapping[str, object]) -> Row:
    """A row without the keys about keys (`Received@data.type`)."""
    return {name: value for name, value in row.items() if "@" not in name}


def is_answer(body: Row | None, key: str) -> TypeGuard[Row]:
    """Whether an answer says what was asked: an object, and under `key`, if that is given, a list of objects.

    An error that comes under status 200, when the service has begun to answer before it failed, is none.
    """
    if body is None or not key:
        return body is not None
    found = body.get(key)
    return isinstance(found, list) and all(isinstance(each, dict) for each in found)


def rows_of(body: Row, key: str = "value") -> list[Row]:
    """The rows of an answer (`is_answer`)."""
    found = body[key]
    assert isinstance(found, list)
    return [plain(each) for each in found]


def text_of(row: Mapping[str, object], name: str) -> str:
    """A cell as text; "" for null and for a key that is not there."""
    value = row.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
