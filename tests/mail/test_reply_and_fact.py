"""SMTP replies (RFC 5321 section 4.2, RFC 3463) and the three states of a fact."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sidedoor.mail.fact import Fact, Unknown, known, map_fact, value_or
from sidedoor.mail.reply import Reply, ReplyError, parse_reply

WORDS = st.from_regex(r"[A-Za-z;:\[\]=]{1,12}( [A-Za-z;:\[\]=]{1,12}){0,4}", fullmatch=True)
ENHANCED = st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("250 2.1.5 Recipient OK", Reply(250, "2.1.5", "Recipient OK")),
        ("550-5.7.1 first of several", Reply(550, "5.7.1", "first of several")),
        ("354 Start mail input", Reply(354, "", "Start mail input")),
        ("250\r\n", Reply(250, "", "")),
        ("550 5.7.68", Reply(550, "5.7.68", "")),
        ("550 5.7.1234 odd", Reply(550, "", "5.7.1234 odd")),
    ],
)
def test_parsed(line: str, reply: Reply) -> None:
    assert parse_reply(line) == reply


@pytest.mark.parametrize("line", ["", "5", "55", "5500", "150 x", "650 x", "2x0 y", "٥٥٠ arabic digits", "EHLO x"])
def test_no_reply(line: str) -> None:
    with pytest.raises(ReplyError):
        parse_reply(line)


@given(st.integers(200, 599), ENHANCED | st.just(""), WORDS | st.just(""))
def test_printed_then_parsed_is_the_same(code: int, enhanced: str, text: str) -> None:
    reply = Reply(code, enhanced, text)
    assert parse_reply(str(reply)) == reply
    assert reply.positive is (code < 400)


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_is_a_reply_or_a_reply_error(text: str) -> None:
    try:
        reply = parse_reply(text)
    except ReplyError:
        return
    assume(not reply.text.startswith((" ", "\t")))
    assert parse_reply(str(reply)) == reply


def test_an_unknown_fact_is_neither_its_value_nor_none() -> None:
    unknown: Fact[int | None] = Unknown("the trace has no such column")
    absent: Fact[int | None] = None
    assert (known(unknown), known(absent), known(3)) == (False, True, True)
    assert value_or(unknown, 7) == 7
    assert value_or(absent, 7) is None
    assert map_fact(unknown, lambda value: value) is unknown
    assert map_fact(absent, lambda value: value is None) is True
