"""Files of our own beside a report: JSON with its schema's name, gzipped, the same bytes for the same values."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sidedoor.errors import InputError

T = TypeVar("T")
_MOST_BYTES = 1 << 30
_BROKEN = (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError, RecursionError)


def packed(body: Mapping[str, Any]) -> bytes:
    """The file's bytes."""
    return gzip.compress(json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode("ascii"), 1, mtime=0)


def unpacked(path: Path, schema: str, expected: str, made: Callable[[dict[str, Any]], T]) -> T | None:
    """What `made` makes of the body; None where there is no file.

    expected: what the file should be, for people. Raises InputError for a file that is damaged, of another schema, of
    more than 1 GB, or one that `made` cannot do with.
    """
    if not path.exists():
        return None
    try:
        with gzip.open(path) as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(str(path), "more than 1 GB", expected)
        body = json.loads(data)
        if body["schema"] != schema:
            raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", expected)
        return made(body)
    except _BROKEN as error:
        raise InputError(str(path), f"something else ({str(error)[:100]})", expected) from error
