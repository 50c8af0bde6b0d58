"""Reads entries from TOML. Strict: an unknown key, a wrong type or an unlisted word is an error that says where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sidedoor.catalogue.entry import Answer, Entry, Kind, OwnDomain, Recognise, Sends, SmtpAuth, Source, Supports
from sidedoor.catalogue.patterns import PatternError, host_pattern, text_pattern
from sidedoor.errors import InputError

_MOST_BYTES = 256 * 1024
_MOST_ENTRIES = 1000
_MOST_ITEMS = 100  # of one list
_LONGEST = 500  # characters of one text
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LINE = re.compile(r"line (\d+)")

Value = TypeVar("Value")
Word = TypeVar("Word", bound=StrEnum)


class _Wrong(Exception):  # noqa: N818 -- becomes InputError once the file is known
    """A key that is not as it must be."""

    def __init__(self, key: str, found: str, expected: str) -> None:
        super().__init__(key)
        self.key, self.found, self.expected = key, found, expected


class _Table:
    """One TOML table; keys are taken one by one, and what is left at the end is unknown."""

    def __init__(self, value: object, name: str) -> None:
        if not isinstance(value, dict):
            raise _Wrong(name, _shown(value), "a table")
        self._left: dict[str, object] = dict(value)
        self._name = name

    def key(self, key: str) -> str:
        """The key with the table's name before it."""
        return f"{self._name}.{key}" if self._name else key

    def take(self, key: str, read: Callable[[object, str], Value], default: Value | None = None) -> Value:
        """The value of a key; the default where it is absent, an error where there is no default."""
        if key in self._left:
            return read(self._left.pop(key), self.key(key))
        if default is None:
            raise _Wrong(self.key(key), "nothing", "a value")
        return default

    def finish(self, known: Iterable[str]) -> None:
        """Raise for a key that was not taken."""
        for key in self._left:
            raise _Wrong(self.key(key)[:80], "a key that is not known", f"one of {', '.join(known)}")


def read_file(path: Path) -> list[Entry]:
    """Entries of a file of one's own (docs/catalogue.md). Raises InputError where it cannot be read as such."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(str(path), f"more than {_MOST_BYTES // 1024} KiB", "a file of catalogue entries")
        return read_entries(data.decode("utf-8-sig"), str(path))
    except OSError as error:
        raise InputError(str(path), error.strerror or "an error", "a readable file of catalogue entries") from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"byte {error.start} that is no UTF-8", "TOML in UTF-8") from error


def read_entries(text: str, path: str) -> list[Entry]:
    """One entry, or several under `[[entry]]`. `path` is for messages. Raises InputError."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = _LINE.search(str(error))
        found = "values nested too deep" if isinstance(error, RecursionError) else f"no TOML ({error})"
        raise InputError(path, found, "TOML with one entry, or several under [[entry]]", _number(line)) from error
    rows = table["entry"] if table.keys() == {"entry"} else [table]
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_ENTRIES:
        raise InputError(path, _shown(rows), f"1 to {_MOST_ENTRIES} tables under [[entry]]")
    entries: dict[str, Entry] = {}
    for row in rows:
        entry = _entry_of(row, path)
        if entry.id in entries:
            raise InputError(path, f"two entries with the id {entry.id!r}", "one entry an id")
        entries[entry.id] = entry
    return list(entries.values())


def _number(found: re.Match[str] | None) -> int | None:
    return int(found[1]) if found else None


def _entry_of(row: object, path: str) -> Entry:
    id_ = row.get("id") if isinstance(row, dict) else None
    try:
        return _entry(row)
    except _Wrong as wrong:
        where = f"entry {str(id_)[:60]!r}, {wrong.key}" if id_ is not None else wrong.key or "the file"
        raise InputError(path, f"{where}: {wrong.found}", wrong.expected) from wrong


def _entry(row: object) -> Entry:
    table = _Table(row, "")
    entry = Entry(
        id=table.take("id", _id),
        name=table.take("name", _text),
        vendor=table.take("vendor", _text),
        kind=table.take("kind", _word(Kind)),
        advice=table.take("advice", _text),
        shared_addresses=_TRUTH[table.take("shared_addresses", _word(Answer), Answer.UNKNOWN)],
        borrows_from=table.take("borrows_from", _list_of(_id), ()),
        recognise=table.take("recognise", _recognise, Recognise()),
        sends=table.take("sends", _sends, Sends()),
        supports=table.take("supports", _supports, Supports()),
        sources=table.take("sources", _list_of(_source), ()),
    )
    table.finish(Entry.__dataclass_fields__)
    return entry


