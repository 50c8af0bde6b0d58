"""Refusals quoted in prose: what Postfix, Exim, sendmail, qmail, Exchange, Gmail and devices write for people.

Each program words its reports in its own way and in many languages; the quoted answer of the server is always the
same. So the answer is looked for, and recipient and server are the nearest ones before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sidedoor.evidence.bounces.codes import refusals

_BEFORE, _BEHIND = 1_500, 300  # characters around a quoted answer that may tell about it
_LEAD = 40  # characters before the code that belong to the answer: `550`, `Remote host said:`
_MOST_ADDRESSES = 200
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,120}@[A-Za-z0-9.-]{1,190}[A-Za-z0-9]")
_RCPT = re.compile(r"rcpt to:\s{0,3}<?([^\s<>@]{1,120}@[^\s<>]{1,190}?)>?(?=[\s:>]|\Z)", re.IGNORECASE)
_IP = r"\[?(\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})\]?"
# How programs name the server whose answer they quote.
_SERVERS = (
    re.compile(r"\bhost\s{1,3}([A-Za-z0-9.-]{3,253})\s{0,3}\[[0-9A-Fa-f.:]{2,45}\]", re.IGNORECASE),  # Postfix, Exim
    re.compile(r"while talking to\s{1,3}\[?([A-Za-z0-9.-]{3,253}?)\.?\]?:", re.IGNORECASE),  # sendmail
    re.compile(r"(?:rejected by|remote server)[:\s]{1,5}([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){2,10})", re.IGNORECASE),
    re.compile(_IP + r"\s(?:does not like|failed after|said)", re.IGNORECASE),  # qmail
    re.compile(r"([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,3}\.mail\.protection\.outlook\.com)", re.IGNORECASE),
)  # fmt: skip
_SPACE = re.compile(r"\s+")


class Quoted(NamedTuple):
    """One quoted refusal: code, the answer as it stands there, recipient and server as far as they are named."""

    code: str
    answer: str
    recipient: str
    server: str


def quoted(text: str) -> Iterator[Quoted]:
    """The refusals of a text, one for each recipient they name."""
    found = list(refusals(text))
    stops = [0, *(each.end for each in found)]
    for refusal, stop in zip(found, stops, strict=False):
        before = text[max(stop, refusal.start - _BEFORE) : refusal.start]
        line = text.rfind("\n", 0, refusal.start) + 1
        start = text.find(" ", refusal.start - _LEAD, refusal.start) if line < refusal.start - _LEAD else line
        answer = _one_line(text[max(start, line) : refusal.end + _BEHIND])
        yield Quoted(refusal.code, answer, recipient_in(before), server_in(before + text[refusal.start :][:_BEHIND]))


def recipient_in(before: str) -> str:
    """The address that an answer behind `before` is about: that of RCPT TO, else the last one; "" for none."""
    commands = _RCPT.findall(before)
    if commands:
        return str(commands[-1])
    last = ""
    for number, found in enumerate(_ADDRESS.finditer(before)):
        if number == _MOST_ADDRESSES:
            break
        last = found[0]
    return last.rstrip(".")


def server_in(text: str) -> str:
    """The server that is named last before an answer, in the words of the program that is the surest; "" for none."""
    for pattern in _SERVERS:
        if found := pattern.findall(text):
            return str(found[-1]).rstrip(".")
    return ""


def _one_line(text: str) -> str:
    """Up to the next blank line, without line ends."""
    return _SPACE.sub(" ", re.split(r"\n[ \t]*\n", text, maxsplit=1)[0]).strip(" <>|*")
