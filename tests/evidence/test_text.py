"""Encodings: told by the bytes, decoded strictly, the line of the damage named."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.text import HEAD, detect_encoding, encoding_note, encoding_of, open_text

HEADER = '"Name","SenderAddress"\r\n'
ROWS = '"Zoë","zoë@contoso.com"\r\n"Łukasz","用户@例え.example"\r\n'
ENCODED = [
    ("utf-8", "utf-8", b""),
    ("utf-8-sig", "utf-8", codecs.BOM_UTF8),
    ("utf-16", "utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-16", "utf-16-be", codecs.BOM_UTF16_BE),
    ("utf-16-le", "utf-16-le", b""),
    ("utf-16-be", "utf-16-be", b""),
    ("utf-32", "utf-32-le", codecs.BOM_UTF32_LE),
]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "export.csv"
    path.write_bytes(content)
    return path


def read(path: Path) -> str:
    with open_text(path) as handle:
        return handle.read()


@pytest.mark.parametrize(("detected", "codec", "mark"), ENCODED)
def test_every_encoding_is_told_and_read(tmp_path: Path, detected: str, codec: str, mark: bytes) -> None:
    content = mark + (HEADER + ROWS).encode(codec)
    path = written(tmp_path, content)
    assert detect_encoding(content) == detected
    assert read(path) == HEADER + ROWS
    assert not encoding_note(path)


def test_windows_1252_is_a_fallback_that_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path, (HEADER + '"Zoë – €","a"\r\n').encode("cp1252"))
    assert encoding_of(path) == "cp1252"
    assert "Zoë – €" in read(path)
    assert "Windows-1252" in encoding_note(path)


def test_a_letter_far_down_tells_as_much_as_one_at_the_top(tmp_path: Path) -> None:
    ascii_part = (HEADER + '"a","b"\r\n' * (HEAD // 8)).encode()
    assert read(written(tmp_path, ascii_part + "ë".encode("cp1252"))).endswith("ë")
    assert read(written(tmp_path, ascii_part + "ë€".encode())).endswith("ë€")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a,ë\r\nb,c\r\n".encode() + b"d,\xff\r\n", 3),  # damaged UTF-8 does not become Windows-1252
        ("a,ë\r\nb,".encode() + b"\xc3", 2),
        (b"a,b\n" + b"\x81\x8d", 2),  # bytes that neither encoding has
        ("a,b\r\nc".encode("utf-16")[:-1], 2),
        ("a,b\r\nc,d\r\n".encode("utf-16-le") + b"e", 3),
        (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\x00\xd8x\x00", 3),  # half a surrogate pair
    ],
)
def test_bytes_that_do_not_fit_are_an_error_with_the_line(tmp_path: Path, content: bytes, line: int) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.line == line
    assert str(path) in str(caught.value)
    with pytest.raises(InputError), open_text(path) as handle:
        list(handle)


def test_a_far_bad_byte_is_counted_across_chunks(tmp_path: Path) -> None:
    path = written(tmp_path, "ë\n".encode() * 700_000 + b"\xff\n")
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.line == 700_001


@pytest.mark.parametrize("content", [b"a\0b\n", b"\0", b"a,b\0\n", b"a\0", b"\0\0\0\0a"])
def test_stray_nuls_are_text(tmp_path: Path, content: bytes) -> None:
    if detect_encoding(content) == "utf-8":
        assert read(written(tmp_path, content)) == content.decode()
    else:
        assert content == b"a\0"  # which is what "a" looks like in UTF-16


def test_no_readable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_text(tmp_path / "absent")
    with pytest.raises(InputError):
        open_text(tmp_path)


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_any_bytes_are_text_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.mktemp("bytes"), content)
    try:
        text = read(path)
    except InputError:
        return
    assert isinstance(text, str)
    text.encode()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60), st.sampled_from(ENCODED))
@settings(max_examples=100)
def test_written_then_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoded: tuple[str, str, bytes]
) -> None:
    _, codec, mark = encoded
    content = HEADER + text
    path = written(tmp_path_factory.mktemp("text"), mark + content.encode(codec))
    assert read(path) == content
