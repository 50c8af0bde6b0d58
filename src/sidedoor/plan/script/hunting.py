"""Advanced hunting queries (EmailEvents), for Defender and for Sentinel.

They avoid what published ones get wrong: the envelope sender's domain is compared and not the header From's, IPv6
clients count, a null connector is an empty one, nothing asks for failed authentication (honest devices may pass SPF),
and mail that was refused is not looked for, because EmailEvents does not hold it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from sidedoor.mail.domain import Domain
from sidedoor.plan.model import Plan

_QUERIES: dict[str, tuple[str, str]] = {
    "direct-send": (
        "Who sends by Direct Send, by address. Some report it as Intra-org, so the direction is shown and not asked.",
        """| where {own} and isempty(Connectors) and EmailDirection != 'Outbound'
| extend ClientIP = coalesce(SenderIPv4, SenderIPv6)
| where isnotempty(ClientIP)
| summarize Messages = count(), Recipients = dcount(RecipientEmailAddress), First = min({time}), Last = max({time}),
    Senders = make_set(SenderMailFromAddress, 10) by ClientIP, SenderMailFromDomain, EmailDirection
| order by Messages desc
""",
    ),
    "still-unauthenticated": (
        "What of the last week no connector took: it would be refused, or is, once the door is closed.",
        """| where {time} > ago(7d)
| where {own} and isempty(Connectors) and EmailDirection == 'Inbound'
| extend ClientIP = coalesce(SenderIPv4, SenderIPv6)
| summarize Messages = count(), Last = max({time}) by ClientIP, SenderMailFromAddress
| order by Last desc
""",
    ),
    "self-addressed": (
        "Mail to people in their own name without a connector: the commonest lure. Not an inventory of Direct Send.",
        """| where {own} and isempty(Connectors) and EmailDirection != 'Outbound'
| where SenderMailFromAddress =~ RecipientEmailAddress
| extend ClientIP = coalesce(SenderIPv4, SenderIPv6)
| where isnotempty(ClientIP)
| summarize Messages = count(), Recipients = dcount(RecipientEmailAddress), Last = max({time})
    by ClientIP, DeliveryAction
| order by Messages desc
""",
    ),
    "beside-the-filter": (
        "Mail of foreign envelope senders that no connector took: round the filter, where the MX leads to one.",
        """| where EmailDirection == 'Inbound' and isempty(Connectors)
| where isnotempty(SenderMailFromDomain) and not({own})
| extend ClientIP = coalesce(SenderIPv4, SenderIPv6)
| summarize Messages = count(), Last = max({time}) by ClientIP, SenderMailFromDomain
| order by Messages desc
""",
    ),
}
_PRODUCTS = {"defender": "Timestamp", "sentinel": "TimeGenerated"}


def queries(plan: Plan) -> dict[str, str]:
    """File name -> query; those on the filter only where there is one."""
    domains = ", ".join(map(_literal, dict.fromkeys(_spelled(plan.tenant.accepted_domains))))
    below = [f" or SenderMailFromDomain endswith {_literal('.' + name)}" for name in _spelled(plan.tenant.subdomains)]
    own = f"SenderMailFromDomain in~ (ownDomains){''.join(below)}"
    own = f"({own})" if below else own
    made = {}
    for name, (about, body) in _QUERIES.items():
        if name == "beside-the-filter" and not plan.tenant.behind_filter:
            continue
        for product, time in _PRODUCTS.items():
            text = body.replace("{time}", time).replace("{own}", own)
            made[f"{name}.{product}.kql"] = f"// {about}\nlet ownDomains = dynamic([{domains}]);\nEmailEvents\n{text}"
    return made


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _spelled(domains: Iterable[str]) -> Iterator[str]:
    """Internationalised names both ways: no page says which of them the table holds."""
    for name in domains:
        yield name
        if "xn--" in name:
            yield Domain(name).unicode
