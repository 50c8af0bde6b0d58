"""collection.json: what `sidedoor collect`, or its PowerShell, says it could not get. No evidence, but about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidedoor.errors import InputError

SCHEMA = "sidedoor/collection/1"
_MARK = b'"sidedoor/collection/'
_HEAD, _MOST = 4_096, 64 << 20
_MOST_GAPS = 200


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was asked for and not had. what: settings, traces, hunting or details, or another word."""

    what: str
    why: str
    how_to_get_it: str


@dataclass(frozen=True, slots=True)
class Collected:
    """One collection. gaps: what it lacks, at most 200 of them."""

    path: Path
    gaps: tuple[Gap, ...]


def is_collection(path: Path) -> bool:
    """Whether a file is a collection's word about itself, by its content. A file that cannot be read is none."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return False
    return head.startswith(b"{") and _MARK in head


def read_collection(path: Path) -> Collected:
    """What the collection lacks. Raises InputError: a damaged one may hide anything."""
    try:
        if path.stat().st_size > _MOST:
            raise InputError(str(path), "more than 64 MB", f"a {SCHEMA}")
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA:
            raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", SCHEMA)
        gaps = tuple(_gap(each) for each in body["missing"][:_MOST_GAPS])
        complete = body["complete"] is True
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", SCHEMA) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(str(path), f"something else ({type(error).__name__})", f"a {SCHEMA}") from error
    if not complete and not gaps:
        gaps = (Gap("traces", "the collection is not complete and does not say what it lacks", "collect again"),)
    return Collected(path, gaps)


def _gap(row: Mapping[str, object]) -> Gap:
    return Gap(*(str(row[name]) for name in ("what", "why", "how_to_get_it")))
