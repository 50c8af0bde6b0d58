"""One message's header, read into `MessageEvidence`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sidedoor.evidence.message import connection
from sidedoor.evidence.message.addresses import decoded, mailboxes_of
from sidedoor.evidence.message.boundary import read_hops
from sidedoor.evidence.message.entry import entry_of
from sidedoor.evidence.message.facts import Header, believed, header_of
from sidedoor.evidence.message.fields import MessageError, first_of, parse_fields
from sidedoor.evidence.message.model import HeaderField, MessageEvidence, Signature, Told
from sidedoor.mail.fact import Unknown
from sidedoor.mail.received import parse_date
from sidedoor.mailauth.stamps import attributed_tenant, guid, parse_connecting_ip, parse_report

_ORGANIZATION, _CROSS_TENANT = "x-ms-exchange-organization-", "x-ms-exchange-crosstenant-"
_MESSAGE_IDS = (
    f"{_ORGANIZATION}network-message-id",
    f"{_CROSS_TENANT}network-message-id",
    "x-ms-office365-filtering-correlation-id",
)
_MAX_TEXT = 1_000
_MAX_SIGNATURES = 20
_TAG = re.compile(r"(?:^|;)\s*(?P<key>[ds])\s*=\s*(?P<value>[^;\s]{1,300})")
_DESTINATION = re.compile(r"(?:^|;)\s*dest:(?P<dest>[A-Za-z]{1,3})(?=;|$)")


def parse_message(data: bytes, first_line: int = 1) -> MessageEvidence:
    """Read one message: its header, or a pasted one; a body that follows is not looked at.

    `first_line`: the line in its file where the message begins. Raises MessageError where there is no header, or one
    beyond all bounds.
    """
    return read_message(parse_fields(header_bytes(data), first_line))


def header_bytes(data: bytes) -> bytes:
    """The bytes up to the first blank line, leading ones left aside; all of them where there is none."""
    start = len(data) - len(data.lstrip(b"\r\n\t \xef\xbb\xbf"))
    if b"\0" in data[:64]:  # UTF-16: what is blank is found after decoding
        return data
    end = first_of((b"\n\r\n", b"\n\n", b"\r\r"), data, start, len(data))
    return data[: end + 1] if end >= 0 else data


def read_message(fields: Sequence[HeaderField]) -> MessageEvidence:
    """The facts of one header. Never raises: what cannot be read is Unknown."""
    hops, left_out, boundary = read_hops(fields)
    header = header_of(fields, hops, boundary)
    report = header.service(_report, "x-forefront-antispam-report")
    tenant = header.service(guid, f"{_CROSS_TENANT}id")
    if isinstance(tenant.value, Unknown):
        tenant = header.service(attributed_tenant, "x-eoptenantattributedmessage")
    came = connection.read_connection(header, report, believed(tenant))
    flags = {name: _flag(header, name) for name in ("isanonymousdirectsend", "internalorgsender", "mxpointstous")}
    auth_as = _word(header, "authas")
    directionality = header.service(_text, f"{_ORGANIZATION}messagedirectionality")
    from_entity = header.service(_text, f"{_CROSS_TENANT}fromentityheader")
    attributed = any(name in header.by_name for name in connection.ATTRIBUTED)
    attributed = attributed and believed(header.service(parse_connecting_ip, *connection.ATTRIBUTED)) is not None
    return MessageEvidence(
        fields=tuple(fields),
        hops=hops,
        hops_left_out=left_out,
        boundary=boundary,
        client_ip=came.client_ip,
        helo=came.helo,
        ptr=connection.from_report(report, "PTR"),
        tls=connection.tls(header),
        envelope_sender=came.envelope_sender,
        envelope_domain=came.envelope_domain,
        received_at=connection.received_at(header),
        header_from=mailboxes_of(header.all("from"), "from"),
        message_id=header.author("message-id", _text),
        date=header.author("date", parse_date),
        mailer=_mailer(header),
        list_id=header.author("list-id", _text),
        signatures=_signatures(header),
        authentication=came.authentication,
        auth_as=auth_as,
        auth_source=_word(header, "authsource"),
        directionality=directionality,
        from_entity=from_entity,
        anonymous_direct_send=flags["isanonymousdirectsend"],
        internal_org_sender=flags["internalorgsender"],
        mx_points_to_us=flags["mxpointstous"],
        rules_loop=header.author("x-ms-exchange-inbox-rules-loop", _text),
        network_message_id=header.service(guid, *_MESSAGE_IDS),
        tenant_id=tenant,
        scl=header.service(_level, f"{_ORGANIZATION}scl"),
        report=report,
        destination=header.service(_destination, "x-microsoft-antispam-mailbox-delivery"),
        entry=entry_of(
            label=flags["isanonymousdirectsend"],
            from_entity=from_entity,
            attributed=attributed,
            auth_as=auth_as,
            directionality=directionality,
        ),
        oddities=(*came.oddities, *_oddities(header, left_out)),
    )


def _oddities(header: Header, left_out: int) -> list[str]:
    """What else a person should know before believing the header."""
    notes = [
        f"{len(header.by_name[name])} fields {name.title()}"
        for name in ("from", "return-path")
        if _several(header, name)
    ]
    if isinstance(header.boundary, Unknown):
        notes.append(f"nothing is vouched for: {header.boundary.reason}")
    hop = header.entry
    if hop is not None and hop.parsed.doubled:
        notes.append(f"line {hop.line}: the entry line has a clause twice; the client may have put one into its name")
    if left_out:
        notes.append(f"{left_out:,} more Received lines were not read")
    return notes


def _several(header: Header, name: str) -> bool:
    return len(header.by_name.get(name, ())) > 1


def _report(value: str) -> Mapping[str, str] | None:
    return parse_report(value) or None


def _text(value: str) -> str | None:
    return value[:_MAX_TEXT] or None


def _word(header: Header, name: str) -> Told[str]:
    """A field that both the Organization and the CrossTenant family have."""
    return header.service(_text, f"{_ORGANIZATION}{name}", f"{_CROSS_TENANT}{name}")


def _flag(header: Header, name: str) -> Told[bool]:
    return header.service(lambda value: {"true": True, "false": False}.get(value.lower()), f"{_ORGANIZATION}{name}")


def _level(value: str) -> int | None:
    return int(value) if re.fullmatch(r"-?[0-9]{1,2}", value) else None


def _destination(value: str) -> str | None:
    match = _DESTINATION.search(value[:_MAX_TEXT])
    return match["dest"].upper() if match else None


def _mailer(header: Header) -> Told[str]:
    told = header.author("x-mailer", lambda value: decoded(value) or None)
    return (
        told
        if not isinstance(told.value, Unknown)
        else header.author("user-agent", lambda value: decoded(value) or None)
    )


def _signatures(header: Header) -> tuple[Signature, ...]:
    found = []
    for field in header.all("dkim-signature")[:_MAX_SIGNATURES]:
        tags = {match["key"]: match["value"] for match in _TAG.finditer(field.value[:8_192])}
        if "d" in tags:
            found.append(Signature(tags["d"].lower(), tags.get("s", ""), field.line))
    return tuple(found)


__all__ = ["MessageError", "header_bytes", "parse_message", "read_message"]
