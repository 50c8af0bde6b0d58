"""Keepers of the twin: a Maildir, one file for each message, and one that throws everything away."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sidedoor.edge.interface import Transaction
from sidedoor.edge.smtp.replies import CANNOT_KEEP
from sidedoor.edge.trace import received, return_path
from sidedoor.errors import OutputError
from sidedoor.mail.reply import Reply


def kept(transaction: Transaction) -> Reply:
    """`250 2.6.0 ID Queued`, in the manner of Exchange."""
    return Reply(250, "2.6.0", f"{transaction.id} Queued mail for delivery")


class DiscardKeeper:
    """Says that it kept everything. For a twin that only answers, and for measuring."""

    def keep(self, transaction: Transaction) -> Reply:
        """See `Keeper`."""
        return kept(transaction)


class Maildir:
    """A Maildir as its inventor describes it: written and synced in tmp, then moved into new.

    Names are unique by the message's id, so a crash leaves a whole message in new or none.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folders where they are missing. Raises OutputError."""
        self._folder = folder
        self._suffix = socket.gethostname().replace("/", "_").replace(":", "_")
        try:
            for name in ("tmp", "new", "cur"):
                (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise OutputError(f"{folder}: no Maildir can be made there ({error.strerror})") from error

    def write(self, when: datetime, message_id: str, parts: Iterable[bytes]) -> None:
        """One message, on disk on return. Raises OSError, and leaves nothing behind then."""
        name = f"{int(when.timestamp())}.{message_id}.{self._suffix}"
        there, final = self._folder / "tmp" / name, self._folder / "new" / name
        try:
            with there.open("wb") as stream:
                stream.writelines(parts)
                stream.flush()
                os.fsync(stream.fileno())
            there.rename(final)
        except BaseException:
            there.unlink(missing_ok=True)
            raise
        _sync_folder(final.parent)


class MaildirKeeper:
    """`X-Original-To` tells for whom a message came; the recipients share one file."""

    def __init__(self, folder: Path, hostname: str) -> None:
        """Make the folders where they are missing. Raises OutputError."""
        self._maildir, self._hostname = Maildir(folder), hostname

    async def keep(self, transaction: Transaction) -> Reply:
        """See `Keeper`; the disk is waited for in a thread."""
        try:
            await asyncio.to_thread(
                self._maildir.write, transaction.received_at, transaction.id, self._parts(transaction)
            )
        except OSError:
            return CANNOT_KEEP
        return kept(transaction)

    def _parts(self, transaction: Transaction) -> list[bytes]:
        to = "".join(f"X-Original-To: {each.address}\r\n" for each in transaction.recipients)
        head = (return_path(transaction), to.encode(), received(transaction, self._hostname))
        return [*head, transaction.content]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
