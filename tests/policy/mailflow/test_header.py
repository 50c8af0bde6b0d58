"""Reading a header, types of message, and changes in octets that touch nothing else."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.actions import HeaderChange, PrependSubject, RemoveHeader, SetHeader
from sidedoor.policy.mailflow.header import (
    HeaderField,
    addresses_of,
    has_controls,
    header_fields,
    raw_fields,
    without_controls,
)
from sidedoor.policy.mailflow.kinds import MessageType, is_of_type, message_types
from sidedoor.policy.mailflow.octets import apply_changes
from tests.policy.mailflow.kit import header

FIELDS: list[tuple[bytes, list[tuple[str, str]]]] = [
    (b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n", [("A", "1"), ("B", "2")]),
    (b"A: 1\n 2\nB:3\n", [("A", "1 2"), ("B", "3")]),
    (b"A: 1\r\n\t2\r\n\r\n", [("A", "1 2")]),
    (b"A: 1\rB: 2\r\n\r\n", [("A", "1 B: 2")]),
    (b"A: 1\r\nno field\r\nB: 2\r\n", [("A", "1")]),
    (b"\r\nA: 1\r\n", []),
    (b" A: 1\r\n", []),
    (b"", []),
    (b"A : 1", [("A", "1")]),
    (b"S: =?utf-8?B?w6k=?=\r\n =?utf-8?q?_x?= y\r\n", [("S", "é x y")]),
    (b"S: =?utf-8?B?a?= =?none?Q?=E9?= =?iso-8859-1?Q?=E9?=\r\n", [("S", "=?utf-8?B?a?=�é")]),
    (b"S: \xc3\xa9 \xff\r\n", [("S", "é �")]),
    (b"S: =?punycode?Q?a-b?= =?idna?q?xn--a?=\r\n", [("S", "a-bxn--a")]),
    (b"S: =?utf-8?Q?a=0D=0AX:_y?=\r\n", [("S", "a  X: y")]),
]


@pytest.mark.parametrize(("content", "expected"), FIELDS)
def test_fields(content: bytes, expected: list[tuple[str, str]]) -> None:
    assert [(field.name, field.value) for field in header_fields(content)] == expected


PIECES = [
    b"A: 1",
    b"\r\n",
    b"\n",
    b" x",
    b"From:",
    b"=?utf-8?b?",
    b"?=",
    b"\r",
    b"\0",
    b"\t",
    b"<a@b.example>",
    b"\xc2\x85",
]


@given(st.binary(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
def test_any_octets_have_fields(content: bytes) -> None:
    fields = header_fields(content)
    assert not any(has_controls(field.value) for field in fields)
    spans = list(raw_fields(content))
    assert len(fields) == len(spans)
    assert b"".join(content[raw.start : raw.end] for raw in spans) == content[: spans[-1].end if spans else 0]
    addresses_of(fields, "from", "to")


ADDRESSES: list[tuple[str, list[str] | None]] = [
    ('"Doe, J" <J@Contoso.com>', ["J@contoso.com"]),
    ("group: a@x.example, b@x.example;", ["a@x.example", "b@x.example"]),
    ("undisclosed-recipients:;", []),
    ("", []),
    ("junk", []),
    ("a@b.example, x@b..c", None),
    ("a@b@c.example", None),
    ("(" * 5_000 + "a@b.example", None),
    ("a" * 70_000, None),
]


@pytest.mark.parametrize(("value", "expected"), ADDRESSES)
def test_addresses(value: str, expected: list[str] | None) -> None:
    found = addresses_of(header(From=value, To="c@d.example"), "from")
    assert (None if isinstance(found, Unknown) else [str(each) for each in found]) == expected


UNREAD = Unknown("not read")
REPORT = "multipart/report"
TYPES: list[tuple[MessageType, dict[str, str], Fact[frozenset[str]], bool | None]] = [
    (MessageType.OOF, {"Auto_Submitted": "auto-replied (vacation)"}, UNREAD, True),
    (MessageType.OOF, {"Auto_Submitted": "auto-generated"}, UNREAD, False),
    (MessageType.AUTO_FORWARD, {"X_MS_Exchange_Inbox_Rules_Loop": "ann@contoso.com"}, UNREAD, True),
    (MessageType.AUTO_FORWARD, {"Autoforwarded": "TRUE"}, UNREAD, True),
    (MessageType.ENCRYPTED, {"Content_Type": "application/pkcs7-mime; smime-type=enveloped-data"}, UNREAD, True),
    (MessageType.ENCRYPTED, {"Content_Type": "application/x-pkcs7-mime; name=smime.p7m"}, UNREAD, True),
    (MessageType.ENCRYPTED, {"Content_Type": 'application/pkcs7-mime; smime-type="signed-data"'}, UNREAD, False),
    (MessageType.SIGNED, {"Content_Type": 'application/pkcs7-mime; smime-type="signed-data"'}, UNREAD, True),
    (MessageType.SIGNED, {"Content_Type": "multipart/signed; micalg=sha-256"}, UNREAD, True),
    (MessageType.SIGNED, {"Content_Type": "multipart/mixed"}, UNREAD, False),
    (MessageType.CALENDARING, {"Content_Class": "urn:content-classes:calendarmessage"}, UNREAD, True),
    (MessageType.CALENDARING, {"Content_Type": "multipart/alternative"}, UNREAD, None),
    (MessageType.CALENDARING, {"Content_Type": "multipart/alternative"}, frozenset({"text/calendar"}), True),
    (MessageType.CALENDARING, {"Content_Type": "multipart/alternative"}, frozenset({"text/plain"}), False),
    (MessageType.CALENDARING, {}, UNREAD, False),
    (MessageType.VOICEMAIL, {"Content_Class": "Voice-CA"}, UNREAD, True),
    (MessageType.VOICEMAIL, {"Content_Type": "multipart/voice-message; boundary=x"}, UNREAD, True),
    (MessageType.PERMISSION_CONTROLLED, {"Content_Class": "rpmsg.message"}, UNREAD, True),
    (MessageType.PERMISSION_CONTROLLED, {"Content_Type": "multipart/mixed"}, UNREAD, None),
    (MessageType.APPROVAL_REQUEST, {"X_MS_Exchange_Organization_Approval_Initiator": "x"}, UNREAD, True),
    (
        MessageType.READ_RECEIPT,
        {"Content_Type": "multipart/report; report-type=disposition-notification"},
        UNREAD,
        True,
    ),
    (MessageType.READ_RECEIPT, {"Content_Type": "multipart/report; report-type=delivery-status"}, UNREAD, False),
]


@pytest.mark.parametrize(("kind", "fields", "parts", "expected"), TYPES)
def test_types(kind: MessageType, fields: dict[str, str], parts: Fact[frozenset[str]], expected: bool | None) -> None:
    answer = is_of_type(kind, header(**fields), parts)
    assert (None if isinstance(answer, Unknown) else answer) is expected
    assert message_types(header(**fields), parts)[kind] == answer


def test_every_type_has_a_case_that_holds() -> None:
    assert {kind for kind, _, _, expected in TYPES if expected} == set(MessageType)


CHANGES: list[tuple[bytes, list[HeaderChange], bytes]] = [
    (b"A: 1\r\n\r\nbody", [SetHeader("X", "2")], b"A: 1\r\nX: 2\r\n\r\nbody"),
    (b"A: 1\n\nbody", [SetHeader("X", "2")], b"A: 1\nX: 2\n\nbody"),
    (b"A: 1", [SetHeader("X", "2")], b"A: 1\r\nX: 2\r\n"),
    (b"", [SetHeader("X", "2")], b"X: 2\r\n"),
    (b"\r\nbody", [SetHeader("X", "2")], b"X: 2\r\n\r\nbody"),
    (b"body\r\nX: 1\r\n", [SetHeader("X", "2")], b"X: 2\r\n\r\nbody\r\nX: 1\r\n"),
    (b"A: 1\r\nbody\r\n", [SetHeader("X", "2")], b"A: 1\r\nX: 2\r\n\r\nbody\r\n"),
    (b"X: 1\r\nA: a\r\n\tb\r\nx: 3\r\n 4\r\nB:\r\n\r\nX: body", [SetHeader("X", "2")],
     b"X: 2\r\nA: a\r\n\tb\r\nB:\r\n\r\nX: body"),
    (b"X: 1\r\nA: a\r\nx :\r\n 4\r\n\r\n", [RemoveHeader("x")], b"A: a\r\n\r\n"),
    (b"A: a\r\n\r\n", [RemoveHeader("x")], b"A: a\r\n\r\n"),
    (b"Subject: hi\r\n\r\n", [PrependSubject("[E] ")], b"Subject: [E] hi\r\n\r\n"),
    (b"SUBJECT:hi\r\n there\r\n\r\n", [PrependSubject("[E] ")], b"SUBJECT: [E] hi\r\n there\r\n\r\n"),
    (b"A: 1\r\n\r\n", [PrependSubject("[E] ")], b"A: 1\r\nSubject: [E]\r\n\r\n"),
    (b"Subject: =?utf-8?B?w6k=?=\r\n\r\n", [PrependSubject("E: ")], b"Subject: E: =?utf-8?B?w6k=?=\r\n\r\n"),
    (b"X: 1\r\n\r\n", [RemoveHeader("X"), SetHeader("Y", "2"), SetHeader("y", "3")], b"y: 3\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "changes", "expected"), CHANGES)
def test_changes(content: bytes, changes: list[HeaderChange], expected: bytes) -> None:
    assert apply_changes(content, changes) == expected


def parsed(content: bytes) -> email.message.EmailMessage:
    """Another's reading of the message."""
    return email.message_from_bytes(content, policy=email.policy.default)


