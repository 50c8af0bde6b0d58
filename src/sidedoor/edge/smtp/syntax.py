"""Arguments of SMTP commands (RFC 5321 section 4.1): paths with their parameters, names after EHLO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from sidedoor.mail.address import NULL_REVERSE_PATH, Address, AddressError, EnvelopeSender, parse_address

_MOST_PATH = 1_024
# A quoted local part may hold `>`; devices leave out the angle brackets or put a space after the colon, and Exchange
# takes both. A source route is to be ignored (RFC 5321 section 4.1.1.3).
_PATH = re.compile(
    r"(?:FROM|TO): *(?:<(?:@[^:<>\"]*:)?(?P<path>(?:\"(?:[^\"\\]|\\.)*\"|[^<>\" ])*)>|(?P<bare>[^<>\" ]+))"
    r"(?P<rest>(?: .*)?)",
    re.IGNORECASE,
)
# RFC 5321 section 4.1.2: esmtp-keyword and esmtp-value.
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00- =\x7f]+))?")
# RFC 6531 leaves non-ASCII to the addresses; a name after EHLO is what the client says, for logs and trace fields.
_HELO = re.compile(r"[!-~]{1,255}")


class CommandError(ValueError):
    """The argument is malformed; the message is not for the client."""


class Path(NamedTuple):
    """`text` between the angle brackets, and the parameters by name in upper case ("" for one without a value)."""

    text: str
    parameters: Mapping[str, str]


@lru_cache(maxsize=4_096)
def parse_path(argument: bytes, word: str) -> Path:
    """Read `FROM:<path> KEY=VALUE ...` (`word` is FROM or TO). Raises CommandError."""
    try:
        text = argument.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandError("neither ASCII nor UTF-8") from error
    match = _PATH.fullmatch(text)
    if match is None or not text[: len(word)].upper() == word:
        raise CommandError("no path")
    path = match["path"] if match["bare"] is None else match["bare"]
    if len(path) > _MOST_PATH:
        raise CommandError("a path too long")
    return Path(path, _parameters(match["rest"]))


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None or match[1].upper() in found:
            raise CommandError("malformed parameters")
        found[match[1].upper()] = match[2] or ""
    return found


@lru_cache(maxsize=4_096)
def address_of(text: str) -> Address:
    """The address of a path. Raises AddressError, also for an address literal: no tenant hosts one."""
    return parse_address(text)


def sender_of(text: str) -> EnvelopeSender:
    """The envelope sender of a path, `<>` being the null reverse-path. Raises AddressError."""
    return address_of(text) if text else NULL_REVERSE_PATH


def hello_name(argument: bytes) -> str:
    """The name after EHLO or HELO. Raises CommandError where there is none, or no ASCII word.

    It is not checked further: RFC 5321 section 4.1.4 forbids to refuse a client for a name that does not fit, and
    printers say all kinds of things.
    """
    text = argument.decode("ascii", errors="replace").strip()
    if not _HELO.fullmatch(text):
        raise CommandError("no name")
    return text


__all__ = ["AddressError", "CommandError", "Path", "address_of", "hello_name", "parse_path", "sender_of"]
