"""The tenant's settings: five cmdlets, each into a file that the audit reads as it reads PowerShell's."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sidedoor.exchange.http import BrokenError
from sidedoor.exchange.invoke import Exchange, Rows
from sidedoor.exchange.wire import RefusedError
from sidedoor.tenant.kinds import SettingKind, recognise_setting

_TRIES = 3
_LEAST_ONE = frozenset({SettingKind.ACCEPTED_DOMAIN, SettingKind.ORGANIZATION_CONFIG, SettingKind.CONNECTION_FILTER})
ORDER = (
    SettingKind.ORGANIZATION_CONFIG,
    SettingKind.ACCEPTED_DOMAIN,
    SettingKind.INBOUND_CONNECTOR,
    SettingKind.TRANSPORT_RULE,
    SettingKind.CONNECTION_FILTER,
)
_PARAMETERS: dict[SettingKind, dict[str, object]] = {
    # Get-TransportRule gives 1,000 rules if not told; the other cmdlets have no such parameter, or give all.
    SettingKind.TRANSPORT_RULE: {"ResultSize": "Unlimited"},
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One cmdlet's answer. `file` and `data` are what to write, "" and b"" where there is nothing; `missing`: why."""

    kind: SettingKind
    file: str = ""
    data: bytes = b""
    rows: int = 0
    missing: str = ""


def fetch(exchange: Exchange, kind: SettingKind) -> Setting:
    """Ask for one setting. Raises UnreachableError; a refusal is said in `missing`."""
    try:
        rows = _whole(exchange, kind)
    except (RefusedError, BrokenError) as error:
        return Setting(kind, missing=f"{kind.value}: {error}")
    if not rows.rows and kind in _LEAST_ONE:
        return Setting(kind, missing=f"{kind.value}: an empty answer, which no tenant can give")
    strange = sum(recognise_setting(row) is not kind for row in rows.rows)
    if strange:
        return Setting(kind, missing=f"{kind.value}: {strange} of {len(rows.rows)} rows are not what was asked for")
    missing = f"{kind.value}: incomplete, {rows.cut}" if rows.cut else ""
    return Setting(kind, f"{kind.noun}.json", _file(kind, rows), len(rows.rows), missing)


def _whole(exchange: Exchange, kind: SettingKind) -> Rows:
    """Pages that could not be had are asked for again from the beginning, perhaps from another back end."""
    for _ in range(_TRIES):
        found = exchange.run(kind.value, _PARAMETERS.get(kind, {}))
        if not found.cut:
            return found
    return found


def _file(kind: SettingKind, rows: Rows) -> bytes:
    """The answer with the cmdlet's name, so that an empty one says of what; a cut one keeps a link that says so."""
    body: dict[str, object] = {"@odata.context": rows.context} if rows.context else {}
    body["cmdlet"] = kind.value
    if rows.cut:
        body["@odata.nextLink"] = "missing"
    body["value"] = rows.rows
    return json.dumps(body, indent=1).encode("ascii")
