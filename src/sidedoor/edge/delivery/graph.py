"""Delivery through Microsoft Graph's sendMail, as MIME (https://learn.microsoft.com/graph/api/user-sendmail).

Graph takes recipients from the message's own fields, not from an envelope: a message whose To, Cc and Bcc are not the
envelope's recipients would go astray, so the envelope is written into Bcc where the fields do not name it.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import getaddresses
from urllib.parse import quote

import httpx

from sidedoor.edge.delivery.transport import all_alike, reply_text
from sidedoor.edge.spool.model import Delivery, Fate, Outcome

ENDPOINT = "https://graph.microsoft.com/v1.0"
# The request may be 4 MB in all, and base64 takes four octets for three (microsoft-graph-docs issues 758, 13979).
MOST_CONTENT = 3 * 1024 * 1024
_AGAIN = frozenset({401, 408, 425, 429})


class GraphTransport:
    """Sends as the envelope sender's mailbox; the application needs Mail.Send, best scoped to those mailboxes."""

    def __init__(self, token: Callable[[], Awaitable[str]], endpoint: str = ENDPOINT) -> None:
        """`token` gives a fresh access token. Raises nothing."""
        self._token = token
        self._client = httpx.AsyncClient(base_url=endpoint, timeout=60.0, follow_redirects=False)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """One request for all recipients."""
        message = delivery.message
        if not message.envelope_sender:
            return all_alike(delivery.recipients, Fate.FAILED, "550 5.7.1 Graph sends as a mailbox; this has no sender")
        if len(message.content) > MOST_CONTENT:
            return all_alike(delivery.recipients, Fate.FAILED, "552 5.3.4 larger than Graph's sendMail takes (4 MB)")
        content = addressed_to(message.content, delivery.recipients)
        if content is None:
            reply = "550 5.6.0 its own fields name recipients that the envelope does not; Graph would send to these"
            return all_alike(delivery.recipients, Fate.FAILED, reply)
        return all_alike(delivery.recipients, *await self._post(message.envelope_sender, content))

    async def _post(self, sender: str, content: bytes) -> tuple[Fate, str]:
        try:
            token = await self._token()
            response = await self._client.post(
                f"/users/{quote(sender, safe='')}/sendMail",
                content=base64.b64encode(content),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"},
            )
        except (httpx.HTTPError, OSError) as error:
            return Fate.DEFERRED, reply_text(451, f"4.4.1 Graph: {type(error).__name__}")
        if response.status_code == httpx.codes.ACCEPTED:
            return Fate.DELIVERED, "250 2.0.0 taken by Graph"
        text = f"Graph answered {response.status_code} {_code(response)}"
        if response.status_code in _AGAIN or response.status_code >= 500:
            return Fate.DEFERRED, reply_text(451, f"4.3.0 {text}")
        return Fate.FAILED, reply_text(554, f"5.3.0 {text}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _code(response: httpx.Response) -> str:
    """Graph's error code, such as ErrorSendAsDenied; "" where the body is something else."""
    try:
        error = response.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(error)


def addressed_to(content: bytes, recipients: Sequence[str]) -> bytes | None:
    """The message with Bcc for those of `recipients` that its fields do not name; None where they name others.

    A message due for some of its recipients only (a retry) must not go to the others again.
    """
    parsed = BytesHeaderParser(policy=SMTP).parsebytes(content)
    fields = [str(value) for name in ("To", "Cc", "Bcc") for value in parsed.get_all(name, [])]
    named = {address.lower() for _, address in getaddresses(fields) if address}
    wanted = {recipient.lower() for recipient in recipients}
    if named - wanted:
        return None
    missing = sorted(wanted - named)
    return b"Bcc: " + ", ".join(missing).encode() + b"\r\n" + content if missing else content
