"""The transport header inside an Outlook .msg file ([MS-OXMSG], property PidTagTransportMessageHeaders 0x007D).

A .msg is a compound file; the library olefile reads its tables and stops at cycles. What it takes is bounded here:
the file's size before, the stream's size after it is found.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.evidence.message.fields import MAX_HEADER, MessageError

if TYPE_CHECKING:
    import olefile

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How every compound file begins ([MS-CFB] section 2.2)."""
_MAX_FILE = 256 << 20  # Exchange Online takes at most 150 MB a message
_UNICODE, _ANSI = "__substg1.0_007D001F", "__substg1.0_007D001E"
_PROPERTIES = "__properties_version1.0"
# What olefile and struct raise for damaged tables.
_DAMAGE = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    struct.error,
    RecursionError,
    MemoryError,
)


def transport_header(source: Path | bytes) -> bytes:
    """The header as UTF-8. Raises MessageError for a compound file that is no message, is damaged, or has no header."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > _MAX_FILE:
        raise MessageError(f"a .msg of {size:,} bytes; {_MAX_FILE:,} is the most")
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as compound:
            return _header(compound)
    except MessageError:
        raise
    except _DAMAGE as error:
        raise MessageError(f"a damaged compound file ({str(error)[:100] or type(error).__name__})") from error


def _header(compound: olefile.OleFileIO[str]) -> bytes:
    if not compound.exists(_PROPERTIES):
        raise MessageError("a compound file that is no Outlook message")
    name = next((each for each in (_UNICODE, _ANSI) if compound.exists(each)), None)
    if name is None:
        raise MessageError("a .msg without transport headers: it was not received from outside, or never sent")
    if compound.get_size(name) > 2 * MAX_HEADER:
        raise MessageError(f"a header of more than {MAX_HEADER:,} bytes")
    data = compound.openstream(name).read(2 * MAX_HEADER + 2)
    text = data.decode("utf-16-le" if name == _UNICODE else "cp1252", errors="replace")
    return text.rstrip("\0").encode("utf-8", errors="replace")
