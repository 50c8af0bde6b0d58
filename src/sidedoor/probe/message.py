"""The one message that `--send` delivers: it says what it is."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from sidedoor.probe.model import Request


def labelled(request: Request, sender: str) -> EmailMessage:
    """From an own address, to the mailbox that was named."""
    message = EmailMessage()
    identity = uuid.uuid4()
    message["From"], message["To"] = sender, request.recipient
    message["Subject"] = f"Sidedoor probe {identity}: was this let in?"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{identity}@{request.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: nobody shall answer it
    message["X-Sidedoor-Probe"] = str(identity)
    message.set_content(
        "This is a test that an administrator of yours has started with\n`sidedoor probe --send`.\n\n"
        "It was handed to Exchange Online without a login, with an envelope sender\nof your own domain. "
        "If you can read it, Direct Send is open: anybody on the\ninternet could have done the same.\n\n"
        "Nothing else is to be done with it.\n"
    )
    return message
