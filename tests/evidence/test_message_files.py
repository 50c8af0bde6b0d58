"""Messages in files: forms, recognition, joining with other exports, and what is broken or built to hurt."""

from __future__ import annotations

import io
import os
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.evidence.formats.message import MESSAGE, recognised_folder
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.message import (
    MessageError,
    MessageEvidence,
    is_message_file,
    parse_message,
    read_message_bytes,
    read_messages,
)
from sidedoor.evidence.message.fields import MAX_HEADER
from sidedoor.evidence.message.mbox import heads_of
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.evidence.registry import recognise
from tests.evidence.message_kit import AUTHOR, ENTRY, MESSAGES, STAMPS, TOP, compound_file, header, message, msg_file

DATA = MESSAGES.parent / "evidence"
PRINTER = (MESSAGES / "printer.eml").read_bytes()
LF = PRINTER.replace(b"\r\n", b"\n")
SEPARATOR = b"From scan-hq3@contoso.com Tue Nov  3 08:15:30 2026\n"


def readings(data: bytes) -> list[MessageEvidence | RejectedRow]:
    return list(read_message_bytes(data))


def one(data: bytes) -> MessageEvidence:
    (found,) = readings(data)
    assert isinstance(found, MessageEvidence)
    return found


quoted = b"".join(b"> " + line + b"\n" for line in LF.split(b"\n"))
FORMS = {
    "CRLF": PRINTER,
    "LF": LF,
    "CR": LF.replace(b"\n", b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + PRINTER,
    "UTF-16 with a mark": b"\xff\xfe" + LF.decode().encode("utf-16-le"),
    "UTF-16 without": LF.decode().encode("utf-16-le"),
    "UTF-16 big-endian": b"\xfe\xff" + LF.decode().encode("utf-16-be"),
    "blank lines in front": b"\r\n\r\n" + PRINTER,
    "words in front": b"Here are the headers\n" + LF,
    "quoted": quoted,
    "indented": b"".join(b"    " + line + b"\n" for line in LF.partition(b"\n\n")[0].split(b"\n")),
    "tabs for folds": LF.replace(b"\n ", b"\n\t"),
    "a From line": SEPARATOR + LF,
    "no body": LF.partition(b"\n\n")[0],
    "no blank line": LF.replace(b"\n\n", b"\n"),
    "no line end": LF.partition(b"\n\n")[0].rstrip(),
    "eight-bit junk in the subject": LF.replace(b"Subject: Scan", b"Subject: \xff\xfe\x80 Scan"),
    "NULs in the subject": LF.replace(b"Subject: Scan", b"Subject: \0\0 Scan"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same(form: str, tmp_path: Path) -> None:
    expected, found = parse_message(PRINTER), one(FORMS[form])
    for name in ("boundary", "client_ip", "envelope_sender", "network_message_id", "header_from", "mailer", "entry"):
        mine, other = getattr(found, name), getattr(expected, name)
        assert (mine[:2] if name != "boundary" else mine) == (other[:2] if name != "boundary" else other), name
    path = tmp_path / "export.json"  # names do not matter
    path.write_bytes(FORMS[form])
    recognised = recognise(path)
    assert recognised is not None
    assert recognised.format is MESSAGE


def test_an_outlook_message(tmp_path: Path) -> None:
    path = tmp_path / "scan.msg"
    path.write_bytes(msg_file(PRINTER.decode().partition("\r\n\r\n")[0]))
    (found,) = read_messages(path)
    assert isinstance(found, MessageEvidence)
    assert found.network_message_id == parse_message(PRINTER).network_message_id
    assert one(path.read_bytes()).fields == found.fields
    recognised = recognise(path)
    assert recognised is not None
    assert recognised.format is MESSAGE


MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
GOOD = msg_file(LF.decode())
CYCLE = bytearray(GOOD)
CYCLE[512 + 4 * 2 : 512 + 4 * 3] = (2).to_bytes(4, "little")  # the first stream's first sector follows itself
BROKEN_MSG = {
    "only its first bytes": (MAGIC, "damaged"),
    "cut": (GOOD[:1500], ""),
    "NULs": (MAGIC + bytes(5000), "damaged"),
    "0xFF": (MAGIC + b"\xff" * 5000, "damaged"),
    "a workbook": (compound_file({"Workbook": b"x"}), "no Outlook message"),
    "without a header": (compound_file({"__properties_version1.0": b"x"}), "without transport headers"),
    "a header of nothing": (msg_file("nothing here"), "no header field"),
    "sectors in a circle": (bytes(CYCLE), ""),
}


@pytest.mark.parametrize("name", BROKEN_MSG)
def test_a_msg_that_is_none_is_one_rejected_row(name: str) -> None:
    data, why = BROKEN_MSG[name]
    (row,) = readings(data)
    if why:
        assert isinstance(row, RejectedRow)
        assert why in row.why


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1600), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6))
def test_a_damaged_msg_never_raises(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(GOOD)
    for place, piece in changes:
        data[place : place + len(piece)] = piece
    assert len(readings(bytes(data))) == 1


def test_a_mailbox_file() -> None:
    found = [each for each in readings((MESSAGES / "two.mbox").read_bytes()) if isinstance(each, MessageEvidence)]
    assert [each.helo.value for each in found] == ["MFP-HQ3", "[127.0.0.1]"]
    assert [each.fields[0].line for each in found] == [2, 57]


BODIES = {
    "quoted as mboxrd": b"text\n\n>From here on\n>>From x 10:10\n",
    "not quoted": b"text\n\nFrom here on it is text\n",
    "not quoted, without a blank line": b"text\n" + SEPARATOR + b"more\n",
    "CRLF": b"text\r\n\r\n>From here on\r\n",
    "empty": b"",
    "long": b"x" * 3_000_000 + b"\n",
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("chunk", [7, 4_096, 1 << 20])
def test_bodies_do_not_part_messages(name: str, chunk: int) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or chunk, max(chunk, 4_096 if name == "long" else 0)))

    mbox = b"".join(SEPARATOR + LF.partition(b"\n\n")[0] + b"\n\n" + BODIES[name] + b"\n" for _ in range(3))
    heads = list(heads_of(Slow(mbox)))
    assert len(heads) == 3
    lines = mbox.split(b"\n")
    assert all(lines[head.line - 1].startswith(b"Received: from AM9PR00MB0001") for head in heads)
    assert all(parse_message(head.data).helo.value == "MFP-HQ3" for head in heads)


