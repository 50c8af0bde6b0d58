"""The two codes that matter, and where in a text they stand. Pure.

`550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources` is seen
with several endings, and `5.7.51 TenantInboundAttribution; ...` in a long and a short form: only code and the word
behind it are looked for. Mail programs wrap it, put `#` before the code, and repeat the code before the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MATTER = frozenset({"5.7.68", "5.7.51"})
_GAP = r"[\s>|*#.,;:()'\"\[\]-]{0,40}"
_REFUSED = re.compile(
    rf"(?<![\d.])(5\.7\.(?:68|51))(?!\d|\.\d){_GAP}(?:smtp;?{_GAP})?(?:\d{{3}}{_GAP})?(?:5\.7\.(?:68|51){_GAP})?"
    r"Tenant\s{0,4}Inbound\s{0,4}Attribution",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
_MOST = 100


class Refusal(NamedTuple):
    """A code and where in the text it stands."""

    code: str
    start: int
    end: int


def refusals(text: str) -> Iterator[Refusal]:
    """Every place where a text quotes one of the two refusals, the first hundred."""
    for number, found in enumerate(_REFUSED.finditer(text)):
        if number == _MOST:
            return
        yield Refusal(found[1], found.start(), found.end())


def refusal_in(text: str) -> str:
    """The first code that is quoted, "" for none."""
    return next((each.code for each in refusals(text)), "")


def status_in(text: str) -> str:
    """The first enhanced status code of a text (RFC 3463), "" for none."""
    found = _STATUS.search(text)
    return found[1] if found else ""
