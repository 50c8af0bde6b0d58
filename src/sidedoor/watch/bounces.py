"""Non-delivery reports of a workspace: out of a mailbox into its folder, and from the folder to what a run saw.

Of the mailbox only reports about our own door are kept; everything else in it is counted and forgotten.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.errors import InputError
from sidedoor.evidence.bounces import Bounce, Kind, read_mail
from sidedoor.evidence.record import RejectedRow
from sidedoor.mail.fact import Unknown
from sidedoor.report.atomic import cannot_write, partial_of
from sidedoor.watch.sight import BounceSight

if TYPE_CHECKING:  # HTTP takes long to import, and most runs ask no mailbox
    from sidedoor.exchange.mailbox import Letter, Mailbox, Place

SCHEMA = "sidedoor/mailbox-state/1"
FIRST_REACH = timedelta(days=30)
"""How far back the first reading of a mailbox goes."""
_STATE = ".mailbox.json"


@dataclass(slots=True)
class Fetched:
    """What one reading of a mailbox gave. kinds: messages by what they turned out to be. problems: sentences."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    saved: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def fetch_bounces(mailbox: Mailbox, folder: Path, now: datetime) -> Fetched:
    """New reports of the mailbox, into `folder` as .eml files; where reading stands is kept after each message.

    Raises RefusedError, UnreachableError with everything kept that has come; InputError, OutputError.
    """
    from sidedoor.exchange.mailbox import Place

    state = folder / _STATE
    key = f"{mailbox.address.lower()}/{mailbox.folder.lower()}"
    places = _places(state)
    fetched = Fetched()
    for letter in mailbox.letters(places.get(key) or Place.at(now - FIRST_REACH)):
        written = _kept(letter, folder, fetched)
        places[key] = letter.place
        # The message first: cut between the two, it is read again into the same name.
        for path, data in written.items():
            _write(path, data)
        _write(state, _body(places))
    places[key] = mailbox.place
    _write(state, _body(places))
    fetched.problems += mailbox.told
    return fetched


def bounce_sight(bounce: Bounce, now: datetime) -> BounceSight:
    """The value that is compared. A report that names no time, or one to come, is of now."""
    at = now if isinstance(bounce.at, Unknown) else min(bounce.at, now)
    remote = bounce.reporting_mta or bounce.address
    return BounceSight(
        bounce.key, at, bounce.code, bounce.envelope_sender, bounce.recipient, remote, bounce.address, bounce.claimed
    )


def _kept(letter: Letter, folder: Path, fetched: Fetched) -> dict[Path, bytes]:
    """The file of a letter that is about our door; none for another."""
    if letter.problem:
        fetched.kinds[Kind.REJECTED] += 1
        fetched.problems.append(f"a message of {letter.received or 'an earlier run'}: {letter.problem}")
        return {}
    found = read_mail(letter.data)
    kind = Kind.REJECTED if isinstance(found, RejectedRow) else found.kind
    fetched.kinds[kind] += 1
    if isinstance(found, RejectedRow):
        fetched.problems.append(f"a message of {letter.received}: {found.why}")
    if kind is not Kind.OURS:
        return {}
    name = f"{blake2b(letter.id.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}.eml"
    fetched.saved.append(name)
    return {folder / name: letter.data}


def _write(path: Path, data: bytes) -> None:
    """On the disk before it gets its name: after a power failure the state must not know of a report that is not there.

    Raises OutputError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_of(path).open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial_of(path).replace(path)
    except OSError as error:
        cannot_write(path, error)


def _places(state: Path) -> dict[str, Place]:
    from sidedoor.exchange.mailbox import Place

    try:
        if not state.exists():
            return {}
        mailboxes = json.loads(state.read_bytes())[SCHEMA]
        return {str(key): Place.of(place) for key, place in mailboxes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(str(state), "no state of a mailbox", f"{SCHEMA}; removed, it is made again") from error


def _body(places: dict[str, Place]) -> bytes:
    mailboxes = {key: place.as_json() for key, place in places.items()}
    return json.dumps({SCHEMA: mailboxes}, indent=1).encode()