def test_a_broken_message_in_a_mailbox_file_is_one_rejected_row() -> None:
    mbox = SEPARATOR + LF + b"\n" + SEPARATOR + b"\nno header at all\n\n" + SEPARATOR + b"X: " + b"y" * (MAX_HEADER + 9)
    mbox += b"\n\n\n" + SEPARATOR + LF
    found = readings(mbox)
    assert [type(each) for each in found] == [MessageEvidence, RejectedRow, RejectedRow, MessageEvidence]
    assert [each.row for each in found if isinstance(each, RejectedRow)] == [2, 3]
    assert [each.why for each in found if isinstance(each, RejectedRow)] == [
        "no header field at the beginning",
        "a header of more than 1,048,576 bytes",
    ]


def test_many_files_of_a_folder_are_numbered_through(tmp_path: Path) -> None:
    names = ("a.eml", "b.mbox", "c.eml", "d.eml")
    contents = (PRINTER, (MESSAGES / "two.mbox").read_bytes(), b"X: y\n\n", b"")
    for name, content in zip(names, contents, strict=True):
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in (*names, "gone.eml")]
    found = list(recognised_folder(tmp_path, files).read(ReadOptions()))
    assert [each.row for each in found] == [1, 2, 3, 4, 5, 6]
    assert [isinstance(each, Record) for each in found] == [True, True, True, False, False, False]
    rejected = [each.why for each in found if isinstance(each, RejectedRow)]
    assert [why.partition(":")[0] for why in rejected] == ["c.eml", "d.eml", "gone.eml"]


STRANGERS = {
    "csv": b"Date,From,To\n1,2,3\n",
    "csv with colons": b"a: b,c\nd: e,f\ng: h,i\n",
    "json": b'{"From": "x", "To": "y", "Subject": "z"}',
    "xml": b"<?xml version='1.0'?><feedback/>",
    "log": b"#Software: Microsoft Exchange Server\n#Date: 2026-11-03\n#Fields: date-time,client-ip\n",
    "text log": b"2026-11-03 08:15:27 INFO from: x\nto: y\n",
    "zone file": b"$ORIGIN contoso.com.\n@ 3600 IN MX 10 mx.contoso.com.\n",
    "yaml": b"name: x\nversion: 1\nfrom: y\n",
    "README": b"Subject: of this folder\n\nDate: never\n",
    "HTTP": b"HTTP/1.1 200 OK\nServer: x\nDate: y\nContent-Type: text/html\n\n",
    "prose": b"Dear all,\n\nplease see below.\n",
    "nothing": b"",
    "blanks": b"\n\n\n",
}


@pytest.mark.parametrize("name", STRANGERS)
def test_other_texts_are_no_messages(name: str) -> None:
    assert not is_message_file(STRANGERS[name])


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_no_other_export_is_taken_for_a_message(path: Path) -> None:
    assert is_message_file(path.read_bytes()[:65_536]) is (path.suffix == ".eml")


