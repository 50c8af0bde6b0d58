"""Domains of the invented tenant. All but the main one are derived from it."""

from __future__ import annotations

from collections.abc import Mapping


def first_label(domain: str) -> str:
    """`contoso` of `contoso.com`."""
    return domain.partition(".")[0]


def legacy_domain(domain: str) -> str:
    """A domain of a company bought long ago; a label has at most 63 octets (RFC 1035 section 2.3.4)."""
    return f"legacy-{first_label(domain)[:50]}.example"


def filtered_domain(domain: str) -> str:
    """The shop's domain, whose MX leads to a mail filter of somebody else."""
    return f"shop-{first_label(domain)[:50]}.example"


def placeholders(domain: str) -> Mapping[str, str]:
    """What `{d}` and `{f}` in `population` stand for."""
    return {"d": domain, "f": filtered_domain(domain)}
