"""sidedoor.toml: what a workspace watches, how, and whom it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sidedoor.toml_file import (
    Keys,
    TomlFile,
    TomlValueError,
    anything,
    domain_name,
    flag,
    number,
    one_of,
    text,
    texts,
    whole,
)
from sidedoor.watch.sight import Thresholds

NAME = "sidedoor.toml"
WHAT = "the settings of a workspace (docs/watch.md)"
_YEARS = 3650


class Lists(StrEnum):
    """Where the mail history comes from."""

    EXCHANGE = "exchange"  # Get-MessageTraceV2 through Exchange Online
    GRAPH = "graph"  # Graph's message traces
    NONE = "none"  # only settings; the history comes from files


class Cloud(StrEnum):
    """Which of Microsoft's clouds the tenant is in."""

    GLOBAL = "global"  # the one for everybody
    GCC_HIGH = "gcc-high"  # US government, high
    DOD = "dod"  # US defence
    CHINA = "china"  # operated by 21Vianet


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files that are laid there by hand or by other programs. Relative paths are the workspace's."""

    folders: tuple[str, ...] = ("inbox",)
    accepted_domains: tuple[str, ...] = ()
    trace_sender: str = "auto"
    date_format: str = ""
    catalogue: str = ""


@dataclass(frozen=True, slots=True)
class Dns:
    """Who is asked for DNS: master files, or the network, or nobody."""

    zones: tuple[str, ...] = ()
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Collect:
    """How the live tenant is asked; not at all where `tenant_id` is empty. details: messages a run at most."""

    tenant_id: str = ""
    client_id: str = ""
    certificate: str = ""
    certificate_passphrase_env: str = ""
    secret_env: str = ""
    token_env: str = ""
    cloud: Cloud = Cloud.GLOBAL
    base_url: str = ""
    authority_url: str = ""
    graph_url: str = ""
    lists: Lists = Lists.EXCHANGE
    details: int = 200
    hunting: bool = False
    first_days: int = 30


