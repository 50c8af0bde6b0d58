"""How a message came in, as far as the service's own fields tell (domain of `record.ENTRIES`).

Reported by those who read such fields (an incident post of 2026-03, analysers of headers, mail of large tenants on
public lists 2021-2025), not documented by Microsoft. `AuthAs: Anonymous` alone says nothing: mail through an OnPremises
connector has it too. `InternalOrgSender: True` is set on spoofs.
"""

from __future__ import annotations

from sidedoor.evidence.message.facts import believed, unknown
from sidedoor.evidence.message.model import Sureness, Told


def entry_of(
    *,
    label: Told[bool],
    from_entity: Told[str],
    attributed: bool,
    auth_as: Told[str],
    directionality: Told[str],
) -> Told[str | None]:
    """`direct-send`, `onpremises`, `authenticated`, `anonymous`, or a known None where the fields do not tell.

    `attributed`: whether a believed OriginalAttributedTenantConnectingIp is there. Unknown where no field of the kind
    can be believed.
    """
    entity, course = (believed(from_entity) or "").lower(), (believed(directionality) or "").lower()
    login = (believed(auth_as) or "").lower()
    if believed(label):
        return Told("direct-send", label.sureness, label.source, label.line)
    if entity == "hybridonprem" and attributed:
        return Told("onpremises", from_entity.sureness, from_entity.source, from_entity.line)
    if login == "internal" and course == "originating":
        return Told("authenticated", auth_as.sureness, auth_as.source, auth_as.line)
    if login == "anonymous" and not attributed and (entity == "internet" or (not entity and course == "incoming")):
        return Told("anonymous", auth_as.sureness, auth_as.source, auth_as.line)
    if login or entity or course:
        return Told(None, Sureness.LIKELY, auth_as.source, auth_as.line)
    return unknown("no field of Exchange Online that could be believed tells how it came in")
