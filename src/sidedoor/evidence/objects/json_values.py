"""JSON: whole files up to 32 MB with `json`, larger ones and damaged ones piece by piece with ijson.

Both yield the same parts in the same order: the rows of the container, and what stands beside them (`Side`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from sidedoor.errors import InputError
from sidedoor.evidence.objects.limits import MAX_DEPTH, MAX_OBJECT, Json, ObjectError, tidy, unique_keys
from sidedoor.evidence.text import open_text

SMALL = 32 << 20
"""Bytes up to which a file is parsed in one go."""
# value: OData and the admin API, also PowerShell 5.1's {"value": [...], "Count": n}; results, Results: hunting;
# records: batches of the streaming API.
CONTAINERS = ("value", "results", "Results", "records")
# ScubaGear's ProviderSettingsExport.json (Modules/Providers/ExportEXOProvider.psm1); an empty set is `[null]`.
SCUBAGEAR = ("org_config", "accepted_domains", "inbound_connectors", "transport_rule", "conn_filter")
HOLDERS = frozenset(CONTAINERS + SCUBAGEAR)
_EXPECTED = "JSON objects as PowerShell or an API writes them"


@dataclass(frozen=True, slots=True)
class Side:
    """A key beside the rows. `value` is None for a key that holds rows; these follow as parts of their own."""

    key: str
    value: Json
    holds_rows: bool = False


def parts(path: Path, small: int = SMALL) -> Iterator[dict[str, object] | Side]:
    """Rows (tidied) and what stands beside them, in file order.

    Raises InputError for a file that is no JSON, is cut off or holds no objects; complete rows before the damage come
    first.
    """
    try:
        yield from _streamed(path) if path.stat().st_size > small else _whole(path)
    except ObjectError as error:
        raise InputError(str(path), str(error), _EXPECTED) from error
    except OSError as error:
        raise InputError(str(path), f"no readable file ({error.strerror or error})", _EXPECTED) from error


def _whole(path: Path) -> Iterator[dict[str, object] | Side]:
    with open_text(path) as handle:
        text = handle.read().removeprefix("\ufeff")
    position, found = _next(text, 0), False
    while position < len(text):
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield from _salvaged(path, found)
            raise _damage(path, text, error) from error
        found = True
        yield from _rows(value)
        position = _next(text, position)
    if not found:
        raise InputError(str(path), "an empty file", _EXPECTED)


def _next(text: str, position: int) -> int:
    """Where the next value begins: lines of JSON follow each other with white space in between."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _no_number(name: str) -> Json:
    raise ObjectError(f"{name}, which is no number in JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys, parse_constant=_no_number)


def _salvaged(path: Path, lines: bool) -> Iterator[dict[str, object] | Side]:
    """The rows of the first value before its damage; of lines of JSON the good ones have been yielded already."""
    if lines:
        return
    try:
        yield from _streamed_value(path)
    except (ObjectError, InputError):
        return


def _damage(path: Path, text: str, error: ValueError | RecursionError) -> InputError:
    if isinstance(error, RecursionError):
        return InputError(str(path), "values nested beyond all bounds", _EXPECTED)
    if not isinstance(error, json.JSONDecodeError):
        return InputError(str(path), str(error)[:200], _EXPECTED)
    rest = text[error.pos : error.pos + 40]
    found = f"{rest!r} ({error.msg})" if rest.strip() else "the end of the file within a value: it is cut off"
    if rest.startswith("\0"):
        found = "NUL characters"
    return InputError(str(path), found, _EXPECTED, error.lineno)


def _rows(value: Json) -> Iterator[dict[str, object] | Side]:
    """The parts of one top-level value."""
    if isinstance(value, list):
        yield from _entries(value)
        return
    if not isinstance(value, dict):
        raise ObjectError(f"{str(value)[:60]!r} where an object should be")
    holders = [key for key in value if holds_rows(key, value[key])]
    for key, entry in value.items():
        yield Side(key, None if key in holders else entry, key in holders)
        if key in holders:
            yield from _entries(entry)
    if not holders:
        yield tidy(value)


def holds_rows(key: str, value: Json) -> bool:
    """Whether a top-level key holds the rows: a list under a container's name that begins with an object or null."""
    return key in HOLDERS and isinstance(value, list) and (not value or value[0] is None or isinstance(value[0], dict))


def _entries(entries: Json) -> Iterator[dict[str, object]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield tidy(entry)
        elif entry is not None:
            raise ObjectError(f"{str(entry)[:60]!r} in a list where an object should be")


class _Utf8:
    """A text file as the UTF-8 bytes ijson wants. Raises ObjectError where an object does not come to its end."""

    def __init__(self, handle: TextIO) -> None:
        self._handle, self.since_object = handle, 0

    def read(self, size: int) -> bytes:
        data = self._handle.read(max(size, 0)).encode("utf-8", "replace")
        self.since_object += len(data)
        if self.since_object > MAX_OBJECT:
            raise ObjectError(f"an object or text of more than {MAX_OBJECT:,} bytes")
        return data


def _streamed(path: Path) -> Iterator[dict[str, object] | Side]:
    """As `_whole`, in bounded memory: a first line that is a value by itself makes the file lines of JSON."""
    with open_text(path) as handle:
        first = handle.readline(MAX_OBJECT).strip()
        if not (first.endswith("}") and _is_json(first) and handle.readline(1)):
            yield from _streamed_value(path)
            return
    yield from _lines(path)


def _is_json(text: str) -> bool:
    try:
        _DECODER.decode(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def _lines(path: Path) -> Iterator[dict[str, object] | Side]:
    with open_text(path) as handle:
        number = 0
        while line := handle.readline(MAX_OBJECT):
            number += 1
            try:
                if line.strip():
                    yield from _rows(_DECODER.decode(line.removeprefix("\ufeff")))
            except (ValueError, RecursionError) as error:
                found = "a line that is no JSON" if isinstance(error, json.JSONDecodeError) else str(error)[:200]
                raise InputError(str(path), found, "one object a line", number) from error


def _streamed_value(path: Path) -> Iterator[dict[str, object] | Side]:
    """The parts, read event by event."""
    import ijson  # type: ignore[import-untyped]

    with open_text(path) as handle:
        _skip_mark(handle)
        reader = _Utf8(handle)
        events = iter(ijson.basic_parse(reader, use_float=True, multiple_values=True))
        try:
            for part in _walk(events):
                reader.since_object = 0
                yield part
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise ObjectError(f"damaged JSON ({str(error).splitlines()[0][:120]})") from error
        except (ValueError, OverflowError) as error:
            raise ObjectError(str(error)[:200]) from error


def _skip_mark(handle: TextIO) -> None:
    if handle.read(1) != "\ufeff":
        handle.seek(0)


Events = Iterator[tuple[str, Json]]


def _walk(events: Events) -> Iterator[dict[str, object] | Side]:
    """The parts of all top-level values: of files that follow each other there may be several."""
    for event, value in events:
        if event == "start_array":
            yield from _streamed_rows(events)
        elif event == "start_map":
            yield from _streamed_map(events)
        else:
            raise ObjectError(f"{str(value)[:60]!r} where an object should be")


def _streamed_map(events: Events) -> Iterator[dict[str, object] | Side]:
    pairs: list[tuple[str, Json]] = []
    containers = 0
    for event, name in events:
        if event == "end_map":
            break
        key = str(name)
        opening, inner = _event(events)
        first = _event(events) if opening == "start_array" and key in HOLDERS else None
        if first is not None and first[0] in _ROWS:
            containers += 1
            pairs.append((key, None))
            yield Side(key, None, holds_rows=True)
            yield from _streamed_rows(chain([first], events))
            continue
        pairs.append((key, _build(events if first is None else chain([first], events), opening, inner, 1)))
        yield Side(*pairs[-1])
    item = unique_keys(pairs)
    if not containers:
        yield tidy(item)


# What the first event of a list of rows may be: an object, null (ScubaGear's empty set), or the end.
_ROWS = {"start_map", "null", "end_array"}


def _event(events: Events) -> tuple[str, Json]:
    return next(events, ("end_map", None))


def _streamed_rows(events: Events) -> Iterator[dict[str, object]]:
    for event, value in events:
        if event == "end_array":
            return
        if event == "start_map":
            entry = _build(events, event, value, 1)
            if isinstance(entry, dict):
                yield tidy(entry)
        elif event != "null":
            raise ObjectError(f"{str(value)[:60]!r} in a list where an object should be")


def _build(events: Events, event: str, value: Json, depth: int) -> Json:
    """The complete value that begins with `event`; consumes its events."""
    if depth > MAX_DEPTH:
        raise ObjectError(f"an object more than {MAX_DEPTH} levels deep")
    if event == "start_map":
        pairs: list[tuple[str, Json]] = []
        for inner, key in events:
            if inner == "end_map":
                break
            pairs.append((str(key), _build(events, *_event(events), depth + 1)))
        return unique_keys(pairs)
    if event == "start_array":
        entries: list[Json] = []
        for inner, entry in events:
            if inner == "end_array":
                break
            entries.append(_build(events, inner, entry, depth + 1))
        return entries
    return value
