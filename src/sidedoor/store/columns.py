"""Types of columns: what goes in comes out the same, on SQLite and on PostgreSQL.

PostgreSQL's text takes no NUL and no lone surrogate (neither is a character in UTF-8), and its indexes no entry of
more than 2,704 octets; what comes from mail has all three. SQLite knows no time zones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from sidedoor.store.errors import StoreError

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")
_Process = Callable[[T | None], Any]
# U+FDD0 is a noncharacter, for use inside programs (Unicode Standard, section 23.7): no mail has it but to annoy.
_ESCAPE = "\ufdd0"
_UNFIT = re.compile("[\x00\ud800-\udfff\ufdd0]")
_ESCAPED = re.compile(_ESCAPE + "([0-9a-f]{4})")
_MOST_OCTETS = 800  # of a key; three of them are in one index
_SAFE_LENGTH = _MOST_OCTETS // len((_ESCAPE + "0000").encode())
_HEAD = 60


def escaped(text: str) -> str:
    """The text as the database takes it: U+FDD0 and four digits for each of NUL, lone surrogates and U+FDD0 itself."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNFIT.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if _ESCAPE in text else text


def kept_key(text: str) -> str:
    """A key as it is kept: itself, or where it is too long for an index its beginning and the digest of the whole."""
    if len(text) <= _SAFE_LENGTH or len(escaped(text).encode()) <= _MOST_OCTETS:
        return text
    return f"{text[:_HEAD]}…{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


class Words(TypeDecorator[str]):
    """Any text."""

    impl = Text
    cache_ok = True

    # The processors, not `process_bind_param` and its like: a page of senders is half a million texts.
    def bind_processor(self, dialect: Dialect) -> _Process[str]:  # noqa: ARG002  # SQLAlchemy's signature
        return lambda value: None if value is None else escaped(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process[str]:  # noqa: ARG002
        return lambda value: unescaped(value) if value is not None and _ESCAPE in value else value


class Key(Words):
    """A text that rows are found by. Ordered by code point on both databases; see `kept_key`."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def bind_processor(self, dialect: Dialect) -> _Process[str]:  # noqa: ARG002
        return lambda value: None if value is None else escaped(kept_key(value))


class Moment(TypeDecorator[datetime]):
    """An aware time; comes out in UTC. SQLite keeps it as text of one length, so that it is ordered by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> _Process[datetime]:
        return _to_sqlite if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process[Any]:  # noqa: ARG002
        return _from_sqlite if dialect.name == "sqlite" else _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.utcoffset() is None:
        raise StoreError(f"a time without a time zone: {value.isoformat()}")
    return value.astimezone(UTC)


def _to_sqlite(value: datetime | None) -> str | None:
    utc = _in_utc(value)
    return None if utc is None else utc.replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_sqlite(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


class Json(TypeDecorator[Any]):
    """A JSON value, as ASCII text. Text, not PostgreSQL's jsonb, which takes no NUL either."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str:
        try:
            return json.dumps(value, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise StoreError(f"no JSON value ({error})") from error

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Any:
        try:
            return None if value is None else json.loads(value)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"no JSON value in the store ({error})") from error


class Member(TypeDecorator[E]):
    """A member of an enum, by its value."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[E]) -> None:
        super().__init__()
        self.kind = kind
        self.members = {member.value: member for member in kind}

    def bind_processor(self, dialect: Dialect) -> _Process[E]:  # noqa: ARG002
        return lambda value: None if value is None else self.kind(value).value

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process[str]:  # noqa: ARG002
        return lambda value: None if value is None else self._member(value)

    def _member(self, value: str) -> E:
        if value not in self.members:
            raise StoreError(f"{value[:60]!r} in the store is no {self.kind.__name__}")
        return self.members[value]