_TRUTH = {Answer.YES: True, Answer.NO: False, Answer.UNKNOWN: None}


def _recognise(value: object, name: str) -> Recognise:
    table = _Table(value, name)
    hosts, texts = _list_of(_pattern(host_pattern)), _list_of(_pattern(text_pattern))
    recognise = Recognise(
        spf_include=table.take("spf_include", hosts, ()),
        dkim_domain=table.take("dkim_domain", hosts, ()),
        ptr=table.take("ptr", hosts, ()),
        helo=table.take("helo", hosts, ()),
        bounce_domain=table.take("bounce_domain", hosts, ()),
        message_id_host=table.take("message_id_host", hosts, ()),
        x_mailer=table.take("x_mailer", texts, ()),
        address=table.take("address", texts, ()),
    )
    table.finish(Recognise.__dataclass_fields__)
    return recognise


def _sends(value: object, name: str) -> Sends:
    table = _Table(value, name)
    sends = Sends(table.take("own_domain", _word(OwnDomain), OwnDomain.UNKNOWN), table.take("how", _text, ""))
    table.finish(Sends.__dataclass_fields__)
    return sends


def _supports(value: object, name: str) -> Supports:
    table = _Table(value, name)
    answer = _word(Answer)
    supports = Supports(
        certificate=table.take("certificate", answer, Answer.UNKNOWN),
        certificate_name=table.take("certificate_name", _text, ""),
        smtp_auth=table.take("smtp_auth", _word(SmtpAuth), SmtpAuth.UNKNOWN),
        graph=table.take("graph", answer, Answer.UNKNOWN),
        own_return_path=table.take("own_return_path", answer, Answer.UNKNOWN),
        fixed_addresses=table.take("fixed_addresses", answer, Answer.UNKNOWN),
    )
    table.finish(Supports.__dataclass_fields__)
    return supports


def _source(value: object, name: str) -> Source:
    table = _Table(value, name)
    source = Source(
        of=table.take("of", _list_of(_text)),
        title=table.take("title", _text),
        date=table.take("date", _date),
        verified=table.take("verified", _truth),
        url=table.take("url", _url, ""),
    )
    table.finish(Source.__dataclass_fields__)
    return source


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _LONGEST:
        raise _Wrong(name, _shown(value), f"one line of 1 to {_LONGEST} characters")
    return value


def _id(value: object, name: str) -> str:
    text = _text(value, name)
    if not _ID.fullmatch(text):
        raise _Wrong(name, _shown(value), "small letters and digits, joined by single hyphens")
    return text


def _url(value: object, name: str) -> str:
    text = _text(value, name)
    if not text.startswith("https://") or " " in text:
        raise _Wrong(name, _shown(value), "an https:// address")
    return text


def _truth(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(name, _shown(value), "true or false")
    return value


def _date(value: object, name: str) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Wrong(name, _shown(value), "a date without quotes, 2026-11-24")
    return value


def _word(words: type[Word]) -> Callable[[object, str], Word]:
    def read(value: object, name: str) -> Word:
        try:
            return words(_text(value, name))
        except ValueError as error:
            raise _Wrong(name, _shown(value), f"one of {', '.join(words)}") from error

    return read


def _list_of(item: Callable[[object, str], Value]) -> Callable[[object, str], tuple[Value, ...]]:
    def read(value: object, name: str) -> tuple[Value, ...]:
        if not isinstance(value, list) or not 0 < len(value) <= _MOST_ITEMS:
            raise _Wrong(name, _shown(value), f"a list of 1 to {_MOST_ITEMS}")
        return tuple([item(each, name) for each in value])

    return read


def _pattern(parse: Callable[[str], Value]) -> Callable[[object, str], Value]:
    def read(value: object, name: str) -> Value:
        try:
            return parse(_text(value, name))
        except PatternError as error:
            raise _Wrong(name, str(error), "a pattern") from error

    return read


def _shown(value: object) -> str:
    """A value for a message, whatever its size and content."""
    match value:
        case dict():
            return "a table"
        case list():
            return f"a list of {len(value)}"
        case int() if not isinstance(value, bool) and value.bit_length() > 64:
            return "a huge number"
        case _:
            return repr(value)[:80]
