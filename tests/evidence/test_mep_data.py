"""The XML of a trace detail's Data column: print then parse; strangers' XML harms nobody."""

from __future__ import annotations

import string
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.evidence.mep import parse_mep
from sidedoor.evidence.values import RowError

NAMES = st.text(string.ascii_letters, min_size=1, max_size=12)
# XML 1.0 holds no control characters, and attributes fold white space.
VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=40
)
KINDS = st.sampled_from(["String", "Blob", "Integer", "Long", "Double", "Bool", "DateTime"])


@given(st.dictionaries(NAMES, st.tuples(KINDS, VALUES), max_size=6))
def test_what_is_printed_is_parsed_again(values: dict[str, tuple[str, str]]) -> None:
    elements = (f"<MEP Name={quoteattr(name)} {kind}={quoteattr(value)} />" for name, (kind, value) in values.items())
    assert parse_mep(f"<root>{''.join(elements)}</root>") == {name: value for name, (_, value) in values.items()}


@given(st.text(max_size=60) | st.text(alphabet="<>/rotMEP= \"'&;Namex", max_size=60).map(lambda text: "<root>" + text))
def test_any_text_is_a_mapping_or_a_row_error(text: str) -> None:
    try:
        found = parse_mep(text)
    except RowError:
        return
    assert all(isinstance(value, str) for value in found.values())


BOMB = '<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><root><MEP Name="N" String="&b;"/></root>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><root><MEP Name="N" String="v"/>&a;</root>'


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, "<root>", "<root><MEP", "<a>" * 50_000, "<root/>" + " " * 3 + "x"])
def test_hostile_xml_rejects_the_row(text: str) -> None:
    with pytest.raises(RowError, match="Data"):
        parse_mep(text)


def test_a_cell_without_xml_tells_nothing() -> None:
    assert parse_mep("") == parse_mep("System.Object[]") == {}


def test_the_first_of_a_repeated_name_counts() -> None:
    assert parse_mep('<root><MEP Name="A" String="1"/><MEP Name="A" Long="2"/><MEP Name="B"/></root>') == {"A": "1"}
