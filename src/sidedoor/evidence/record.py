"""The one shape every export is read into: a `Record` says what one row of one file tells of one message.

In every text field None means *this source does not tell* and "" means *known to be absent*, so that the merge can
let a better-informed source win fact by fact without ever mistaking silence for "none".
"""

from __future__ import annotations

from typing import NamedTuple

NULL_SENDER = "<>"


class Record(NamedTuple):
    """One row's evidence about one message to one recipient (a row with three recipients gives three records).

    row: 1-based number of the data row in its file, the header not counted, the same for all its records.
    message_key: NetworkMessageId (= MessageTraceId = Graph id) in lower case, or "" where the source has none.
    message_id: the Internet Message-ID as written, angle brackets kept.
    received_at: UTC as `YYYY-MM-DD HH:MM:SS.ffffff`.
    recipient: the address in lower case; None where the row speaks of the message to whatever recipient (details).
    envelope_sender: 5321.MailFrom in lower case, "<>" for the null reverse-path.
    listed_sender: a sender column of which nobody knows whether it is 5321.MailFrom or 5322.From.
    header_from: 5322.From, lower case.
    client_ip: the address that connected to the service; "" where there was no SMTP client.
    helo: as the client said it.
    tls: "none", "TLS1.2", "TLS1.3" ... ; connector: an inbound connector's name, "" for known none.
    direction: incoming, originating, intra-org or outbound.
    spf, dkim, dmarc, compauth: result words in lower case; compauth_reason: three digits.
    treatment: delivered, junked, quarantined, blocked, failed, expanded, pending, replaced.
    entry: how the message came in by the service's own headers, or by another server's log: one of `ENTRIES`.
    mailer: the program that says it wrote the message (X-Mailer, User-Agent). dkim_domain: who signed it (d=).
    tenant_id: GUID in lower case, where the export shows whose tenant it is.
    """

    row: int
    message_key: str = ""
    message_id: str | None = None
    received_at: str | None = None
    recipient: str | None = None
    envelope_sender: str | None = None
    listed_sender: str | None = None
    header_from: str | None = None
    client_ip: str | None = None
    helo: str | None = None
    tls: str | None = None
    connector: str | None = None
    direction: str | None = None
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    compauth: str | None = None
    compauth_reason: str | None = None
    treatment: str | None = None
    entry: str | None = None
    mailer: str | None = None
    dkim_domain: str | None = None
    tenant_id: str | None = None


ENTRIES = ("direct-send", "onpremises", "authenticated", "anonymous", "refused", "relayed")
"""Exchange Online's own label for Direct Send; its mark of an OnPremises connector; logged in; neither (a Partner
connector is possible); refused by a door that keeps a log, before RejectDirectSend was asked; and: the client spoke to
a server of the organisation, which knows what followed."""

FACTS: tuple[str, ...] = Record._fields[3:-1]
"""The fields the merge decides one by one."""


class RejectedRow(NamedTuple):
    """A data row that could not be read. `text` is an excerpt of at most 500 characters, never trusted."""

    row: int
    why: str
    text: str