@pytest.mark.parametrize(("prefix", "old", "expected"), [
    ("[Ext] ", b"=?utf-8?B?w6k=?=", "[Ext] é"),
    ("[Ext]", b"=?utf-8?B?w6k=?=", "[Ext]é"),
    ("Für dich: ", b"plain", "Für dich: plain"),
    ("Für dich: ", b"=?utf-8?B?w6k=?=", "Für dich: é"),
    ("ü" * 300 + " ", b"plain", "ü" * 300 + " plain"),
    ("[Ext] ", b"x" * 950, "[Ext]  " + "x" * 950),
])  # fmt: skip
def test_a_prefix_before_any_subject(prefix: str, old: bytes, expected: str) -> None:
    content = apply_changes(b"Subject: " + old + b"\r\nA: 1\r\n\r\nbody", [PrependSubject(prefix)])
    assert parsed(content)["subject"] == expected
    assert header_fields(content)[0].value == expected
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    assert content.endswith(b"\r\nA: 1\r\n\r\nbody")


VALUES = st.text(max_size=80) | st.text(alphabet="a é\r\n:=?\x00\x0b\u2028", max_size=60)


CONTENTS = [b"A: 1\r\nX-A: 2\r\n 3\r\n\r\nbody\r\n", b"A: 1\n\nbody\n", b"", b"body", b"X-A:\r\n\r\n"]


