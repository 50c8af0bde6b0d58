"""`sidedoor explain`: one raw message, hop by hop: was it Direct Send, and how sure is that?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from sidedoor.cli.output import printable
from sidedoor.errors import InputError, UsageError

if TYPE_CHECKING:
    from sidedoor.audit.explanation import Explanation
    from sidedoor.evidence.message import MessageEvidence
    from sidedoor.evidence.record import RejectedRow
    from sidedoor.mailauth.authenticate import MessageAuthentication
    from sidedoor.tenant.snapshot import TenantSnapshot

_PATH = click.Path(path_type=Path)
_MOST, _HEAD = 64 * 1024 * 1024, 65_536
_EXPECTED = "a raw message or its header (.eml, mailbox file, .msg, pasted headers)"


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--tenant", type=_PATH, help="Folder or file of the tenant export: settles connectors and own domains.")
@click.option("--message", "number", type=click.IntRange(min=1), help="Only this message of a mailbox file, from 1.")
@click.option("--verify", is_flag=True, help="Check SPF, DKIM, ARC and DMARC again, now, by DNS; one whole message.")
@click.option("--dns", "zones", multiple=True, type=_PATH, help="Master file (or folder of them) to verify with.")
@click.option("--catalogue", type=_PATH, help="Entries of your own for the catalogue of senders (docs/catalogue.md).")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON (docs/contract.md).")
def explain_command(
    file: Path,
    tenant: Path | None,
    number: int | None,
    verify: bool,
    zones: tuple[Path, ...],
    catalogue: Path | None,
    as_json: bool,
) -> int:
    """Say of a raw message whether it was Direct Send, how sure that is, and what RejectDirectSend would have done.

    FILE is a message, a mailbox file, pasted headers, or - for standard input. No DNS is asked unless you say --verify:
    the names in a message are its sender's, and looking them up may tell him.
    """
    from sidedoor.audit.explanation import NO_TENANT, explain
    from sidedoor.catalogue.catalogue import load_catalogue
    from sidedoor.evidence.message import MessageEvidence

    snapshot = _snapshot(tenant) if tenant else NO_TENANT
    data = _data(file) if verify or zones or str(file) == "-" else None
    found = [
        (place, reading)
        for place, reading in enumerate(_readings(file, data), start=1)
        if number is None or place == number
    ]
    if not found:
        raise UsageError(f"{file} has no message {number}" if number else f"{file} holds no message")
    if len(found) == 1 and not isinstance(found[0][1], MessageEvidence):
        raise InputError(str(file), found[0][1].why, _EXPECTED)
    entries = load_catalogue(catalogue)
    explained = [
        (place, explain(reading, snapshot, entries) if isinstance(reading, MessageEvidence) else reading)
        for place, reading in found
    ]
    verified = _verified(found, data, zones) if data is not None and (verify or zones) else None
    if as_json:
        _print_json(file, explained, verified)
    else:
        _print_text(explained, verified)
    return 0


def _verified(
    found: list[tuple[int, MessageEvidence | RejectedRow]], data: bytes, zones: tuple[Path, ...]
) -> MessageAuthentication:
    """The checks made now. Raises UsageError for anything but one whole message."""
    from datetime import UTC, datetime

    from sidedoor.audit.verification import verify_again
    from sidedoor.evidence.message import MessageEvidence
    from sidedoor.mailauth.source import resolver_of

    message = found[0][1]
    if len(found) != 1 or data.startswith((b"From ", b"\xd0\xcf")) or not isinstance(message, MessageEvidence):
        raise UsageError("--verify needs one whole message: an .eml file, or one on standard input")
    return verify_again(message, data, resolver_of(zones), datetime.now(UTC))


def _snapshot(tenant: Path) -> TenantSnapshot:
    from sidedoor.evidence.tenant_files import read_tenant

    reading = read_tenant(tenant)
    if not reading.files:
        raise InputError(str(tenant), "no settings of a tenant", "what Get-AcceptedDomain and its like export")
    for warning in reading.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    return reading.snapshot


def _data(file: Path) -> bytes:
    """All of a file, or of standard input. Raises InputError beyond 64 MB."""
    if str(file) == "-":
        data = sys.stdin.buffer.read(_MOST + 1)
    else:
        with _opened(file) as stream:
            data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise InputError(_name(file), "more than 64 MB", "a message")
    return data


def _readings(file: Path, data: bytes | None) -> Iterator[MessageEvidence | RejectedRow]:
    from sidedoor.evidence.message import is_message_file, read_message_bytes, read_messages

    if data is None:
        with _opened(file) as stream:
            head = stream.read(_HEAD)
    else:
        head = data[:_HEAD]
    if not is_message_file(head):
        raise InputError(_name(file), "no message", _EXPECTED)
    yield from read_messages(file) if data is None else read_message_bytes(data)


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise InputError(str(file), f"no readable file ({error.strerror})", _EXPECTED) from error


def _name(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file)


def _print_json(
    file: Path, explained: list[tuple[int, Explanation | RejectedRow]], verified: MessageAuthentication | None
) -> None:
    from sidedoor.evidence.record import RejectedRow
    from sidedoor.report.explain_json import SCHEMA_NAME, render, render_verified

    messages = [
        {"number": place, "error": each.why} if isinstance(each, RejectedRow) else {"number": place, **render(each)}
        for place, each in explained
    ]
    if verified is not None:
        messages[0]["verified"] = render_verified(verified)
    click.echo(json.dumps({"schema": SCHEMA_NAME, "file": str(file), "messages": messages}, indent=2))


def _print_text(explained: list[tuple[int, Explanation | RejectedRow]], verified: MessageAuthentication | None) -> None:
    from rich.console import Console

    from sidedoor.evidence.record import RejectedRow
    from sidedoor.report.explain_text import explain_text, verified_text

    console = Console()
    for place, each in explained:
        if place != explained[0][0]:
            click.echo("\n" + "-" * min(console.width, 80) + "\n")
        if isinstance(each, RejectedRow):
            click.echo(f"Message {place} cannot be read: {printable(each.why)}")
        else:
            explain_text(each, console, f"Message {place} of {len(explained)}" if len(explained) > 1 else "")
    if verified is not None:
        verified_text(verified, console)
