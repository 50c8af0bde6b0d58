"""Who is signed in on the web page, and tokens that count once. Of both only digests are kept, never the secret."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from sidedoor.store.database import Database
from sidedoor.store.errors import StoreError
from sidedoor.store.model import WebSession, WebToken
from sidedoor.store.schema import web_session, web_token

_DIGEST = re.compile("[0-9a-f]{64}")


def digest_of(secret: str) -> str:
    """What is kept of a secret. It is random and long, so a digest without salt is not guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Sessions:
    """Sessions and one-time tokens of a store; they belong to no tenant."""

    _database: Database

    def put_session(self, session: WebSession) -> None:
        """Keep a session, in place of one with the same id."""
        values = {
            "id_hash": _digest(session.id_hash), "who": session.who, "roles": list(session.roles),
            "csrf": session.csrf, "began": session.began, "expires": session.expires,
        }  # fmt: skip
        statement = self._database.insert(web_session).values(**values)
        with self._database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["id_hash"], set_=values))

    def session(self, id_hash: str, now: datetime) -> WebSession | None:
        """The session, unless it is over."""
        found = (web_session.c.id_hash == _digest(id_hash), web_session.c.expires > now)
        with self._database.read() as connection:
            row = connection.execute(select(web_session).where(*found)).one_or_none()
        return (
            None
            if row is None
            else WebSession(row.id_hash, row.who, tuple(row.roles), row.expires, row.csrf, row.began)
        )

    def drop_session(self, id_hash: str) -> None:
        """End a session."""
        with self._database.write() as connection:
            connection.execute(delete(web_session).where(web_session.c.id_hash == _digest(id_hash)))

    def drop_sessions_of(self, who: str) -> int:
        """End all sessions of one person; returns how many."""
        with self._database.write() as connection:
            return connection.execute(delete(web_session).where(web_session.c.who == who)).rowcount

    def put_token(self, token_hash: str, purpose: str, expires: datetime, body: Any = None) -> None:
        """Keep a token, with a JSON value for whoever takes it or finds it."""
        values = {"token_hash": _digest(token_hash), "purpose": purpose, "expires": expires, "body": {"value": body}}
        statement = self._database.insert(web_token).values(**values)
        with self._database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["token_hash"], set_=values))

    def take_token(self, token_hash: str, purpose: str, now: datetime) -> dict[str, Any] | None:
        """Use a token up: `{"value": body}` for one of all that take it, None for the others and where it is over.

        One asked for with another purpose stays.
        """
        asked = (web_token.c.token_hash == _digest(token_hash), web_token.c.purpose == purpose)
        taken = delete(web_token).where(*asked).returning(web_token.c.body, web_token.c.expires)
        with self._database.write() as connection:
            row = connection.execute(taken).one_or_none()
        return None if row is None or row.expires <= now else row.body

    def token(self, token_hash: str, purpose: str, now: datetime) -> WebToken | None:
        """A token that may be used again and again until it is over; None where there is none."""
        asked = (web_token.c.token_hash == _digest(token_hash), web_token.c.purpose == purpose)
        with self._database.read() as connection:
            row = connection.execute(select(web_token).where(*asked, web_token.c.expires > now)).one_or_none()
        return None if row is None else WebToken(row.token_hash, row.body["value"], row.expires)

    def tokens(self, purpose: str, now: datetime) -> list[WebToken]:
        """All of a purpose that are not over, the first to end first."""
        query = select(web_token).where(web_token.c.purpose == purpose, web_token.c.expires > now)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(web_token.c.expires, web_token.c.token_hash)).all()
        return [WebToken(row.token_hash, row.body["value"], row.expires) for row in rows]

    def drop_token(self, token_hash: str, purpose: str) -> bool:
        """Make a token worthless; False where there is none."""
        asked = (web_token.c.token_hash == _digest(token_hash), web_token.c.purpose == purpose)
        with self._database.write() as connection:
            return bool(connection.execute(delete(web_token).where(*asked)).rowcount)

    def sweep(self, now: datetime) -> int:
        """Delete sessions and tokens that are over; returns how many."""
        with self._database.write() as connection:
            return sum(
                connection.execute(delete(table).where(table.c.expires <= now)).rowcount
                for table in (web_session, web_token)
            )


def _digest(text: str) -> str:
    """Refuses what is no digest, so that no secret is kept by mistake. Raises StoreError, which does not repeat it."""
    if not _DIGEST.fullmatch(text):
        raise StoreError("what is to be kept of a session or a token is no SHA-256 digest")
    return text