@given(VALUES, st.sampled_from(CONTENTS), st.booleans())
def test_no_value_can_add_a_field_or_reach_the_body(value: str, content: bytes, subject: bool) -> None:
    changed = apply_changes(content, [PrependSubject(value) if subject else SetHeader("X-A", value)])
    names = [field.name.lower() for field in header_fields(content)]
    name = "subject" if subject else "x-a"
    assert sorted(field.name.lower() for field in header_fields(changed)) == sorted({*names, name})
    body = content[len(b"".join(content[raw.start : raw.end] for raw in raw_fields(content))) :]
    assert changed.endswith(body)
    assert [key.lower() for key in parsed(changed).keys()].count(name) == 1  # noqa: SIM118  # a message has a key twice


@given(VALUES)
def test_a_value_is_read_back(value: str) -> None:
    clean = without_controls(value).strip()
    changed = apply_changes(b"A: 1\r\n\r\n", [SetHeader("X-A", clean)])
    assert header_fields(changed)[1] == HeaderField("X-A", clean.encode("utf-8", "replace").decode("utf-8"))


def test_a_name_that_is_none() -> None:
    for name in ("", "X A", "X:", "X\r\nY", "é"):
        with pytest.raises(ValueError, match="no name"):
            apply_changes(b"A: 1\r\n\r\n", [SetHeader(name, "1")])
