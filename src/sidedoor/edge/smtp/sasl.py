"""SASL as SMTP carries it (RFC 4954): PLAIN (RFC 4616) and LOGIN, which Outlook and printers use."""

from __future__ import annotations

import base64
import binascii

from sidedoor.edge.smtp.events import Login

MECHANISMS = ("PLAIN", "LOGIN")
_ASK = {"PLAIN": ("",), "LOGIN": ("Username:", "Password:")}


class SaslError(ValueError):
    """The client's answer cannot be read."""


class Dialogue:
    """Challenges and answers of one attempt."""

    def __init__(self, mechanism: str) -> None:
        self._mechanism = mechanism
        self._answers: list[str] = []

    @property
    def challenge(self) -> str:
        """What to ask next, in base64."""
        return base64.b64encode(_ASK[self._mechanism][len(self._answers)].encode()).decode()

    def answer(self, line: bytes) -> Login | None:
        """Take the answer to the last challenge; the login once all is there. Raises SaslError."""
        try:
            # RFC 4954 section 4: a lone `=` is an empty initial response.
            text = base64.b64decode(b"" if line == b"=" else line, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise SaslError("no base64 of UTF-8") from error
        self._answers.append(text)
        if len(self._answers) < len(_ASK[self._mechanism]):
            return None
        if self._mechanism == "LOGIN":
            return Login(*self._answers)
        return _plain(text)


def _plain(text: str) -> Login:
    """`authzid NUL authcid NUL passwd`; acting for another (authzid) is not offered."""
    parts = text.split("\0")
    if len(parts) != 3 or not parts[1] or parts[0] not in {"", parts[1]}:
        raise SaslError("no PLAIN message")
    return Login(parts[1], parts[2])
