"""Where a store is: a file or a server, from what people write in `[store] url`. Passwords stay out of every text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sidedoor.errors import UsageError

FORMS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class Place:
    """`path` of a SQLite file, or None for a server. `name` tells people, without a password."""

    url: URL
    path: Path | None
    name: str


def parse_place(url: str | Path) -> Place:
    """Where a store is. A Path is a SQLite file. Raises UsageError, which repeats nothing of a server's URL."""
    if isinstance(url, Path):
        return _file(url)
    scheme, colon, rest = url.strip().partition("://")
    if not colon:
        raise UsageError(f"the URL of the store has no scheme; expected {FORMS}")
    if scheme == "sqlite":
        return _sqlite(rest)
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        return _server(rest)
    raise UsageError(f"the URL of the store begins with {scheme[:30]!r}; expected {FORMS}")


def _sqlite(rest: str) -> Place:
    """By hand, not by `make_url`: a `?` or a `%` in a path is a character of the path."""
    if not rest.startswith("/"):
        raise UsageError("the URL of the store: three slashes before the path of a SQLite file")
    name = rest.removeprefix("/")
    if name in {"", ":memory:"} or "\0" in name:
        raise UsageError("the URL of the store names no file, and a store has to last")
    return _file(Path(name))


def _file(path: Path) -> Place:
    whole = path.absolute()  # a program that changes its folder keeps its store
    return Place(URL.create("sqlite+pysqlite", database=str(whole)), whole, str(path))


def _server(rest: str) -> Place:
    try:
        url = make_url(f"postgresql+psycopg://{rest}")
    except (ArgumentError, ValueError):
        # What could not be taken apart may hold a password anywhere.
        raise UsageError(f"the URL of the store cannot be read; expected {FORMS}") from None
    if any("@" in part for part in (url.host or "", url.database or "")):
        raise UsageError("the URL of the store has more than one @; write one in a password as %40")
    host = url.host or str(url.query.get("host", "the local socket"))
    port = f":{url.port}" if url.port else ""
    return Place(url, None, f"PostgreSQL at {host}{port}, database {url.database or '(the user’s)'}")
