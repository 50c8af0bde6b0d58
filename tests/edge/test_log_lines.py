"""A line of the decision log is `as_json` of its record, however it is put together."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.interface import Action, DecisionRecord, Handled, Listener, Outcome, Recipient, Session, TlsSession
from sidedoor.edge.log import Lines, as_json
from sidedoor.mail.address import NULL_REVERSE_PATH, parse_address
from sidedoor.mail.network import parse_ip
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict

NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
words = st.text(max_size=30)
replies = st.builds(Reply, st.sampled_from([250, 550]), st.sampled_from(["2.1.5", "5.7.68"]), words)
decisions = st.builds(
    Decision, st.sampled_from(Verdict), replies, st.sampled_from(Submission), st.sampled_from(Step),
    st.sampled_from(Certainty), st.none() | words, st.lists(words, max_size=2).map(tuple), st.booleans() | st.none(),
)  # fmt: skip
addresses = st.sampled_from(["192.0.2.1", "2001:db8::1"]).map(parse_ip)
sessions = st.builds(
    Session, words, st.sampled_from(Listener), addresses, st.just(4711),
    helo=st.none() | words, tls=st.none() | st.just(TlsSession("TLS1.3", "X")), authenticated_as=st.none() | words,
)  # fmt: skip
moments = st.integers(0, 10**9).map(lambda ms: NOW + timedelta(milliseconds=ms))
recipients = st.builds(
    Recipient, st.sampled_from(["a@contoso.com", "ü@bücher.example", '"a b"@c.example']).map(parse_address), decisions,
    replies, moments,
)  # fmt: skip
records = st.builds(
    DecisionRecord, sessions, words, st.just(NULL_REVERSE_PATH) | st.just(parse_address("s@contoso.com")), recipients,
    st.sampled_from(Outcome), st.booleans(), moments, st.none() | st.integers(0, 10**6), st.none() | words,
    st.none() | replies, st.none() | st.just({"spf": "pass"}),
    st.none() | st.builds(Handled, st.sampled_from(Action), st.lists(words, max_size=2).map(tuple)),
)  # fmt: skip


@given(st.lists(records, min_size=1, max_size=6))
def test_a_line_is_its_record(given_records: list[DecisionRecord]) -> None:
    lines = Lines()
    for record in [*given_records, *given_records]:  # remembered the second time
        line = lines.line(record)
        assert line.isascii()
        assert line.endswith(b"}\n")
        assert line.count(b"\n") == 1
        assert json.loads(line) == as_json(record)
        assert list(json.loads(line)) == list(as_json(record))
