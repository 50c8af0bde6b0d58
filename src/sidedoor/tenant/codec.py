"""A snapshot as JSON values and back, so that a later command rests on the very settings an audit rested on. Pure.

An unknown setting is `{"unknown": reason}`; that is told from a value by its form, since no setting is an object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from ipaddress import ip_network
from typing import Any, TypeVar

from sidedoor.mail.domain import Domain, parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.tenant.settings import sender_pattern
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    InboundConnector,
    MailExchanger,
    SenderDomainPattern,
    TenantSnapshot,
    TransportRule,
)

SCHEMA = "sidedoor/tenant/1"
T = TypeVar("T")


class CodecError(ValueError):
    """What was read is no snapshot; the message says which part."""


def encode(value: object) -> Any:  # noqa: PLR0911  # one return for each kind of value
    """Any value of a snapshot as JSON has it; sets are sorted, so that the same snapshot gives the same text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if isinstance(value, Domain | SenderDomainPattern):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(encode(item) for item in value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    return str(value)


def decode(values: object) -> TenantSnapshot:
    """The snapshot that `encode` was given. Raises CodecError."""
    try:
        body = members(values)
        return TenantSnapshot(
            accepted_domains=fact_of(body["accepted_domains"], _each(_accepted_domain)),
            inbound_connectors=fact_of(body["inbound_connectors"], _each(_connector)),
            reject_direct_send=_flag(body["reject_direct_send"]),
            connection_filter=fact_of(body["connection_filter"], _filter),
            transport_rules=fact_of(body["transport_rules"], _each(_rule)),
            name=str(body["name"]),
            tenant_id=str(body["tenant_id"]),
            mail_exchangers={
                parse_domain(name): fact_of(where, MailExchanger)
                for name, where in members(body["mail_exchangers"]).items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CodecError(f"no settings of a tenant ({type(error).__name__}: {str(error)[:200]})") from error


def members(value: object) -> Mapping[str, Any]:
    """An object of JSON. Raises CodecError for anything else."""
    if not isinstance(value, Mapping):
        raise CodecError("an object is missing")
    return value


def fact_of(value: object, convert: Callable[[Any], T]) -> Fact[T]:
    """A fact as `encode` wrote it: unknown, or what `convert` makes of the value."""
    if isinstance(value, Mapping) and value.keys() == {"unknown"}:
        return Unknown(str(value["unknown"]))
    return convert(value)


def _each(convert: Callable[[Mapping[str, Any]], T]) -> Callable[[list[Any]], tuple[T, ...]]:
    return lambda items: tuple(convert(members(item)) for item in items)


def _flag(value: object) -> Fact[bool]:
    if isinstance(value, bool):
        return value
    return fact_of(value, _no_flag)


def _no_flag(value: object) -> bool:
    raise CodecError(f"{str(value)[:60]!r} is neither true nor false")


def _accepted_domain(row: Mapping[str, Any]) -> AcceptedDomain:
    return AcceptedDomain(
        parse_domain(row["domain"]), fact_of(row["kind"], DomainKind), _flag(row["match_subdomains"]),
        is_default=bool(row["is_default"]), is_initial=bool(row["is_initial"]),
    )  # fmt: skip


def _connector(row: Mapping[str, Any]) -> InboundConnector:
    changed = row["changed_at"]
    return InboundConnector(
        str(row["name"]),
        ConnectorKind(row["kind"]),
        _flag(row["enabled"]),
        sender_domains=tuple(each for text in row["sender_domains"] for each in sender_pattern(text)),
        sender_networks=tuple(map(ip_network, row["sender_networks"])),
        tls_certificate_name=row["tls_certificate_name"],
        require_tls=_flag(row["require_tls"]),
        restrict_to_addresses=_flag(row["restrict_to_addresses"]),
        restrict_to_certificate=_flag(row["restrict_to_certificate"]),
        associated_accepted_domains=tuple(map(parse_domain, row["associated_accepted_domains"])),
        cloud_services_mail_enabled=_flag(row["cloud_services_mail_enabled"]),
        treat_messages_as_internal=_flag(row["treat_messages_as_internal"]),
        trusted_organizations=tuple(map(str, row["trusted_organizations"])),
        ef_skip_last_ip=_flag(row["ef_skip_last_ip"]),
        ef_skip_networks=tuple(map(ip_network, row["ef_skip_networks"])),
        source=str(row["source"]),
        changed_at=None if changed is None else datetime.fromisoformat(changed),
        warnings=tuple(map(str, row["warnings"])),
        lost=tuple(map(str, row["lost"])),
    )


def _filter(row: Mapping[str, Any]) -> ConnectionFilter:
    return ConnectionFilter(tuple(map(ip_network, row["allow"])), tuple(map(ip_network, row["block"])))


def _rule(row: Mapping[str, Any]) -> TransportRule:
    told = row["told"]
    return TransportRule(
        str(row["name"]), int(row["priority"]), _flag(row["enabled"]), str(row["mode"]), dict(members(row["settings"])),
        None if told is None else frozenset(map(str, told)),
    )  # fmt: skip
