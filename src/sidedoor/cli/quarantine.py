"""`sidedoor quarantine`: what the edge holds back, listed, viewed safely, released or deleted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from sidedoor.edge.spool.model import Held, Quarantined, SpoolError
from sidedoor.edge.spool.store import Store
from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.report.text import clean, shorten

T = TypeVar("T")
_MOST_SHOWN = 20_000  # octets of a message on a terminal
_SUBJECT = 60

_spool = click.option(
    "--spool",
    required=True,
    type=click.Path(path_type=Path),
    help="The spool of `sidedoor edge` (spool.db, or its folder).",
)


@click.group("quarantine")
def quarantine_command() -> None:
    """Look after the messages that transport rules made the edge hold back."""


@quarantine_command.command("list")
@_spool
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(spool: Path, as_json: bool) -> int:
    """List the messages, the oldest first."""
    with _opened(spool) as store:
        rows = list(store.quarantine())
    if not rows and not as_json:
        click.echo("Nothing is held back.")
    for row in rows:
        click.echo(json.dumps(_told(row)) if as_json else _line(row))
    return 0


@quarantine_command.command("show")
@click.argument("message_id")
@_spool
@click.option("--raw", is_flag=True, help="The octets as they came, unsafe on a terminal; for a file or another tool.")
def show_command(message_id: str, spool: Path, raw: bool) -> int:
    """Show one message: what could steer the terminal is replaced, nothing is opened or rendered."""
    with _opened(spool) as store:
        held = _found(store.held, message_id)
    if raw:
        sys.stdout.buffer.write(held.message.content)
        return 0
    for line in _shown(held):
        click.echo(line)
    return 0


@quarantine_command.command("release")
@click.argument("message_ids", nargs=-1, required=True)
@_spool
def release_command(message_ids: tuple[str, ...], spool: Path) -> int:
    """Let messages go on their way; the edge delivers them within moments."""
    return _each(spool, message_ids, "released", lambda store, name: store.release(name, datetime.now(UTC)))


@quarantine_command.command("delete")
@click.argument("message_ids", nargs=-1, required=True)
@_spool
@click.option("--yes", is_flag=True, help="Really delete; without it nothing is done.")
def delete_command(message_ids: tuple[str, ...], spool: Path, yes: bool) -> int:
    """Delete messages for good."""
    if not yes:
        raise UsageError(f"{len(message_ids)} message(s) would be deleted for good; say so with --yes")
    return _each(spool, message_ids, "deleted", Store.delete)


def _each(spool: Path, message_ids: tuple[str, ...], done: str, act: Callable[[Store, str], None]) -> int:
    with _opened(spool) as store:
        for message_id in message_ids:
            _found(partial(act, store), message_id)
            click.echo(f"{done} {clean(message_id)}")
    return 0


@contextmanager
def _opened(spool: Path) -> Iterator[Store]:
    path = spool / "spool.db" if spool.is_dir() else spool
    if not path.is_file():
        raise InputError(str(path), "nothing there", "the spool of a `sidedoor edge`")
    try:
        store = Store(path)
    except SpoolError as error:
        raise InputError(str(path), str(error), "the spool of a `sidedoor edge`") from error
    try:
        yield store
    except SpoolError as error:
        raise OutputError(f"{path}: {error}") from error
    finally:
        store.close()


def _found(look: Callable[[str], T], message_id: str) -> T:
    try:
        return look(message_id)
    except KeyError as error:
        raise UsageError(f"no message {clean(message_id)!r} is held back") from error


def _told(row: Quarantined) -> dict[str, object]:
    return {
        "id": row.id, "received_at": row.received_at.isoformat(), "envelope_sender": row.envelope_sender,
        "recipients": list(row.recipients), "size": row.size, "why": row.why,
    }  # fmt: skip


def _line(row: Quarantined) -> str:
    who = f"{row.envelope_sender or '<>'} -> {', '.join(row.recipients)}"
    when = row.received_at.strftime("%Y-%m-%d %H:%M")
    return f"{clean(row.id)}  {when}  {shorten(who, _SUBJECT)}\n    {shorten(row.why, 74)}"


def _shown(held: Held) -> Iterator[str]:
    message = held.message
    yield f"held back   {clean(held.why)}"
    yield f"received    {message.received_at.isoformat()}"
    yield f"envelope    {clean(message.envelope_sender or '<>')} -> {clean(', '.join(message.recipients))}"
    yield f"size        {len(message.content):,} octets"
    yield ""
    text = message.content[:_MOST_SHOWN].decode("utf-8", "replace")
    yield from (clean(line) for line in text.split("\r\n"))
    if len(message.content) > _MOST_SHOWN:
        yield f"... and {len(message.content) - _MOST_SHOWN:,} octets more (--raw has all)"
