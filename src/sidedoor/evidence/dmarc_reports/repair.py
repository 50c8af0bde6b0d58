"""Second look at a report that is no XML: what can be mended is, byte by byte as it streams.

Mended are bytes that are no text, control characters, text before the declaration, ampersands that begin no entity, and
`<` that begins no element of a report (`<email><postmaster@example.net></email>`). Missing ends are not made up.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from sidedoor.evidence.text import detect_encoding

_TAIL = 4_096  # characters that a tag may be cut in at a block's end
_ELEMENTS = (
    "feedback|version|report_metadata|org_name|email|extra_contact_info|report_id|date_range|begin|end|error|generator|"
    "policy_published|domain|adkim|aspf|p|sp|np|pct|fo|testing|discovery_method|version_published|"
    "record|row|source_ip|count|policy_evaluated|disposition|dkim|spf|reason|type|comment|"
    "identifiers|identities|envelope_to|envelope_from|header_from|auth_results|selector|result|human_result|scope|"
    "extension|extensions|schema"
)
_STRAY = re.compile(
    rf"<(?!/?(?:[\w.-]{{1,40}}:)?(?:{_ELEMENTS})(?:\s[^<>]{{0,2000}})?/?>|!DOCTYPE|!--|!\[CDATA\[)",
    re.IGNORECASE,
)
_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")  # XML 1.0 section 2.2
_DECLARATION = re.compile(r"<\?[^<>]{0,2000}\?>")
ENCODING = "utf-8"
"""What the repaired bytes are, whatever the declaration had said; it is left out."""


def repaired(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same report as well-formed UTF-8, as far as that is possible, without its XML declaration."""
    pending, started = "", False
    for text in _decoded(blocks):
        pending += text
        if not started:
            if "<" not in pending:
                pending = ""
                continue
            pending, started = pending[pending.index("<") :], True
        cut = _safe_cut(pending)
        yield _mended(pending[:cut])
        pending = pending[cut:]
    yield _mended(pending)


def _decoded(blocks: Iterable[bytes]) -> Iterator[str]:
    decoder = None
    for block in blocks:
        if decoder is None:
            # Where the letters are neither ASCII nor UTF-8, they are shown with marks: no code page is guessed.
            found = detect_encoding(block)
            decoder = codecs.getincrementaldecoder("utf-8" if found == "cp1252" else found)("replace")
        yield decoder.decode(block)
    if decoder is not None:
        yield decoder.decode(b"", final=True)


def _safe_cut(text: str) -> int:
    """Where no tag and no entity is cut in two: behind the last `>`, but never far from the end."""
    return max(text.rfind(">") + 1, len(text) - _TAIL)


def _mended(text: str) -> bytes:
    clean = _FORBIDDEN.sub("", _DECLARATION.sub("", text))
    return _STRAY.sub("&lt;", _AMPERSAND.sub("&amp;", clean)).encode(ENCODING, "replace")
