"""The verdict on a sender: a sum of named reasons, held back by two caps and by the rule about names.

1. Without a deed that spoofers do, and authentication that does not pass, no sum makes a spoofer: an honest sender
   may be new, rare or forgotten by SPF.
2. Without passing authentication or a long record, no sum makes a legitimate sender.
3. A verdict must hold with and without the names the sender gives itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from sidedoor.audit import patterns
from sidedoor.audit.context import AssessmentContext
from sidedoor.audit.features import Features, measure
from sidedoor.audit.grouping import SenderGroup
from sidedoor.audit.model import Reason, Verdict
from sidedoor.audit.patterns import Standing
from sidedoor.audit.reasons import LOOKS
from sidedoor.audit.weights import WEIGHTS, ReasonKind, Weights


def assess(
    group: SenderGroup, context: AssessmentContext, weights: Weights = WEIGHTS
) -> tuple[Verdict, float, tuple[Reason, ...]]:
    """(verdict, confidence 0 to 1, reasons, the weightiest first)."""
    return judge(measure(group, context), weights)


def judge(features: Features, weights: Weights = WEIGHTS) -> tuple[Verdict, float, tuple[Reason, ...]]:
    """As `assess`, for measures already taken."""
    reasons = list(reasons_for(features, weights))
    total = _capped(features, math.fsum(reason.weight for reason in reasons), weights)
    nameless = _capped(features, math.fsum(_without_names(reasons, weights)), weights)
    score = min(total, nameless, key=abs) if total * nameless > 0 else 0.0
    verdict = _verdict(score, weights)
    reasons.extend(_notes(features, reasons, verdict, weights))
    reasons.sort(key=lambda reason: -abs(reason.weight))
    return verdict, round(1 / (1 + math.exp(-abs(score) / weights.scale)), 3), tuple(reasons)


def reasons_for(features: Features, weights: Weights = WEIGHTS) -> Iterable[Reason]:
    """Every reason the evidence gives, in the order of the looks."""
    for look in LOOKS:
        for name, values in look(features):
            entry = weights.entries[name]
            if not entry.applies or features.submission in entry.applies:
                yield entry.reason(values)


def _without_names(reasons: Iterable[Reason], weights: Weights) -> Iterable[float]:
    return (reason.weight for reason in reasons if weights.entries[reason.id].kind is not ReasonKind.NAME)


def _capped(features: Features, total: float, weights: Weights) -> float:
    authentication = patterns.standing(features)
    if total <= weights.spoofing and not patterns.charges(features).prove(authentication):
        return weights.spoofing + weights.margin
    if total >= weights.legitimate and authentication is not Standing.PASSES and not patterns.established(features):
        return weights.legitimate - weights.margin
    return total


def _verdict(score: float, weights: Weights) -> Verdict:
    if score >= weights.legitimate:
        return Verdict.LEGITIMATE
    return Verdict.SPOOFING if score <= weights.spoofing else Verdict.UNCLEAR


def _notes(features: Features, reasons: list[Reason], verdict: Verdict, weights: Weights) -> Iterable[Reason]:
    """Say which cap held a sum back."""
    if verdict is not Verdict.UNCLEAR:
        return
    total = math.fsum(reason.weight for reason in reasons)
    capped = _capped(features, total, weights)
    if total < capped:
        yield weights.entries["not-enough-against"].reason({})
    elif total > capped:
        yield weights.entries["not-enough-for"].reason({})
    elif _verdict(total, weights) is not verdict:
        yield weights.entries["name-alone"].reason({})
