"""The content of a message: octets up to CRLF.CRLF, found by `find` and never line by line.

Only CRLF.CRLF ends it (RFC 5321 section 4.1.1.4). A lone CR or LF anywhere makes the whole content unwelcome, so that
nobody behind can find an end of data where there was none.
"""

from __future__ import annotations

from sidedoor.edge.smtp.replies import BARE_IN_CONTENT, NUL_IN_CONTENT, TOO_BIG
from sidedoor.mail.reply import Reply

_END = b"\r\n.\r\n"


class DataReader:
    """Finds the end in a growing buffer. `octets` counts what has come in, the dropped part of a big message too."""

    __slots__ = ("_dropped", "_limit", "_searched", "octets")

    def __init__(self, limit: int) -> None:
        self._limit, self._dropped, self._searched, self.octets = limit, False, 0, 0

    def read(self, buffer: bytearray) -> bytes | Reply | None:
        """Take the content out of the front of `buffer`: the octets, a refusal, or None where its end is not there yet.

        Of a message that is too big only the last octets stay in the buffer.
        """
        end = self._find(buffer)
        if end < 0:
            self._wait(buffer)
            return None
        if end > self._limit or self._dropped:
            self.octets += end
            del buffer[: end + 3]
            return TOO_BIG
        with memoryview(buffer) as view:
            content = bytes(view[:end])
        del buffer[: end + 3]
        self.octets = end
        return unstuffed(content)

    def _find(self, buffer: bytearray) -> int:
        """Where the content ends, its last CRLF included; -1 for not yet."""
        if self._searched == 0 and not self._dropped and buffer.startswith(b".\r\n"):
            return 0
        at = buffer.find(_END, self._searched)
        return at + 2 if at >= 0 else -1

    def _wait(self, buffer: bytearray) -> None:
        if len(buffer) > self._limit + len(_END):
            self._dropped = True
            self.octets += len(buffer) - 4
            del buffer[:-4]
        # The first three octets may yet become `.CRLF`.
        self._searched = max(0, len(buffer) - 4) if len(buffer) > 2 else 0


def unstuffed(content: bytes) -> bytes | Reply:
    """The content with its dots unstuffed (RFC 5321 section 4.5.2), or why it is refused."""
    pairs = content.count(b"\r\n")
    if content.count(b"\n") != pairs or content.count(b"\r") != pairs:
        return BARE_IN_CONTENT
    if b"\0" in content:
        return NUL_IN_CONTENT
    if content.startswith(b"."):
        content = content[1:]
    return content.replace(b"\r\n.", b"\r\n") if b"\r\n." in content else content
