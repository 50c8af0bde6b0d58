"""Messages of one mailbox by Graph, as they came in by SMTP: listed since last time, read, and left as they are.

Nothing is marked, moved or deleted: all requests are GET, and `Mail.Read` allows no other (docs/bounces.md says how to
give an application that right for this one mailbox). A cut loses nothing: `Place` says what has been handled, and
after each letter there is a new one to keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from sidedoor.errors import UsageError
from sidedoor.exchange.clouds import Cloud
from sidedoor.exchange.http import BrokenError, Call, Http
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.windows import iso, moment, ticks
from sidedoor.exchange.wire import Refusal, RefusedError, Row, rows_of, text_of

PAGE = 100
_MOST_LETTERS = 5_000  # in one run; the next goes on
_MOST_MAIL = 4 << 20  # bytes of a message: what a report says stands at its beginning
_MOST_ATTEMPTS = 5  # runs in which a message that the service cannot give is asked for
_MOST_BROKEN = 3  # messages of one run at which the service fails again and again: each costs a minute
_MOST_IDLE = 50  # pages in a row that bring nothing new
# Messages are listed a while after the time they bear: so much is looked at again, and known ids are passed over.
_OVERLAP = 3_600 * 10_000_000  # ticks: an hour
_WELL_KNOWN = frozenset({"inbox", "junkemail", "archive", "deleteditems"})
_IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}  # an id that stays when the message is moved
_NO_RIGHT = frozenset({401, 403})
_FIELDS = "subject,from,toRecipients,receivedDateTime,internetMessageId,internetMessageHeaders,body"
# Our own content type stands in place of theirs: the body comes decoded.
_NOT_KEPT = re.compile(r"content-(?:type|transfer-encoding)|mime-version", re.IGNORECASE)
_NAME = re.compile(r"[!-9;-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Place:
    """How far reading has come. since: received times from here on are to be listed, as the service writes them.

    done: id -> received time of those handled in the overlap. left: id -> runs in which it could not be had.
    """

    since: str
    done: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def at(start: datetime) -> Place:
        """A first time."""
        return Place(iso(start))

    def as_json(self) -> dict[str, Any]:
        """For the caller's state; `of` reads it."""
        return {"since": self.since, "done": dict(self.done), "left": dict(self.left)}

    @staticmethod
    def of(state: Mapping[str, Any]) -> Place:
        """From the caller's state. Raises ValueError for anything else."""
        since, done, left = state.get("since"), state.get("done"), state.get("left")
        if (
            not isinstance(since, str)
            or ticks(since) is None
            or not isinstance(done, dict)
            or not isinstance(left, dict)
        ):
            raise ValueError("no place in a mailbox")
        return Place(
            since, {str(key): str(value) for key, value in done.items()}, {str(key): int(left[key]) for key in left}
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. data: its first 4 MB as received; b"" where it could not be had, and `problem` says why.

    place: where reading stands once this one is handled.
    """

    id: str
    received: str
    data: bytes
    place: Place
    problem: str = ""


@dataclass(slots=True)
class Mailbox:
    """A folder of one mailbox: a well-known name, or the name that people see.

    `most`: letters of one run. `told`: oddities of the service, in sentences. `place`: where reading stands.
    """

    http: Http
    cloud: Cloud
    address: str
    pacer: Pacer
    folder: str = "inbox"
    most: int = _MOST_LETTERS
    told: list[str] = field(default_factory=list)
    place: Place = field(default_factory=lambda: Place(""))
    _id: str = ""
    _broken: int = 0

    def letters(self, place: Place) -> Iterator[Letter]:
        """What is new since `place`, the oldest first; before that what could not be had in earlier runs.

        Behind the last one `self.place` is what counts. Raises RefusedError where there is no right to the mailbox,
        UnreachableError.
        """
        self.place = place
        for identity in list(place.left):
            yield self._letter(identity, "")
        count, highest, ordered = 0, place.since, True
        for identity, received in self._listed(place.since):
            ordered = ordered and _ticks(received) >= _ticks(highest) - _OVERLAP
            highest = _later(highest, received)
            if identity not in self.place.done:
                yield self._letter(identity, received)
                count += 1
            if count >= self.most:
                self.told.append(f"{self.most:,} messages were read; the next run goes on")
                if not ordered:  # what is older may come yet
                    return
                break
        if not ordered:
            self.told.append("messages were not listed in order of time")
        # Only now, because until a list is at its end nobody knows whether it was in order.
        since = _later(place.since, _before(highest))
        done = {key: at for key, at in self.place.done.items() if _ticks(at) >= _ticks(since)}
        self.place = replace(self.place, since=since, done=done)

    def _listed(self, since: str) -> Iterator[tuple[str, str]]:
        """(id, received) of each row, each once however often the service gives it."""
        call: Call | None = self._list_call(since)
        idle, seen = 0, set[str]()
        while call is not None and idle < _MOST_IDLE:
            page = self.http.ask(call, self.pacer)
            rows = rows_of(page)
            if rows is None:
                raise RefusedError(Refusal.GARBLED, 200, "no list of values")
            new = [row for row in rows if (identity := text_of(row, "id")) and identity not in seen]
            seen.update(text_of(row, "id") for row in new)
            idle = 0 if new else idle + 1
            for row in new:
                yield text_of(row, "id"), text_of(row, "receivedDateTime")
            call = self._next(call, str(page.get("@odata.nextLink") or ""))
        if idle:
            self.told.append("the service says that there are more messages and gives the same again")

    def _list_call(self, since: str) -> Call:
        query = {
            "$filter": f"receivedDateTime ge {since}", "$orderby": "receivedDateTime asc",
            "$select": "id,receivedDateTime", "$top": str(PAGE),
        }  # fmt: skip
        return self._call(
            f"mailFolders/{quote(self._folder_id(), safe='')}/messages?{urlencode(query, quote_via=quote)}"
        )

    def _next(self, call: Call, link: str) -> Call | None:
        """Raises RefusedError for a link that leads elsewhere: a token goes to the service only."""
        if not link:
            return None
        if not self.http.allowed(link, call):
            raise RefusedError(Refusal.REDIRECTED, 200, "a next page on another host")
        return replace(call, url=link)

    def _folder_id(self) -> str:
        """The folder's id, by the name that people see: at the top, or in the inbox."""
        if self.folder.lower() in _WELL_KNOWN:
            return self.folder.lower()
        if not self._id:
            wanted = self.folder.replace("'", "''")
            query = urlencode({"$filter": f"displayName eq '{wanted}'", "$select": "id,displayName"}, quote_via=quote)
            for where in ("mailFolders", "mailFolders/inbox/childFolders"):
                rows = rows_of(self.http.ask(self._call(f"{where}?{query}"), self.pacer)) or []
                found = [row for row in rows if text_of(row, "displayName").lower() == self.folder.lower()]
                if found:
                    self._id = text_of(found[0], "id")
                    break
            else:
                raise UsageError(f"{self.address}: no folder {self.folder} at the top or in the inbox")
        return self._id

    def _letter(self, identity: str, received: str) -> Letter:
        try:
            data, problem, gone = self._content(identity), "", False
        except BrokenError as error:
            self._broken += 1
            if self._broken > _MOST_BROKEN:
                raise
            data, problem, gone = b"", str(error), False
        except RefusedError as error:
            if error.status in _NO_RIGHT:
                raise
            data, problem, gone = b"", str(error), error.status in {404, 410}
        left = dict(self.place.left)
        attempts = left.pop(identity, 0) + 1
        if problem and not gone and attempts < _MOST_ATTEMPTS:
            left[identity] = attempts
        done = {**self.place.done, identity: received} if received else self.place.done
        self.place = replace(self.place, done=done, left=left)
        return Letter(identity, received, data, self.place, problem)

    def _content(self, identity: str) -> bytes:
        """The message as MIME; by its parts where the service has none of it, as of some reports of its own."""
        path = f"messages/{quote(identity, safe='')}"
        try:
            return self.http.fetch(self._call(f"{path}/$value"), self.pacer, _MOST_MAIL)
        except RefusedError as error:
            if error.status in {*_NO_RIGHT, 404, 410}:
                raise
        return rebuilt(self.http.ask(self._call(f"{path}?$select={_FIELDS}"), self.pacer))[:_MOST_MAIL]

    def _call(self, path: str) -> Call:
        url = f"{self.cloud.graph}/v1.0/users/{quote(self.address, safe='@')}/{path}"
        return Call("GET", url, f"{self.cloud.graph}/.default", headers=_IMMUTABLE)


def rebuilt(message: Row) -> bytes:
    """A message's header and text from Graph's properties, as a message again."""
    listed = message.get("internetMessageHeaders")
    pairs = [(text_of(each, "name"), text_of(each, "value")) for each in _rows(listed)]
    names = {name.lower() for name, _ in pairs}
    own = (
        ("From", _address(message.get("from"))),
        ("To", ", ".join(_address(each) for each in _rows(message.get("toRecipients")))),
        ("Subject", text_of(message, "subject")),
        ("Message-ID", text_of(message, "internetMessageId")),
    )
    pairs += [(name, value) for name, value in own if name.lower() not in names]
    body = message.get("body")
    body = body if isinstance(body, Mapping) else {}
    kind = "html" if text_of(body, "contentType").lower() == "html" else "plain"
    lines = [f"{name}: {_line(value)}" for name, value in pairs if _NAME.fullmatch(name) and not _NOT_KEPT.match(name)]
    head = "\r\n".join([*lines, f"Content-Type: text/{kind}; charset=utf-8", "", ""])
    return (head + text_of(body, "content")).encode("utf-8", "replace")


def _rows(found: object) -> list[Row]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _address(found: object) -> str:
    inner = found.get("emailAddress") if isinstance(found, Mapping) else None
    return _line(text_of(inner, "address")) if isinstance(inner, Mapping) else ""


def _line(text: str) -> str:
    return re.sub(r"[\r\n\0]+", " ", text)


def _ticks(text: str) -> int:
    return ticks(text) or 0


def _later(one: str, other: str) -> str:
    return max(one, other, key=_ticks)


def _before(received: str) -> str:
    """An hour before a received time, or the time itself where it cannot be read."""
    found = ticks(received)
    return received if found is None else iso(moment(max(found - _OVERLAP, 0)))
