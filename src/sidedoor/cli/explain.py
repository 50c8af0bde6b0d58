"""`sidedoor explain`: one raw message, hop by hop: was it Direct Send, and how sure is that?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.output import printable
from sidedoor.errors import InputError, UsageError

if TYPE_CHECKING:
    from sidedoor.audit.explanation import Explanation
    from sidedoor.evidence.message import MessageEvidence
    from sidedoor.evidence.record import RejectedRow
    from sidedoor.tenant.snapshot import TenantSnapshot

_PATH = click.Path(path_type=Path)
_MOST_STDIN = 64 * 1024 * 1024
_EXPECTED = "a raw message or its header (.eml, mailbox file, .msg, pasted headers)"


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--tenant", type=_PATH, help="Folder or file of the tenant export: settles connectors and own domains.")
@click.option("--message", "number", type=click.IntRange(min=1), help="Only this message of a mailbox file, from 1.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON (docs/contract.md).")
def explain_command(file: Path, tenant: Path | None, number: int | None, as_json: bool) -> int:
    """Say of a raw message whether it was Direct Send, how sure that is, and what RejectDirectSend would have done.

    FILE is a message, a mailbox file, pasted headers, or - for standard input. No DNS is asked: the names in a message
    are its sender's, and looking them up would tell him.
    """
    from sidedoor.audit.explanation import NO_TENANT, explain
    from sidedoor.catalogue.catalogue import load_catalogue
    from sidedoor.evidence.message import MessageEvidence

    snapshot = _snapshot(tenant) if tenant else NO_TENANT
    found = [
        (place, reading) for place, reading in enumerate(_readings(file), start=1) if number is None or place == number
    ]
    if not found:
        raise UsageError(f"{file} has no message {number}" if number else f"{file} holds no message")
    if len(found) == 1 and not isinstance(found[0][1], MessageEvidence):
        raise InputError(str(file), found[0][1].why, _EXPECTED)
    catalogue = load_catalogue()
    explained = [
        (place, explain(reading, snapshot, catalogue) if isinstance(reading, MessageEvidence) else reading)
        for place, reading in found
    ]
    if as_json:
        _print_json(file, explained)
    else:
        _print_text(explained)
    return 0


def _snapshot(tenant: Path) -> TenantSnapshot:
    from sidedoor.evidence.tenant_files import read_tenant

    reading = read_tenant(tenant)
    if not reading.files:
        raise InputError(str(tenant), "no settings of a tenant", "what Get-AcceptedDomain and its like export")
    for warning in reading.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    return reading.snapshot


def _readings(file: Path) -> Iterator[MessageEvidence | RejectedRow]:
    from sidedoor.evidence.message import is_message_file, read_message_bytes, read_messages

    if str(file) == "-":
        data = sys.stdin.buffer.read(_MOST_STDIN + 1)
        if len(data) > _MOST_STDIN:
            raise InputError("standard input", "more than 64 MB", "a message; give a larger one as a file")
        if not is_message_file(data[:65_536]):
            raise InputError("standard input", "no message", _EXPECTED)
        yield from read_message_bytes(data)
        return
    try:
        with file.open("rb") as stream:
            head = stream.read(65_536)
    except OSError as error:
        raise InputError(str(file), f"no readable file ({error.strerror})", _EXPECTED) from error
    if not is_message_file(head):
        raise InputError(str(file), "no message", _EXPECTED)
    yield from read_messages(file)


def _print_json(file: Path, explained: list[tuple[int, Explanation | RejectedRow]]) -> None:
    from sidedoor.evidence.record import RejectedRow
    from sidedoor.report.explain_json import SCHEMA_NAME, render

    messages = [
        {"number": place, "error": each.why} if isinstance(each, RejectedRow) else {"number": place, **render(each)}
        for place, each in explained
    ]
    click.echo(json.dumps({"schema": SCHEMA_NAME, "file": str(file), "messages": messages}, indent=2))


def _print_text(explained: list[tuple[int, Explanation | RejectedRow]]) -> None:
    from rich.console import Console

    from sidedoor.evidence.record import RejectedRow
    from sidedoor.report.explain_text import explain_text

    console = Console()
    for place, each in explained:
        if place != explained[0][0]:
            click.echo("\n" + "-" * min(console.width, 80) + "\n")
        if isinstance(each, RejectedRow):
            click.echo(f"Message {place} cannot be read: {printable(each.why)}")
        else:
            explain_text(each, console, f"Message {place} of {len(explained)}" if len(explained) > 1 else "")
