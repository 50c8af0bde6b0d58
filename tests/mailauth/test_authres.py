"""Authentication-Results in Microsoft's form and in RFC 8601's, and the service's other notes on a message."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.network import parse_ip
from sidedoor.mailauth.authres import (
    MAX_RESULTS,
    AuthResults,
    AuthResultsError,
    MethodResult,
    Property,
    Result,
    parse_authentication_results,
)
from sidedoor.mailauth.stamps import (
    attributed_tenant,
    guid,
    parse_connecting_ip,
    parse_received_spf,
    parse_report,
    report_ip,
)

TENANT = "0c0ffee0-1111-4222-8333-444455556666"
MICROSOFT = (
    "spf=fail (sender IP is 192.0.2.66) smtp.mailfrom=contoso.com; dkim=none (message not signed) header.d=none;"
    "dmarc=fail action=oreject header.from=contoso.com;compauth=fail reason=010"
)
# text -> (authserv-id, instance, [(method, word, reason, {property: value})])
FORMS = {
    MICROSOFT: (
        None,
        None,
        [
            ("spf", "fail", None, {"smtp.mailfrom": "contoso.com"}),
            ("dkim", "none", None, {"header.d": "none"}),
            ("dmarc", "fail", None, {"action": "oreject", "header.from": "contoso.com"}),
            ("compauth", "fail", "010", {}),
        ],
    ),
    "spf=pass (sender IP is 2001:db8::1)\t smtp.mailfrom=a.example;dkim=pass (signature was verified) "
    "header.d=a.example; dkim=fail (body hash did not verify) header.d=b.example;"
    "dmarc=bestguesspass action=none header.from=a.example;": (
        None,
        None,
        [
            ("spf", "pass", None, {"smtp.mailfrom": "a.example"}),
            ("dkim", "pass", None, {"header.d": "a.example"}),
            ("dkim", "fail", None, {"header.d": "b.example"}),
            ("dmarc", "bestguesspass", None, {"action": "none", "header.from": "a.example"}),
        ],
    ),
    "i=1; mx.example 1; spf=pass smtp.mailfrom=a@b.example; arc=none": (
        "mx.example",
        1,
        [("spf", "pass", None, {"smtp.mailfrom": "a@b.example"}), ("arc", "none", None, {})],
    ),
    "example.com; none": ("example.com", None, []),
    "none": (None, None, []),
    'example.com; spf=pass smtp.mailfrom="joe smith"@b.example; '
    'DKIM/1=Pass reason="good (really)" header.i=@b.example': (
        "example.com",
        None,
        [
            ("spf", "pass", None, {"smtp.mailfrom": "joe smith@b.example"}),
            ("dkim", "pass", "good (really)", {"header.i": "@b.example"}),
        ],
    ),
    "foo.example.net (bar) 1 (baz); dkim (one) / 1 (two) = (three) fail policy (four) . (five) expired (six) = 1": None,
    "mx.microsoft.com 1; spf=none (sender ip is ) smtp.mailfrom=x.example; x.example; "
    "dkim = none (not signed) header.d=none": (
        "mx.microsoft.com",
        None,
        [
            ("spf", "none", None, {"smtp.mailfrom": "x.example"}),
            ("dkim", "none", None, {"header.d": "none"}),
        ],
    ),
    "dkim=pass header.d=a.example header.b=AbC/d+e==": (
        None,
        None,
        [("dkim", "pass", None, {"header.d": "a.example", "header.b": "AbC/d+e=="})],
    ),
}


@pytest.mark.parametrize("text", FORMS, ids=range(len(FORMS)))
def test_both_forms_and_what_lies_between(text: str) -> None:
    parsed = parse_authentication_results(text)
    expected = FORMS[text]
    if expected is None:  # comments inside a property's name (RFC 8601 appendix B.7): read without error, as no result
        assert parsed.authserv_id == "foo.example.net"
        return
    found = [
        (
            each.method,
            each.word,
            each.reason,
            {f"{part.ptype}.{part.name}".lstrip("."): part.value for part in each.properties},
        )
        for each in parsed.results
    ]
    assert (parsed.authserv_id, parsed.instance, found) == expected
    assert parse_authentication_results(str(parsed)) == parsed


def test_typed_answers() -> None:
    parsed = parse_authentication_results(MICROSOFT)
    assert [each.result for each in parsed.results] == [Result.FAIL, Result.NONE, Result.FAIL, Result.FAIL]
    assert parsed.of("spf")[0].value("smtp", "mailfrom") == "contoso.com"
    assert parsed.of("spf")[0].comments == ("sender IP is 192.0.2.66",)
    assert parsed.of("dmarc")[0].value("smtp", "nothing") is None
    assert parse_authentication_results("dkim=shiny").results[0].result is None


words = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True).filter(lambda word: word != "none")
values = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=20)
comments = st.text(st.sampled_from('abc 019.=;:/-()\\"'), max_size=12).map(str.strip)
properties = st.builds(
    Property, st.sampled_from(["smtp", "header", "policy", ""]), words.filter(lambda w: w != "reason"), values
)
results = st.builds(
    MethodResult,
    words.filter(lambda word: word != "i"),
    words,
    st.none() | st.integers(0, 99),
    st.none() | values,
    st.lists(comments, max_size=2).map(tuple),
    st.lists(properties, max_size=3).map(tuple),
)
fields = st.builds(
    AuthResults,
    st.lists(results, max_size=4).map(tuple),
    words,
    st.none() | st.integers(0, 99),
    st.none() | st.integers(1, 50),
)


@settings(max_examples=150, deadline=None)
@given(fields)
def test_what_is_printed_reads_back(field: AuthResults) -> None:
    assert parse_authentication_results(str(field)) == field


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('()\\";= .@/abi1\t\n\x00é')) | st.text())
def test_any_text_is_results_or_our_error(text: str) -> None:
    try:
        parsed = parse_authentication_results(text)
    except AuthResultsError:
        return
    assert parse_authentication_results(str(parsed)).results == parsed.results


@pytest.mark.parametrize(
    "text",
    ["(" * MAX_RESULTS, "a=(" * 5_000,
     '"' * MAX_RESULTS, '\\"' * 8_000, "=" * MAX_RESULTS, "a " * 8_000, "a=b;" * 4_000,
     "(a)" * 5_000, "x=y " * 4_000, " " * MAX_RESULTS, "a" * (MAX_RESULTS + 1), "(\\" * 8_000],
    ids=range(12),
)  # fmt: skip
def test_hostile_text_takes_no_time(text: str) -> None:
    started = time.process_time()
    try:
        parse_authentication_results(text)
    except AuthResultsError as error:
        assert len(str(error)) < 200  # noqa: PT017
    assert time.process_time() - started < 0.5


def test_the_report_is_cut_at_the_first_colon() -> None:
    report = parse_report("CIP:2001:db8:10::25;CTRY:;LANG:en; SCL:5 ;H:[127.0.0.1];SCL:9;SFS:(1)(2);DIR:INB;")
    assert report == {
        "CIP": "2001:db8:10::25",
        "CTRY": "", "LANG": "en", "SCL": "5", "H": "[127.0.0.1]", "SFS": "(1)(2)", "DIR": "INB"
    }  # fmt: skip
    assert report_ip(report) == parse_ip("2001:db8:10::25")
    assert report_ip({"CIP": "nowhere"}) is None
    assert parse_report("nothing at all") == {}


def test_the_connecting_address() -> None:
    found = parse_connecting_ip(f"TenantId={TENANT.upper()};Ip=[198.51.100.77];Helo=[mx7.hygiene.example]")
    assert found is not None
    assert (found.tenant_id, str(found.client_ip), found.helo) == (TENANT, "198.51.100.77", "mx7.hygiene.example")
    bare = parse_connecting_ip(f"TenantId={TENANT};Ip=[];Helo=[]")
    assert bare is not None
    assert (bare.client_ip, bare.helo) == (None, None)
    assert parse_connecting_ip("Helo=[x]") is None


def test_received_spf() -> None:
    found = parse_received_spf(
        "Fail (protection.outlook.com: domain of contoso.com) receiver=x; client-ip=192.0.2.66; helo=[127.0.0.1];"
    )
    assert found is not None
    assert (found.word, str(found.client_ip), found.helo, found.envelope_from) == (
        "fail",
        "192.0.2.66",
        "[127.0.0.1]",
        None,
    )
    assert parse_received_spf("(") is None


def test_tenants() -> None:
    assert attributed_tenant(f"{TENANT}:0") == guid("{" + TENANT + "}") == TENANT
    assert attributed_tenant("tenant:0") is None


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_stamps_never_raise(text: str) -> None:
    parse_report(text)
    parse_connecting_ip(text)
    parse_received_spf(text)
    attributed_tenant(text)
