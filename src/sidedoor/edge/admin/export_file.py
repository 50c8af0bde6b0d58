"""One JSON file of the export: read so that it can be written again in the form it had, and replaced in one step."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from sidedoor.errors import InputError
from sidedoor.evidence.text import encoding_of

Row: TypeAlias = dict[str, object]
_MOST_OCTETS = 64 << 20
_EXPECTED = "the JSON of one cmdlet: an object, an array of objects, or an object with a value"


class Form(Enum):
    """How the objects lie in the file."""

    ONE = "one"  # ConvertTo-Json of a single object
    ARRAY = "array"  # ConvertTo-Json of several
    ENVELOPE = "envelope"  # {"value": [...]} with other keys beside it, as the APIs answer


@dataclass(frozen=True, slots=True)
class ExportFile:
    """The objects of one file, side keys (`X@data.type`) included; `beside`: the envelope's other keys."""

    path: Path
    form: Form
    rows: Sequence[Row]
    beside: Row = field(default_factory=dict)

    def text(self, rows: Sequence[Row], cmdlet: str) -> str:
        """What the file holds with `rows`. An empty set becomes an envelope, which says of what it is empty."""
        if self.form is Form.ENVELOPE or not rows:
            document: object = {"cmdlet": cmdlet, **self.beside, "value": list(rows)}
        elif self.form is Form.ONE and len(rows) == 1:
            document = rows[0]
        else:
            document = list(rows)
        return json.dumps(document, ensure_ascii=False, indent=2)

    @contextmanager
    def replaced(self, text: str) -> Iterator[Path]:
        """Write `text` beside the file, yield where it lies, then move it over; an error in between leaves the old one.

        The name beside begins with a dot: readers of the export pass such files over. Raises OSError.
        """
        target = self.path.resolve()
        beside = target.with_name(f".{target.name}.new")
        try:
            with beside.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileNotFoundError):
                shutil.copymode(target, beside)
            yield beside
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


def read_export_file(path: Path) -> ExportFile:
    """Read one file. Raises InputError where it is no JSON that can be written back."""
    try:
        if path.stat().st_size > _MOST_OCTETS:
            raise InputError(str(path), f"more than {_MOST_OCTETS >> 20} MB", _EXPECTED)
        text = path.read_text(encoding=encoding_of(path)).lstrip("\ufeff").strip(" \t\r\n\0")
        document = json.loads(text or "[]", parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), "settings that cannot be written back as JSON", _EXPECTED) from error
    return _taken(path, document)


def _no_number(name: str) -> object:
    raise ValueError(name)


def _taken(path: Path, document: object) -> ExportFile:
    if isinstance(document, dict) and isinstance(document.get("value"), list):
        beside = {key: value for key, value in document.items() if key != "value"}
        return ExportFile(path, Form.ENVELOPE, _objects(path, document["value"]), beside)
    if isinstance(document, dict):
        if any(key.lower() in {"cmdlet", "cmdletname"} for key in document):
            return ExportFile(path, Form.ENVELOPE, [], document)
        return ExportFile(path, Form.ONE, [document])
    return ExportFile(path, Form.ARRAY, _objects(path, [] if document is None else document))


def _objects(path: Path, found: object) -> list[Row]:
    """`[null]` is ScubaGear's empty set."""
    if not isinstance(found, list) or not all(each is None or isinstance(each, dict) for each in found):
        raise InputError(str(path), "values that are no objects", _EXPECTED)
    return [each for each in found if each is not None]
