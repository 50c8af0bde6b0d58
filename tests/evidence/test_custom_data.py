"""custom_data: print then parse gives the same; anything at all parses."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.evidence.customdata import Part, parse_custom_data

NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
# A value may hold anything but the sequence that ends a quoted part.
VALUES = st.text(string.printable, max_size=30).filter(lambda value: "'" not in value)
PLAIN = VALUES.filter(lambda value: ";" not in value)


def printed(parts: list[Part]) -> str:
    texts = [f"S:{part.name}={part.value}" for part in parts]
    return ";".join(f"'{text}'" if ";" in text else text for text in texts)


@given(st.lists(st.builds(Part, NAMES, st.one_of(VALUES, PLAIN)), max_size=8))
def test_what_is_printed_is_parsed_again(parts: list[Part]) -> None:
    assert list(parse_custom_data(printed(parts))) == parts


@given(st.text(alphabet="S:'=;|ab\\\0 é", max_size=200))
def test_any_text_parses_and_no_character_but_separators_is_lost(text: str) -> None:
    parts = parse_custom_data(text)
    kept = "".join(part.name + part.value for part in parts)
    assert set(kept) <= set(text)
    assert len(kept) <= len(text)


CASES = [
    ("", []),
    ("S:A=b", [("A", "b")]),
    ("S:A=b=c=d", [("A", "b=c=d")]),
    ("S:A=;S:B=x", [("A", ""), ("B", "x")]),
    ("'S:Note=a=b;c=d';S:B=x", [("Note", "a=b;c=d"), ("B", "x")]),
    ("'S:Note=it's;fine';S:B=x", [("Note", "it's;fine"), ("B", "x")]),
    ("'S:Open=a;S:B=x", [("", "'S:Open=a"), ("B", "x")]),
    ("S:A=1;S:A=2", [("A", "1"), ("A", "2")]),
    ("free text;S:A=1", [("", "free text"), ("A", "1")]),
]


@pytest.mark.parametrize(("text", "parts"), CASES)
def test_grammar(text: str, parts: list[tuple[str, str]]) -> None:
    assert list(parse_custom_data(text)) == [Part(*part) for part in parts]


def test_pairs_repeat_and_split_at_the_first_equals_sign() -> None:
    blob = parse_custom_data("S:SFA=SUM|SFS=1|SFS=2|DI=SQ|RD=a=b;S:sfa=EV|DI=SB")
    assert blob[0].pairs == (("SUM", ""), ("SFS", "1"), ("SFS", "2"), ("DI", "SQ"), ("RD", "a=b"))
    assert blob.pair("SFA", "di") == "SQ"
    assert blob.pair("AMA", "di") is None
    assert blob.first("nothing") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("S:InboundConnectorData=Name=Inbound from Hygiene;ConnectorType=Partner", "Inbound from Hygiene"),
        ("'S:InboundConnectorData=Name=From A;ConnectorType=Partner;TenantId=1'", "From A"),
        ("S:InboundConnectorData=Type=Partner|Name=From A|X=1", "From A"),
        ("S:Other=Name=From A", None),
    ],
)
def test_inbound_connector_data_names_the_connector(text: str, name: str | None) -> None:
    assert parse_custom_data(text).connector_name == name


def test_a_blob_of_open_quotes_does_not_take_quadratic_time() -> None:
    started = time.perf_counter()
    parse_custom_data("'S:a;" * 50_000)
    assert time.perf_counter() - started < 2
