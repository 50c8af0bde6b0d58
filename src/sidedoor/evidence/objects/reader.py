"""The objects of a file, whichever container it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence.objects.clixml import clixml_objects
from sidedoor.evidence.objects.json_values import Side, parts
from sidedoor.evidence.text import detect_encoding, unreadable

_HEAD = 4096
_PEEK_SMALL = 1 << 20
_EXPECTED = "JSON, lines of JSON or Export-Clixml"


def iter_objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a file in order with their 1-based number, without side keys that contain `@`.

    Raises InputError for a file that is no such container, is damaged or exceeds the bounds; of a file that is cut
    off the complete objects come first.
    """
    yield from enumerate(_objects(path, None), 1)


def peek_objects(path: Path, count: int = 5) -> Sequence[dict[str, object]] | None:
    """The first objects; None where the file is no object container, an empty sequence for an empty container.

    Raises InputError for a file that begins like a container and is damaged before its first object.
    """
    if _container(path) is None:
        return None
    found: list[dict[str, object]] = []
    try:
        found.extend(islice(_objects(path, _PEEK_SMALL), count))
    except InputError as error:
        if not found and "where an object should be" in error.found:
            return None
        if not found:
            raise
    return found


def peek_parts(path: Path, count: int = 5) -> tuple[Mapping[str, object], Sequence[dict[str, object]]]:
    """What stands before the rows, and the first rows; a key that holds rows is there with None.

    Empty for a file that is no object container. Raises InputError as `peek_objects`.
    """
    container = _container(path)
    if container != "json":
        return {}, (peek_objects(path, count) or ()) if container else ()
    beside: dict[str, object] = {}
    found: list[dict[str, object]] = []
    try:
        for part in parts(path, _PEEK_SMALL):
            if isinstance(part, Side):
                beside[part.key] = part.value
            else:
                found.append(part)
            if len(found) >= count:
                break
    except InputError:
        if not found:
            raise
    return beside, found


def envelope_of(path: Path) -> Mapping[str, object]:
    """What stands beside the rows of `{"value": [...]}` and its kin: `@odata.context`, `@odata.nextLink`,
    `@adminapi.warnings`, `Schema`, `cmdlet`, with their `@`; of a single object the keys that contain `@`.

    Empty for arrays, lines of JSON and CliXML. Raises InputError as `iter_objects`.
    """
    if _container(path) != "json":
        return {}
    beside: dict[str, object] = {}
    holds_rows = False
    for part in parts(path):
        if isinstance(part, Side):
            holds_rows |= part.holds_rows
            if not part.holds_rows:
                beside[part.key] = part.value
    return beside if holds_rows else {key: value for key, value in beside.items() if "@" in key or key == "error"}


def sections_of(path: Path) -> Mapping[str, tuple[dict[str, object], ...]]:
    """The rows under each key that holds rows: ScubaGear's `accepted_domains` and so on, or `value`; empty otherwise.

    An empty tuple is a set that was exported and is empty. Raises InputError as `iter_objects`.
    """
    found: dict[str, list[dict[str, object]]] = {}
    current = ""
    for part in parts(path) if _container(path) == "json" else ():
        if isinstance(part, Side):
            current = part.key if part.holds_rows else ""
            if current:
                found.setdefault(current, [])
        elif current:
            found[current].append(part)
    return {key: tuple(rows) for key, rows in found.items()}


def _objects(path: Path, small: int | None) -> Iterator[dict[str, object]]:
    container = _container(path)
    if container is None:
        raise InputError(str(path), "no container of objects", _EXPECTED)
    if container == "clixml":
        yield from clixml_objects(path)
        return
    for part in parts(path) if small is None else parts(path, small):
        if not isinstance(part, Side):
            yield part


def _container(path: Path) -> str | None:
    """`json`, `clixml` or None, by the first characters. Raises InputError for an empty or unreadable file."""
    try:
        with path.open("rb") as handle:
            head = handle.read(_HEAD)
    except OSError as error:
        raise unreadable(path, error) from error
    if not head.strip(b"\0\r\n\t \xef\xbb\xbf\xff\xfe"):
        nul = "nothing but NUL bytes, as Exchange Online answers to a forbidden command"
        raise InputError(str(path), nul if b"\0" in head else "an empty file", _EXPECTED)
    start = head.decode(detect_encoding(head), errors="replace").lstrip("\ufeff \t\r\n")
    if start[:1] in {"{", "["}:
        return "json"
    return "clixml" if start.startswith("<") and "<Objs" in start else None
