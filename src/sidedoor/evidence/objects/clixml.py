"""Export-Clixml: PowerShell's serialisation (MS-PSRP section 2.2.5), read from strangers.

No DTD, no entities (defusedxml); bounded depth and size; objects that refer to each other are resolved, cycles cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from sidedoor.errors import InputError
from sidedoor.evidence.objects.limits import MAX_DEPTH, MAX_OBJECT, ObjectError, tidy
from sidedoor.evidence.text import encoding_of, open_text, unreadable

_EXPECTED = "Export-Clixml"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"<Ref\b[^>]{0,80}?\bRefId=[\"'](\d{1,9})[\"']")
_OVERLAP = 200
_MAX_XML_DEPTH = MAX_DEPTH * 4  # each object has its own Obj, MS or LST, DCT, En around a value
_LISTS = {"LST", "IE", "QUE", "STK"}
_WHOLE = dict.fromkeys(("I16", "I32", "I64", "By", "SB", "U16", "U32", "U64"), int)
_PARSERS: Mapping[str, Callable[[str], object]] = {
    **_WHOLE,
    "B": lambda text: text.strip().lower() == "true",
    "C": lambda text: chr(int(text)),
    "Db": float,
    "Sg": float,
    "D": float,
}


def clixml_objects(path: Path) -> Iterator[dict[str, object]]:
    """The top-level objects, those of a serialised list included. Raises InputError; complete objects come first."""
    try:
        wanted = _referenced(path)
        with path.open("rb") as handle:
            yield from _objects(_Bounded(handle, _mark(path)), _Values(wanted))
    except ParseError as error:
        line = error.position[0]
        raise InputError(str(path), f"XML that is damaged or cut off ({error.msg})", _EXPECTED, line) from error
    except DefusedXmlException as error:
        raise InputError(str(path), "a DTD or entity declaration", f"{_EXPECTED}, which has none") from error
    except (ObjectError, ValueError, OverflowError, LookupError) as error:
        raise InputError(str(path), str(error)[:200], _EXPECTED) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _referenced(path: Path) -> frozenset[str]:
    """RefIds that some `<Ref>` names: only their objects need to be kept while reading on."""
    found: set[str] = set()
    with open_text(path) as handle:
        tail = ""
        while chunk := handle.read(1 << 20):
            found.update(_REFERENCE.findall(tail + chunk))
            tail = chunk[-_OVERLAP:]
            if len(found) > 100_000:
                raise ObjectError("more than 100,000 references between objects")
    return frozenset(found)


def _mark(path: Path) -> bytes:
    """The byte order mark that expat needs and the file lacks."""
    return {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding_of(path), b"")


class _Bounded:
    """A file that refuses to be read on while no object comes to its end."""

    def __init__(self, handle: IO[bytes], mark: bytes) -> None:
        self._handle, self._pending, self.since_object = handle, mark, 0

    def read(self, size: int = -1) -> bytes:
        data = self._pending + self._handle.read(size)
        self._pending = b""
        self.since_object += len(data)
        if self.since_object > MAX_OBJECT:
            raise ObjectError(f"an object of more than {MAX_OBJECT:,} bytes")
        return data


def _objects(source: _Bounded, values: _Values) -> Iterator[dict[str, object]]:
    depth, root = 0, None
    for event, element in iterparse(source, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            depth += 1
            root = element if root is None else root
            if depth > _MAX_XML_DEPTH:
                raise ObjectError(f"elements more than {_MAX_XML_DEPTH} levels deep")
            continue
        depth -= 1
        if depth == 1 and root is not None:
            source.since_object = 0
            yield from _rows(values.of(element, 0))
            root.clear()


def _rows(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield tidy(value)
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, dict):
                yield tidy(entry)


class _Values:
    """Turns elements into values; remembers objects that are referred to and the type names that are shared."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._seen: dict[str, object] = {}

    def of(self, element: Element, depth: int) -> object:
        if depth > MAX_DEPTH:
            raise ObjectError(f"an object more than {MAX_DEPTH} levels deep")
        tag = _local(element)
        if tag == "Nil":
            return None
        if tag == "Ref":
            return self._seen.get(element.get("RefId", ""))  # None for a cycle: the object is not complete yet
        if tag != "Obj":
            return _primitive(tag, element)
        value = self._object(element, depth)
        if (ref := element.get("RefId", "")) in self._wanted:
            self._seen[ref] = value
        return value

    def _object(self, element: Element, depth: int) -> object:
        children = {_local(child): child for child in element}
        for tag, child in children.items():
            if tag in _LISTS:
                return [self.of(entry, depth + 1) for entry in child]
        if "DCT" in children:
            return self._dictionary(children["DCT"], depth)
        shown = decode_escapes(children["ToString"].text or "") if "ToString" in children else None
        primitive = next((child for tag, child in children.items() if tag in _SCALARS), None)
        if primitive is not None:  # an enum carries its number too: the name is what other exports show
            return shown if shown is not None else _primitive(_local(primitive), primitive)
        if shown is not None and depth and not _is_type_name(shown):
            return shown
        return self._properties(children, depth)

    def _properties(self, children: Mapping[str, Element], depth: int) -> dict[str, object]:
        """Adapted properties (Props) and those that PowerShell added (MS)."""
        return {
            decode_escapes(member.get("N", "")): self.of(member, depth + 1)
            for tag in ("Props", "MS")
            for member in children.get(tag, ())
        }

    def _dictionary(self, element: Element, depth: int) -> dict[str, object]:
        found = {}
        for entry in element:
            named = {child.get("N"): child for child in entry}
            if "Key" in named and "Value" in named:
                found[str(self.of(named["Key"], depth + 1))] = self.of(named["Value"], depth + 1)
        return found


_SCALARS = {*_PARSERS, "S", "DT", "G", "URI", "TS", "Version", "XD", "SBK", "BA"}


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _is_type_name(shown: str) -> bool:
    """ToString of an object without a text of its own: `System.Collections.Hashtable`, `Deserialized.Microsoft...`."""
    return bool(re.fullmatch(r"(?:System|Microsoft|Deserialized|Selected)\.[\w.`\[\], ]+", shown))


def _primitive(tag: str, element: Element) -> object:
    text = element.text or ""
    parser = _PARSERS.get(tag)
    return parser(text) if parser else decode_escapes(text)


def decode_escapes(text: str) -> str:
    """`_x000A_` and its kin are UTF-16 code units that XML cannot hold (MS-PSRP section 2.2.5.3.2)."""
    if "_x" not in text:
        return text
    decoded = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
