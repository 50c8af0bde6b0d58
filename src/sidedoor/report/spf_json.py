"""`sidedoor spf --json`: `sidedoor/spf/1`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidedoor.mailauth.spf import SpfEvidence
from sidedoor.mailauth.spf.tree import Branch, Covered, Leaf
from sidedoor.mailauth.spf.walk import MAX_LOOKUPS
from sidedoor.report.spf_answer import OPINIONS, SpfAnswer
from sidedoor.report.text import without_surrogates

SCHEMA = "sidedoor/spf/1"


def spf_json(answer: SpfAnswer) -> dict[str, Any]:
    """The answer as plain values. Texts from DNS stand as they are: JSON escapes what a terminal would obey."""
    rest = answer.rest
    return {
        "schema": SCHEMA,
        "domain": answer.spf.domain,
        "lookups": {"used": answer.tree.lookups, "limit": MAX_LOOKUPS},
        "everybody_else": evidence_json(rest) if rest else None,
        "tree": _branch(answer, answer.tree),
        "findings": [
            {"id": each.id, "domain": each.domain, "text": without_surrogates(each.text), "advice": each.advice}
            for each in answer.findings
        ],
        "opinions": [{"says": each.says, "source": each.source} for each in OPINIONS],
        "covers": [{"ip": ip, **evidence_json(evidence)} for ip, evidence in answer.covers],
    }


def evidence_json(evidence: SpfEvidence) -> dict[str, Any]:
    """What the record says of one address."""
    return {
        "result": evidence.result.value,
        "path": [{"domain": domain, "term": term} for domain, term in evidence.path],
        "cause": evidence.cause,
        "owner": evidence.owner,
        "needs_message": evidence.needs_message,
        "explanation": evidence.explanation,
    }


def _branch(answer: SpfAnswer, branch: Branch) -> Mapping[str, Any]:
    return {
        "domain": branch.domain,
        "term": branch.term,
        "record": None if branch.record is None else str(branch.record),
        "trouble": None if branch.trouble is None else evidence_json(branch.trouble),
        "owner": branch.owner,
        "service": answer.name_of(branch.domain) if branch.owner else None,
        "lookups": branch.lookups,
        **_covered(branch.covered),
        "parts": [_branch(answer, part) if isinstance(part, Branch) else _leaf(part) for part in branch.parts],
    }


def _leaf(leaf: Leaf) -> Mapping[str, Any]:
    return {"term": str(leaf.term), "lookups": leaf.lookups, **_covered(leaf.covered)}


def _covered(covered: Covered) -> dict[str, int]:
    return {"ipv4_addresses": covered.ip4, "ipv6_64_networks": covered.ip6_64s}
