"""Delivery from the spool into a Maildir: a file is named by its message, so a second try writes no second one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sidedoor.edge.delivery.transport import all_alike
from sidedoor.edge.maildir import Maildir
from sidedoor.edge.spool.model import Delivery, Fate, Outcome


class MaildirTransport:
    """`Return-Path` and `X-Original-To` are added, as the server does that makes final delivery."""

    def __init__(self, folder: Path) -> None:
        """Make the folders where they are missing. Raises OutputError."""
        self._maildir = Maildir(folder)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """One file for all recipients."""
        message = delivery.message
        to = "".join(f"X-Original-To: {recipient}\r\n" for recipient in delivery.recipients)
        head = f"Return-Path: <{message.envelope_sender}>\r\n{to}".encode()
        try:
            await asyncio.to_thread(self._maildir.write, message.received_at, message.id, [head, message.content])
        except OSError as error:
            return all_alike(delivery.recipients, Fate.DEFERRED, f"452 4.3.1 {error.strerror or 'not written'}")
        return all_alike(delivery.recipients, Fate.DELIVERED, "250 2.6.0 in the Maildir")

    async def close(self) -> None:
        """Nothing is held."""
