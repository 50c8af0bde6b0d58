"""The Data column of a trace detail: `<root><MEP Name="ReturnPath" String="a@b" />...</root>`.

The attribute that holds the value is named after its type: String, Integer, Long, Blob, Double, Bool or DateTime.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sidedoor.evidence.values import MAX_CELL, RowError

_TYPES = ("String", "Blob", "Integer", "Long", "Double", "Bool", "DateTime")


def parse_mep(text: str) -> Mapping[str, str]:
    """Name to value, the first of a repeated name; empty where the cell holds no XML.

    Raises RowError for XML that is malformed, too long, or that defines entities.
    """
    bare = text.strip()
    if not bare.startswith("<"):
        return {}
    if len(bare) > MAX_CELL:
        raise RowError(f"Data of {len(bare)} characters; {MAX_CELL} is the most")
    try:
        root = fromstring(bare)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise RowError(f"Data is no well-formed XML ({type(error).__name__})") from error
    found: dict[str, str] = {}
    for element in root.iter("MEP"):
        value = next((element.attrib[kind] for kind in _TYPES if kind in element.attrib), None)
        if value is not None:
            found.setdefault(element.get("Name", ""), value)
    return found
