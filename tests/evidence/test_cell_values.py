"""Single cells, in the forms exports write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.evidence import values
from sidedoor.evidence.formats.historical import parse_recipient_status
from sidedoor.evidence.values import RowError

Reading = Callable[[str], str | None]
CASES: list[tuple[Reading, str, str | None]] = [
    (values.client_ip, "", ""),
    (values.client_ip, " 203.0.113.5 ", "203.0.113.5"),
    (values.client_ip, "203.0.113.5:25", "203.0.113.5"),
    (values.client_ip, "[203.0.113.5]", "203.0.113.5"),
    (values.client_ip, "[203.0.113.5]:587", "203.0.113.5"),
    (values.client_ip, "::ffff:203.0.113.5", "203.0.113.5"),
    (values.client_ip, "2001:DB8:0:0::25", "2001:db8::25"),
    (values.client_ip, "[IPv6:2001:db8::25]", "2001:db8::25"),
    (values.client_ip, "[2001:db8::25]:25", "2001:db8::25"),
    (values.tls, "No Tls", "none"),
    (values.tls, "No TLS", "none"),
    (values.tls, "TLS1.2", "TLS1.2"),
    (values.tls, "TLS 1.3", "TLS1.3"),
    (values.tls, "SP_PROT_TLS1_2_SERVER", "TLS1.2"),
    (values.tls, "SP_PROT_TLS1_SERVER", "TLS1.0"),
    (values.tls, "TLS1.2 with AES256", "TLS1.2"),
    (values.tls, "SSL3", None),
    (values.tls, "", None),
    (values.connector, "", None),
    (values.connector, r"AM9PR00MB0001\Default AM9PR00MB0001", ""),
    (values.connector, r"AM9PR00MB0001\Client Proxy AM9PR00MB0001", ""),
    (lambda text: values.entry(text, proxied=True), r"AM9PR00MB0001\Default AM9PR00MB0001", "anonymous"),
    (lambda text: values.entry(text, proxied=True), r"AM9PR00MB0001\Client Proxy AM9PR00MB0001", "authenticated"),
    (lambda text: values.entry(text, proxied=True), "Inbound from Hygiene", None),
    (lambda text: values.entry(text, proxied=False), r"AM9PR00MB0001\Default AM9PR00MB0001", None),
    (values.connector, " Inbound from Hygiene ", "Inbound from Hygiene"),
    (values.connector, "Default", "Default"),
    (values.treatment, "FilteredAsSpam", "junked"),
    (values.treatment, " gettingStatus", "pending"),
    (values.treatment, "SomethingNew", None),
    (values.disposition, "sq", "quarantined"),
    (values.disposition, "SN", None),
    (values.direction, "1", "incoming"),
    (values.direction, "2", "originating"),
    (values.direction, "Inbound", "incoming"),
    (values.direction, "Intra-org", "intra-org"),
    (values.direction, "3", None),
    (values.recipient, "Ops@Contoso.COM", "ops@contoso.com"),
    (values.recipient, "ops@bücher.example", "ops@xn--bcher-kva.example"),
    (values.mail_address, "<>", "<>"),
    (values.mail_address, "<Ops@contoso.com>", "ops@contoso.com"),
    (values.mail_address, "Not An Address", "not an address"),  # an ugly sender must not vanish
    (values.message_key, "A1000000-1B62-4D07-DB4F-08DF1A10EE9B", "a1000000-1b62-4d07-db4f-08df1a10ee9b"),
]


@pytest.mark.parametrize(("reading", "text", "value"), CASES)
def test_cell(reading: Reading, text: str, value: str | None) -> None:
    assert reading(text) == value


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (values.client_ip, "999.1.1.1"),
        (values.client_ip, "printer"),
        (values.client_ip, "١.2.3.4"),
        (values.recipient, "nobody"),
        (values.recipient, "a b@contoso.com"),
        (values.recipient, "x" * 5_000 + "@contoso.com"),
        (values.message_key, "two words"),
        (values.message_key, "k" * 200),
    ],
)
def test_a_cell_that_spoils_its_row(reading: Reading, text: str) -> None:
    with pytest.raises(RowError):
        reading(text)


@given(st.text(max_size=80))
def test_any_cell_is_a_value_or_a_row_error(text: str) -> None:
    for reading in {case[0] for case in CASES}:
        try:
            value = reading(text)
        except RowError:
            continue
        assert value is None or isinstance(value, str)


@pytest.mark.parametrize(
    ("listed", "pair"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("<>", ("<>", None)),
        ("A@b.example", (None, "a@b.example")),
    ],
)
def test_a_sender_of_unspecified_kind(listed: str | None, pair: tuple[str | None, str | None]) -> None:
    assert values.sender_pair(listed) == pair


STATUSES = [
    ("a@b.example##Receive, Deliver", [("a@b.example", "delivered")]),
    ("a@b.example##Receive, Send", [("a@b.example", None)]),
    (
        "a@b.example##Receive, Deliver;c@d.example##Receive, Fail",
        [("a@b.example", "delivered"), ("c@d.example", "failed")],
    ),
    ("a@b.example", [("a@b.example", None)]),
    ("a@b.example##;", [("a@b.example", None)]),
    ("", [(None, None)]),
]


@pytest.mark.parametrize(("cell", "found"), STATUSES)
def test_recipient_status(cell: str, found: list[tuple[str | None, str | None]]) -> None:
    assert parse_recipient_status(cell) == found


PARTS = st.tuples(
    st.from_regex(r"[a-z0-9]{1,8}@[a-z]{1,8}\.example", fullmatch=True), st.sampled_from(["Deliver", "Fail", "Send"])
)


@given(st.lists(PARTS, min_size=1, max_size=6))
def test_a_printed_recipient_status_is_read_again(parts: list[tuple[str, str]]) -> None:
    cell = ";".join(f"{address}##Receive, {status}" for address, status in parts)
    fate = {"Deliver": "delivered", "Fail": "failed", "Send": None}
    assert parse_recipient_status(cell) == [(address, fate[status]) for address, status in parts]
