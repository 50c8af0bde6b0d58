"""Delivery status notifications (RFC 3464, RFC 3461 section 6): what its sender is told of mail that failed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sidedoor.edge.spool.model import Kept, Outcome

_ENHANCED = re.compile(r"^[245][0-9]{2} ([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_MOST_HEADER = 64 * 1024


def failure_notice(
    notice_id: str, message: Kept, failed: Sequence[Outcome], reporter: str, now: datetime
) -> Kept | None:
    """The notice for the recipients of `failed`; None for a message from `<>`, of which nobody is told.

    The notice itself has the null reverse-path, so no notice is ever sent of a notice (RFC 5321 section 4.5.5).
    """
    if not message.envelope_sender or not failed:
        return None
    notice = EmailMessage(policy=SMTP.clone(max_line_length=998))
    notice["From"] = f"Mail Delivery System <postmaster@{reporter}>"
    notice["To"] = f"<{message.envelope_sender}>"
    notice["Subject"] = "Undeliverable mail"
    notice["Date"] = format_datetime(now)
    notice["Message-ID"] = f"<{notice_id}@{reporter}>"
    notice["Auto-Submitted"] = "auto-replied"
    notice.set_content(_text(message, failed, reporter))
    notice.make_mixed()
    notice.attach(_status(message, failed, reporter))
    notice.attach(_header(message))
    notice.replace_header("Content-Type", "multipart/report")
    notice.set_param("report-type", "delivery-status")
    content = notice.as_bytes()
    return Kept(notice_id, now, "", (message.envelope_sender,), content, message.smtputf8)


def _text(message: Kept, failed: Sequence[Outcome], reporter: str) -> str:
    lines = [f"{reporter} could not deliver the message of {format_datetime(message.received_at)} to:", ""]
    lines += [f"  {outcome.recipient}\n    {outcome.reply}" for outcome in failed]
    return "\n".join([*lines, "", "It will not be tried again."])


def _status(message: Kept, failed: Sequence[Outcome], reporter: str) -> EmailMessage:
    """RFC 3464 section 2: one block of fields for the message and one for each recipient."""
    fields = [{"Reporting-MTA": f"dns; {reporter}", "Arrival-Date": format_datetime(message.received_at)}]
    for outcome in failed:
        found = _ENHANCED.match(outcome.reply)
        kind = "rfc822" if outcome.recipient.isascii() else "utf-8"
        fields.append(
            {
                "Final-Recipient": f"{kind}; {outcome.recipient}",
                "Action": "failed",
                "Status": found[1] if found else "5.0.0",
                "Diagnostic-Code": f"smtp; {outcome.reply}",
            }
        )
    part = EmailMessage(policy=SMTP)
    part["Content-Type"] = "message/delivery-status"
    part.set_payload([_block(block) for block in fields])
    return part


def _block(fields: Mapping[str, str]) -> EmailMessage:
    block = EmailMessage(policy=SMTP.clone(max_line_length=998))
    for name, value in fields.items():
        block[name] = value
    return block


def _header(message: Kept) -> EmailMessage:
    """The header of the message, cut to 64 KB: whoever sent it has the rest."""
    header = message.content.partition(b"\r\n\r\n")[0][:_MOST_HEADER]
    part = EmailMessage(policy=SMTP)
    part["Content-Type"] = "text/rfc822-headers"
    part["Content-Transfer-Encoding"] = "7bit" if header.isascii() else "8bit"
    part.set_payload(header.decode("ascii", "surrogateescape"))
    return part
