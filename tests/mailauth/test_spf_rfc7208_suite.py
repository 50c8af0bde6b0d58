"""The public RFC 7208 test suite, all of it: by check_host, and by a compiled record that is given the message."""

from __future__ import annotations

import pytest

from sidedoor.mailauth.spf import SpfMessage, check_mail_from, compile_spf
from tests.mailauth.suite import Case, cases

CASES = list(cases())
by_name = pytest.mark.parametrize("case", CASES, ids=[f"{case.name} ({case.clause})" for case in CASES])


def test_the_suite_is_complete() -> None:
    assert len(CASES) == 203


@by_name
def test_check_host(case: Case) -> None:
    evidence = check_mail_from(case.ip, case.mail_from, case.helo, case.zone.resolver())
    assert evidence.result.value in case.results, evidence
    assert evidence.cause
    if case.explanation is not None:
        assert (evidence.explanation or "DEFAULT") == case.explanation


@by_name
def test_a_compiled_record_says_the_same(case: Case) -> None:
    message = SpfMessage(case.mail_from, case.helo)
    assert message.identity is not None
    compiled = compile_spf(message.identity[1], case.zone.resolver())
    evidence = compiled.check(case.ip, message, case.zone.resolver())
    assert evidence.result.value in case.results, evidence
    if case.explanation is not None:
        said = compiled.explain(evidence, case.ip, message, case.zone.resolver())
        assert (said or "DEFAULT") == case.explanation
