"""Reads entries from TOML. Strict: an unknown key, a wrong type or an unlisted word is an error that says where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sidedoor.catalogue.entry import Answer, Entry, Kind, OwnDomain, Recognise, Sends, SmtpAuth, Source, Supports
from sidedoor.catalogue.patterns import PatternError, host_pattern, text_pattern
from sidedoor.errors import InputError

GENERAL_KNOWLEDGE = "general knowledge"
_MOST_BYTES = 256 * 1024
_MOST_ENTRIES = 1000
_MOST_ITEMS = 100  # of one list
_LONGEST = 500  # characters of one text
_LONGEST_LINE = 1000
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LINE = re.compile(r"line (\d+)")

Reader = Callable[[object], Any]  # a TOML value to what an entry holds; raises _Wrong


class _Wrong(Exception):  # noqa: N818 -- becomes InputError once the file is known
    """A value that is not as it must be. `key` is filled in on the way up."""

    def __init__(self, found: str, expected: str, key: str = "") -> None:
        super().__init__(found)
        self.key, self.found, self.expected = key, found, expected


def _fields(value: object, readers: Mapping[str, Reader], required: Iterable[str] = ()) -> dict[str, Any]:
    """The values of a table, each through the reader of its key. Raises _Wrong for an unknown or a missing key."""
    if not isinstance(value, dict):
        raise _Wrong(_shown(value), "a table")
    found = {}
    for key, item in value.items():
        if key not in readers:
            raise _Wrong("a key that is not known", f"one of {', '.join(readers)}", key[:60])
        try:
            found[key] = readers[key](item)
        except _Wrong as wrong:
            wrong.key = f"{key}.{wrong.key}" if wrong.key else key
            raise
    for key in required:
        if key not in found:
            raise _Wrong("nothing", "a value", key)
    return found


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
    # Of a key of many parts, tomllib keeps every beginning: memory grows with the square of its length.
    for number, row in enumerate(text.split("\n"), 1):
        if len(row) > _LONGEST_LINE:
            raise InputError(path, f"a line of {len(row)} characters", f"lines of at most {_LONGEST_LINE}", number)
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
    try:
        return _entry(row)
    except _Wrong as wrong:
        id_ = row.get("id") if isinstance(row, dict) else None
        where = wrong.key if id_ is None else f"entry {str(id_)[:60]!r}, {wrong.key}"
        raise InputError(path, f"{where}: {wrong.found}" if where else wrong.found, wrong.expected) from wrong


def _entry(row: object) -> Entry:
    fields = _fields(row, _ENTRY, ("id", "name", "vendor", "kind", "written"))
    if "advice" not in fields:
        never = fields.get("sends", Sends()).own_domain is OwnDomain.NEVER
        fields["advice"] = advice()["never" if never else fields["kind"].value]
    entry = Entry(**fields)
    return replace(entry, sources=_complete(entry, _stated(row)))


@cache
def advice() -> Mapping[str, str]:
    """What to do about a sender whose entry does not say: by kind, or under `never` where bounces go to the vendor."""
    return tomllib.loads(files(__package__).joinpath("advice.toml").read_text("utf-8"))


def _stated(row: object) -> tuple[str, ...]:
    """The statements a row makes that somebody may doubt, by name; its texts and its id are no such statements."""
    if not isinstance(row, dict):
        return ()
    single = [key for key in ("sends", "shared_addresses") if key in row]
    return tuple([f"{table}.{key}" for table in ("recognise", "supports") for key in row.get(table, ())] + single)


def _complete(entry: Entry, stated: Sequence[str]) -> tuple[Source, ...]:
    """The entry's sources, and one for what they leave out. Raises for a source of what is not stated."""
    tables = {name.partition(".")[0] for name in stated}
    named = {name for source in entry.sources for name in source.of}
    for name in sorted(named - tables - set(stated)):
        raise _Wrong(_shown(name), f"what the entry states: {', '.join(stated) or 'nothing yet'}", "sources.of")
    rest = tuple([name for name in stated if name not in named and name.partition(".")[0] not in named])
    unchecked = Source(rest, GENERAL_KNOWLEDGE, entry.written, verified=False)
    return (*entry.sources, unchecked) if rest else entry.sources


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _LONGEST:
        raise _Wrong(_shown(value), f"one line of 1 to {_LONGEST} characters")
    return value


def _id(value: object) -> str:
    text = _text(value)
    if not _ID.fullmatch(text):
        raise _Wrong(_shown(value), "small letters and digits, joined by single hyphens")
    return text


def _url(value: object) -> str:
    text = _text(value)
    if not text.startswith("https://") or " " in text:
        raise _Wrong(_shown(value), "an https:// address")
    return text


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(_shown(value), "true or false")
    return value


def _date(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Wrong(_shown(value), "a date without quotes, 2026-11-24")
    return value


def _word(words: type[StrEnum]) -> Reader:
    known = {word.value: word for word in words}

    def read(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in known:
            raise _Wrong(_shown(value), f"one of {', '.join(known)}")
        return known[value]

    return read


def _answer(value: object) -> bool | None:
    return _TRUTH[_ANSWER(value)]


def _list_of(item: Reader) -> Reader:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or not 0 < len(value) <= _MOST_ITEMS:
            raise _Wrong(_shown(value), f"a list of 1 to {_MOST_ITEMS}")
        return tuple([item(each) for each in value])

    return read


def _pattern(parse: Callable[[str], Any]) -> Reader:
    def read(value: object) -> object:
        try:
            return parse(_text(value))
        except PatternError as error:
            raise _Wrong(str(error), "a pattern (docs/catalogue.md)") from error

    return read


def _table(make: Callable[..., Any], readers: Mapping[str, Reader], required: Iterable[str] = ()) -> Reader:
    return lambda value: make(**_fields(value, readers, required))


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


_ANSWER = _word(Answer)
_TRUTH = {Answer.YES: True, Answer.NO: False, Answer.UNKNOWN: None}
_HOSTS, _TEXTS = _list_of(_pattern(host_pattern)), _list_of(_pattern(text_pattern))
_RECOGNISE: Mapping[str, Reader] = {
    "spf_include": _HOSTS,
    "dkim_domain": _HOSTS,
    "ptr": _HOSTS,
    "helo": _HOSTS,
    "bounce_domain": _HOSTS,
    "message_id_host": _HOSTS,
    "x_mailer": _TEXTS,
    "address": _TEXTS,
}
_SENDS: Mapping[str, Reader] = {"own_domain": _word(OwnDomain), "how": _text}
_SUPPORTS: Mapping[str, Reader] = {
    "certificate": _ANSWER,
    "certificate_name": _text,
    "smtp_auth": _word(SmtpAuth),
    "graph": _ANSWER,
    "own_return_path": _ANSWER,
    "fixed_addresses": _ANSWER,
}
_SOURCE: Mapping[str, Reader] = {
    "of": _list_of(_text),
    "title": _text,
    "url": _url,
    "date": _date,
    "verified": _truth,
}
_ENTRY: Mapping[str, Reader] = {
    "id": _id,
    "name": _text,
    "vendor": _text,
    "kind": _word(Kind),
    "shared_addresses": _answer,
    "borrows_from": _list_of(_id),
    "advice": _text,
    "written": _date,
    "recognise": _table(Recognise, _RECOGNISE),
    "sends": _table(Sends, _SENDS),
    "supports": _table(Supports, _SUPPORTS),
    "sources": _list_of(_table(Source, _SOURCE, ("of", "title", "date", "verified"))),
}
