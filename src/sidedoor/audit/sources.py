"""The files that a history is made of: what was read of each, and how one is known again when it has grown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from sidedoor.audit.run import AuditOptions
from sidedoor.errors import InputError, OutputError


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was added. stamp: what its contents looked like from outside, to tell whether it changed.

    rows, rejected, records, expanded: as in `Staged`. note: why it was not read, or what is remarkable. size: bytes of
    the file. replaces: sources whose file grew into this one (a log that is written to).
    """

    id: str
    path: str
    stamp: str
    format: str
    rows: int
    rejected: int
    records: int
    expanded: int
    days: tuple[str, ...]
    tenants: tuple[str, ...]
    note: str = ""
    size: int = 0
    replaces: tuple[str, ...] = ()


def read_sources(folder: Path) -> list[Source]:
    """Every file that was added, by path; a torn note is a file not added."""
    found = []
    for path in sorted(folder.glob("*.json")):
        with suppress(ValueError, KeyError, TypeError):
            body = json.loads(path.read_bytes())
            lists = {name: tuple(body[name]) for name in ("days", "tenants", "replaces")}
            found.append(Source(**{**body, **lists}))
    return sorted(found, key=lambda source: (source.path, source.id))


def write_source(folder: Path, source: Source) -> None:
    """From now on the file is added. Raises OutputError."""
    write_json(folder / f"{source.id}.json", asdict(source))


def refuse_other_tenants(path: Path, tenants: Sequence[str], known: Iterable[Source]) -> None:
    """Raises InputError where a file names a tenant that the others do not."""
    others = {tenant for source in known for tenant in source.tenants}
    if strange := sorted(set(tenants) - others) if others else sorted(tenants)[1:]:
        raise InputError(str(path), f"mail of the tenant {strange[0]}", "the exports of one tenant")


def stamp_of(path: Path, options: AuditOptions) -> str:
    """What a file, or a folder of messages, looks like from outside: whether it changed costs no reading."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    seen = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return hashlib.sha256(repr((seen, options.read.date_format)).encode()).hexdigest()[:16]


def size_of(path: Path) -> int:
    """Bytes of a file; 0 for a folder."""
    return 0 if path.is_dir() else path.stat().st_size


def identity_of(path: Path, options: AuditOptions, known: Iterable[Source]) -> tuple[str, tuple[str, ...]]:
    """Of a file by its contents; of a folder of messages by its place, since it grows.

    Beside it the ids of sources that were the beginning of this very file: it has been written to since.
    """
    digest = hashlib.sha256(repr(options.read.date_format).encode())
    if path.is_dir():
        digest.update(str(path.resolve()).encode())
        return digest.hexdigest()[:16], ()
    earlier = sorted((source.size, source.id) for source in known if source.path == str(path))
    whole, grown = size_of(path), []
    with path.open("rb") as file:
        for size, identity in [(size, identity) for size, identity in earlier if 0 < size < whole]:
            _digest(file, digest, size)
            if digest.hexdigest()[:16] == identity:
                grown.append(identity)
        _digest(file, digest, None)
    return digest.hexdigest()[:16], tuple(grown)


def _digest(file: IO[bytes], digest: hashlib._Hash, until: int | None) -> None:
    """Go on reading up to an offset, or to the end."""
    while chunk := file.read(1 << 20 if until is None else min(1 << 20, until - file.tell())):
        digest.update(chunk)


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    """Write a small file whole or not at all. Raises OutputError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(body, indent=1), "utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
