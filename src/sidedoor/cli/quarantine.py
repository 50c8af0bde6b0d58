"""`sidedoor quarantine`: what edges hold back, listed, viewed safely, released or deleted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

from sidedoor.cli.edge_store import opened_tenant, who
from sidedoor.edge.quarantine import Quarantine, SharedQuarantine, open_spools
from sidedoor.edge.spool.model import Held, Quarantined, SpoolError
from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.report.text import clean, shorten

T = TypeVar("T")
_MOST_SHOWN = 20_000  # octets of a message on a terminal
_SUBJECT = 60

_Command = Callable[..., int]


class Where(NamedTuple):
    """Of which quarantine: that of spools on this machine, or the one that several edges share."""

    spool: Path | None
    store: str | None
    store_tenant: str | None


def _where(command: _Command) -> _Command:
    """The options that name a quarantine, given to the command as `where`."""

    @wraps(command)
    def wrapped(spool: Path | None, store: str | None, store_tenant: str | None, **given: object) -> int:
        return command(Where(spool, store, store_tenant), **given)

    options = (
        click.option("--store-tenant", metavar="DOMAIN", help="The tenant in the store; needed with --store."),
        click.option("--store", metavar="URL", help="The store that several edges share (`sidedoor edge --store`)."),
        click.option(
            "--spool",
            type=click.Path(path_type=Path),
            help="The spool of `sidedoor edge` (its folder, or one spool.db).",
        ),
    )
    for option in options:
        wrapped = option(wrapped)
    return wrapped


@click.group("quarantine")
def quarantine_command() -> None:
    """Look after the messages that transport rules made the edge hold back."""


@quarantine_command.command("list")
@_where
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(where: Where, as_json: bool) -> int:
    """List the messages, the oldest first."""
    with _opened(where) as store:
        rows = list(store.quarantine())
    if not rows and not as_json:
        click.echo("Nothing is held back.")
    for row in rows:
        click.echo(json.dumps(_told(row)) if as_json else _line(row))
    return 0


@quarantine_command.command("show")
@click.argument("message_id")
@_where
@click.option("--raw", is_flag=True, help="The octets as they came, unsafe on a terminal; for a file or another tool.")
def show_command(where: Where, message_id: str, raw: bool) -> int:
    """Show one message: what could steer the terminal is replaced, nothing is opened or rendered."""
    with _opened(where) as store:
        held = _found(store.held, message_id)
    if raw:
        sys.stdout.buffer.write(held.message.content)
        return 0
    for line in _shown(held):
        click.echo(line)
    return 0


@quarantine_command.command("release")
@click.argument("message_ids", nargs=-1, required=True)
@_where
def release_command(where: Where, message_ids: tuple[str, ...]) -> int:
    """Let messages go on their way; the edge delivers them within moments."""
    return _each(where, message_ids, "released", lambda store, name: store.release(name, datetime.now(UTC)))


@quarantine_command.command("delete")
@click.argument("message_ids", nargs=-1, required=True)
@_where
@click.option("--yes", is_flag=True, help="Really delete; without it nothing is done.")
def delete_command(where: Where, message_ids: tuple[str, ...], yes: bool) -> int:
    """Delete messages for good."""
    if not yes:
        raise UsageError(f"{len(message_ids)} message(s) would be deleted for good; say so with --yes")
    return _each(where, message_ids, "deleted", lambda store, name: store.delete(name))


def _each(where: Where, message_ids: tuple[str, ...], done: str, act: Callable[[Quarantine, str], None]) -> int:
    with _opened(where) as store:
        for message_id in message_ids:
            _found(partial(act, store), message_id)
            click.echo(f"{done} {clean(message_id)}")
    return 0


@contextmanager
def _opened(where: Where) -> Iterator[Quarantine]:
    if (where.spool is None) == (where.store is None):
        raise UsageError("say where: --spool FOLDER, or --store URL with --store-tenant DOMAIN")
    if where.store is None:
        assert where.spool is not None
        with _spools(where.spool) as found:
            yield found
        return
    if where.store_tenant is None:
        raise UsageError("--store needs --store-tenant: the domain that the tenant has in the store")
    with opened_tenant(where.store, where.store_tenant, "quarantine") as tenant:
        yield SharedQuarantine(tenant, who())


@contextmanager
def _spools(path: Path) -> Iterator[Quarantine]:
    try:
        found = open_spools(path)
    except SpoolError as error:
        raise InputError(str(path), str(error), "the spool of a `sidedoor edge`") from error
    if found is None:
        raise InputError(str(path), "nothing there", "the spool of a `sidedoor edge`")
    try:
        yield found
    except SpoolError as error:
        raise OutputError(f"{path}: {error}") from error
    finally:
        found.close()


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
