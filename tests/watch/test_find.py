"""The tables: for each kind what must raise it and what must not, and that nothing else is found beside."""

from __future__ import annotations

from collections import Counter

import pytest

from sidedoor.watch.find import find
from sidedoor.watch.kinds import KINDS
from sidedoor.watch.sight import Thresholds
from tests.watch import cases_rest, cases_senders, cases_settings
from tests.watch.case import Case
from tests.watch.kit import found

CASES = [*cases_senders.CASES, *cases_settings.CASES, *cases_rest.CASES]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exactly_this_is_found(case: Case) -> None:
    told = found(find(case.sees, case.baseline, Thresholds()))
    if case.also:
        told = {key: value for key, value in told.items() if key in case.expected or key[0] == case.kind}
    assert told == case.expected


def test_every_kind_has_a_case_that_raises_it_and_one_that_does_not() -> None:
    raised = {kind for case in CASES for kind, _ in case.expected}
    assert raised == set(KINDS)
    calm = Counter(case.kind for case in CASES if case.kind not in {kind for kind, _ in case.expected})
    assert set(KINDS) <= set(calm)


def test_every_severity_that_is_announced_is_met_and_no_other() -> None:
    met: dict[str, set[str]] = {}
    for case in CASES:
        for (kind, _), severity in case.expected.items():
            met.setdefault(kind, set()).add(severity)
    assert met == {kind: {severity.value for severity in info.severities} for kind, info in KINDS.items()}