def nested(depth: int) -> bytes:
    lines = ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="0"', ""]
    for level in range(depth):
        lines += [f"--{level}", f'Content-Type: multipart/mixed; boundary="{level + 1}"', ""]
    return header(*TOP, *AUTHOR, *STAMPS)[:-10] + "\r\n".join(lines).encode()


def field_bomb() -> Iterator[tuple[str, bytes, bool]]:
    """(name, message, whether it is read rather than rejected)."""
    plain = header(*TOP, *AUTHOR, *STAMPS)
    yield "1 MB in one field", header(*TOP, "X-Long: " + "a" * 1_000_000, *AUTHOR, *STAMPS), True
    yield "1 MB of folds", header(*TOP, "X-Long: a" + "\r\n a" * 250_000, *AUTHOR, *STAMPS), True
    yield "more than 1 MB", header(*TOP, "X-Long: " + "a" * MAX_HEADER, *AUTHOR, *STAMPS), False
    yield "100,000 fields", header(*TOP, *("X: y" for _ in range(100_000)), *STAMPS), False
    yield "10,000 Received lines", header(*TOP, *(f"Received: by x{n}" for n in range(10_000)), *STAMPS), False
    yield "4,000 Received lines", header(*TOP, *(ENTRY for _ in range(4_000)), *STAMPS), True
    yield "a Received line of 100 KB", header("Received: from " + "(" * 100_000, *TOP, *AUTHOR), True
    yield "50,000 addresses", header(*TOP, "From: " + ",".join(["a@b.example"] * 50_000), *STAMPS), True
    yield "an open quote", header(*TOP, 'From: "' + 'a"\\"(' * 20_000, *STAMPS), True
    yield "nested comments in From", header(*TOP, "From: " + "(" * 50_000 + "a@b.example", *STAMPS), True
    yield "encoded words", header(*TOP, "From: " + "=?utf-8?q?a?= " * 20_000 + "<a@b.example>", *STAMPS), True
    yield "MIME 1,000 deep", nested(1_000), True
    yield "no blank line and a body", plain.replace(b"\r\n\r\n", b"\r\n") + b"x" * 500_000, True
    yield "only colons", b":" * 1_000_000, False
    yield "only line ends", b"\n" * 1_000_000, False
    yield "only blanks", b" " * 1_000_000, False
    yield "only quote marks", b">" * 1_000_000, False
    yield "NULs", bytes(1_000_000), False
    yield "random bytes", bytes(range(256)) * 4_000, False
    yield "empty", b"", False


@pytest.mark.parametrize(("data", "read"), [case[1:] for case in field_bomb()], ids=[case[0] for case in field_bomb()])
def test_a_bomb_takes_no_time(data: bytes, read: bool) -> None:
    started = time.process_time()
    (found,) = readings(data)
    if isinstance(found, MessageEvidence):
        assert found.notes is not None
        assert found.header_recipients is not None
        assert len(found.hops) <= 200
    else:
        assert len(found.why) < 200
        assert len(found.text) <= 500
    assert isinstance(found, MessageEvidence) is read
    assert time.process_time() - started < 2.0


def test_a_body_of_a_gigabyte_is_not_loaded(tmp_path: Path) -> None:
    eml, mbox = tmp_path / "a.eml", tmp_path / "a.mbox"
    for path, before in ((eml, b""), (mbox, SEPARATOR)):
        with path.open("wb") as file:
            file.write(before + LF)
            file.truncate((1 << 30) if path is eml else (200 << 20))
    with mbox.open("ab") as file:
        file.write(b"\n\n" + SEPARATOR + LF)
    tracemalloc.start()
    started = time.process_time()
    assert [type(each) for each in read_messages(eml)] == [MessageEvidence]
    assert [type(each) for each in read_messages(mbox)] == [MessageEvidence, MessageEvidence]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
    assert time.process_time() - started < 10
    os.truncate(eml, 0)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_message_or_our_error(data: bytes) -> None:
    try:
        found = parse_message(data)
    except MessageError:
        return
    assert found.fields
    assert all("\n" not in field.value for field in found.fields)


names = st.from_regex(r"[A-Za-z][A-Za-z-]{0,15}", fullmatch=True)
values = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Zs"]), min_size=1, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(names, st.lists(values, min_size=1, max_size=4)), min_size=1, max_size=8))
def test_fields_read_as_they_were_folded(fields: list[tuple[str, list[str]]]) -> None:
    text = "".join(f"{name}: " + "\r\n ".join(parts) + "\r\n" for name, parts in fields)
    found = parse_message(text.encode())
    assert [(field.name, field.value) for field in found.fields] == [(name, " ".join(parts)) for name, parts in fields]
    lines = [1 + sum(len(parts) for _, parts in fields[:place]) for place in range(len(fields))]
    assert [field.line for field in found.fields] == lines


def test_a_header_alone_is_a_message() -> None:
    assert message(ENTRY).boundary == 0
