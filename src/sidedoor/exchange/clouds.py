"""Microsoft's clouds: where Exchange Online, Graph and the tokens live. A table.

Source: Microsoft Learn, National clouds (Graph) and Connect-ExchangeOnline -ExchangeEnvironmentName. Whether Graph's
message traces exist outside the global cloud: they do not (exchangeMessageTrace).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cloud:
    """`exchange` and `graph` base addresses; `authority` gives tokens; `hosts`: suffixes a redirect may lead to.

    exchange_scope, graph_scope: what a token is asked for; the service's own name, wherever it is reached.
    """

    exchange: str
    graph: str
    authority: str
    hosts: tuple[str, ...]
    exchange_scope: str
    graph_scope: str
    graph_traces: bool = False


def _cloud(exchange: str, graph: str, authority: str, hosts: tuple[str, ...], *, graph_traces: bool = False) -> Cloud:
    return Cloud(exchange, graph, authority, hosts, f"{exchange}/.default", f"{graph}/.default", graph_traces)


CLOUDS: Mapping[str, Cloud] = {
    "global": _cloud(
        "https://outlook.office365.com", "https://graph.microsoft.com", "https://login.microsoftonline.com",
        (".outlook.office365.com", ".outlook.office.com", ".outlook.com"), graph_traces=True,
    ),
    "gcc-high": _cloud(
        "https://outlook.office365.us", "https://graph.microsoft.us", "https://login.microsoftonline.us",
        (".office365.us",),
    ),
    "dod": _cloud(
        "https://outlook-dod.office365.us", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us",
        (".office365.us",),
    ),
    "china": _cloud(
        "https://partner.outlook.cn", "https://microsoftgraph.chinacloudapi.cn",
        "https://login.partner.microsoftonline.cn", (".partner.outlook.cn",),
    ),
}  # fmt: skip