@dataclass(frozen=True, slots=True)
class Probe:
    """How often the door is asked from outside; 0 never. endpoints: HOST[:PORT], else the published MX and endpoint."""

    every_hours: int = 0
    endpoints: tuple[str, ...] = ()
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class Bounces:
    """Where non-delivery reports are: a folder of files, and a mailbox that is read by Graph."""

    folder: str = "bounces"
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of this tenant's: its decision logs, which are history too, and its spool, for the quarantine."""

    logs: tuple[str, ...] = ()
    spool: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that things are kept; 0 for ever. collected: what `watch` fetched, after it is in the history."""

    history_days: int = 400
    collected_days: int = 14
    alerts_days: int = 400
    trail_days: int = 0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Whom to tell. quiet: "22:00-06:00" in `timezone`; channels: by name, as `watch.channels.settings` reads them."""

    quiet: str = ""
    timezone: str = "UTC"
    channels: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file. certificates: PEM files and HOST:PORT that show the certificates of connectors."""

    domain: str
    store: str = ""
    every_hours: float = 6.0
    inputs: Inputs = Inputs()
    dns: Dns = Dns()
    collect: Collect = Collect()
    probe: Probe = Probe()
    bounces: Bounces = Bounces()
    edge: Edge = Edge()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    certificates: tuple[str, ...] = ()
    switches: Mapping[str, str] = field(default_factory=dict)
    textfile: str = ""


def _channels(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TomlValueError(value, "a table for each channel: [alerts.channels.NAME]")
    return value


def _named(value: object) -> str:
    if not isinstance(value, str) or value not in {"auto", "envelope", "header", "unknown"}:
        raise TomlValueError(value, "one of auto, envelope, header, unknown")
    return value


_DAYS = whole(0, _YEARS)
_INPUTS: Keys = {
    "folders": texts, "accepted_domains": texts, "trace_sender": _named, "date_format": text, "catalogue": text,
}  # fmt: skip
_DNS: Keys = {"zones": texts, "offline": flag}
_COLLECT: Keys = {
    "tenant_id": text, "client_id": text, "certificate": text, "certificate_passphrase_env": text, "secret_env": text,
    "token_env": text, "cloud": one_of(Cloud), "base_url": text, "authority_url": text, "graph_url": text,
    "lists": one_of(Lists),
    "details": whole(0, 50_000), "hunting": flag, "first_days": whole(1, 90),
}  # fmt: skip
_PROBE: Keys = {"every_hours": whole(0, 8_760), "endpoints": texts, "recipient": text}
_BOUNCES: Keys = {"folder": text, "mailbox": text}
_EDGE: Keys = {"logs": texts, "spool": text}
_RETENTION: Keys = {
    "history_days": _DAYS, "collected_days": _DAYS, "alerts_days": _DAYS, "trail_days": _DAYS,
}  # fmt: skip
_THRESHOLDS: Keys = {
    "burst_messages": whole(1, 1_000_000), "burst_factor": number(1, 1_000), "silent_factor": number(1, 1_000),
    "silent_days": whole(1, _YEARS), "regular_days": whole(2, _YEARS), "certificate_days": whole(1, _YEARS),
    "address_days": whole(1, _YEARS), "stale_hours": whole(1, 8_760), "bypass_messages": whole(1, 1_000_000),
    "untold_hours": whole(1, 8_760), "at_once": whole(1, 10_000),
}  # fmt: skip
_ALERTS: Keys = {"quiet": text, "timezone": text, "channels": _channels, "thresholds": anything}
_STORE: Keys = {"url": text}
_CERTIFICATES: Keys = {"shown_by": texts}
_WATCH: Keys = {"every_hours": number(0.1, 8_760)}
_METRICS: Keys = {"textfile": text}
_TABLES = (
    "domain", "store", "watch", "inputs", "dns", "collect", "probe", "bounces", "edge", "retention", "alerts",
    "certificates", "switches", "metrics",
)  # fmt: skip


def read_settings(path: Path) -> Settings:
    """Read sidedoor.toml. Raises InputError that names the line."""
    return parse_settings(TomlFile.read(path, WHAT))


def parse_settings(file: TomlFile) -> Settings:
    """The settings of a parsed file. Raises InputError."""
    file.only(_TABLES)
    if "domain" not in file.body:
        raise file.error(("domain",), "no domain", 'domain = "contoso.com", an accepted domain of the tenant')
    alerts = file.part("alerts", _ALERTS)
    thresholds = file.table(("alerts", "thresholds"), alerts.pop("thresholds", {}), _THRESHOLDS)
    return Settings(
        domain=file.value(("domain",), "domain", file.body["domain"], {"domain": domain_name}),
        store=file.part("store", _STORE).get("url", ""),
        every_hours=file.part("watch", _WATCH).get("every_hours", 6.0),
        inputs=Inputs(**file.part("inputs", _INPUTS)),
        dns=Dns(**file.part("dns", _DNS)),
        collect=Collect(**file.part("collect", _COLLECT)),
        probe=Probe(**file.part("probe", _PROBE)),
        bounces=Bounces(**file.part("bounces", _BOUNCES)),
        edge=Edge(**file.part("edge", _EDGE)),
        retention=Retention(**file.part("retention", _RETENTION)),
        alerts=Alerts(**alerts, thresholds=Thresholds(**thresholds)),
        certificates=file.part("certificates", _CERTIFICATES).get("shown_by", ()),
        switches=_free(file, "switches"),
        textfile=file.part("metrics", _METRICS).get("textfile", ""),
    )


def _free(file: TomlFile, name: str) -> Mapping[str, str]:
    """A table whose keys are names of the tenant's own."""
    body = file.body.get(name, {})
    return file.table((name,), body, dict.fromkeys(body, text) if isinstance(body, dict) else {})
