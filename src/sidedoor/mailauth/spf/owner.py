"""Who runs a name: `salesforce.com` for `_spf.salesforce.com`.

A short heuristic, for names in a report, not for security: the public suffix list is large, changes weekly, and the
names that SPF records include are those of a few hundred mail services. The registrable name is the last two labels,
three where the second-level label is one that registries use (`co.uk`, `com.au`, `or.jp`) or the pair is listed below.
"""

from __future__ import annotations

_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "mil", "ne", "net", "nom", "or", "org"})
# Names under which strangers register: private registries and large hosts seen in SPF records.
_PAIRS = frozenset(
    {
        "br.com", "cn.com", "de.com", "eu.com", "gb.net", "jpn.com", "ru.com", "se.net", "uk.com", "uk.net", "us.com",
        "za.com", "ltd.uk", "me.uk", "nhs.uk", "plc.uk", "police.uk", "sch.uk", "asn.au", "id.au", "ad.jp", "ed.jp",
        "lg.jp", "school.nz", "govt.nz", "iwi.nz", "azurewebsites.net", "cloudapp.net", "github.io", "herokuapp.com",
    }
)  # fmt: skip


def owner_of(name: str) -> str:
    """The registrable-looking part of a DNS name, lower case; the whole name where it has no more labels."""
    labels = name.lower().removesuffix(".").split(".")
    return ".".join(labels[-_registrable_labels(labels) :])


def _registrable_labels(labels: list[str]) -> int:
    if len(labels) < 3:
        return 2
    country = len(labels[-1]) == 2
    return 3 if (country and labels[-2] in _SECOND_LEVEL) or ".".join(labels[-2:]) in _PAIRS else 2
