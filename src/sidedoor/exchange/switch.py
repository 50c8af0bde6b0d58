"""RejectDirectSend as the tenant shows it: on, off, blank, or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from sidedoor.exchange.invoke import Exchange
from sidedoor.mail.fact import Fact, Unknown

_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "": None}


def read_switch(exchange: Exchange) -> Fact[bool | None]:
    """None where it is blank, as in tenants that never set it; Unknown where the answer does not tell it.

    Raises RefusedError, UnreachableError.
    """
    rows = exchange.run("Get-OrganizationConfig", {}).rows
    values = [value for row in rows for key, value in row.items() if key.casefold() == "rejectdirectsend"]
    if len(values) != 1:
        return Unknown("Get-OrganizationConfig does not tell RejectDirectSend")
    (value,) = values
    if value is None or isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return _WORDS[word] if word in _WORDS else Unknown(f"RejectDirectSend reads {word[:40]!r}")
