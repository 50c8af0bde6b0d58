"""Objects out of every container that PowerShell and the APIs write, and only InputError out of anything else."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.objects import (
    envelope_of,
    iter_objects,
    parse_ps_date,
    peek_objects,
    peek_parts,
    sections_of,
)
from sidedoor.evidence.objects.clixml import decode_escapes
from sidedoor.evidence.objects.json_values import Side, parts

DATA = Path(__file__).parent.parent / "data"
GOOD = sorted(
    path for path in (DATA / "tenant").iterdir() if path.suffix in {".json", ".xml"} and path.stat().st_size < 20_000
)
TWO = [{"a": 1}, {"b": None}]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex("[a-z]{1,4}", fullmatch=True), inner, max_size=3),  # noqa: E501
    max_leaves=10,
)  # fmt: skip
OBJECTS = st.lists(st.dictionaries(st.from_regex("[A-Z][a-z]{0,5}", fullmatch=True), VALUES, max_size=4), max_size=5)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "export"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def objects(path: Path) -> list[dict[str, object]]:
    numbered = list(iter_objects(path))
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    return [item for _, item in numbered]


CONTAINERS = [
    ('[{"a":1},{"b":null}]', TWO),
    ('\ufeff \r\n [{"a":1},null,{"b":null}]', TWO),
    ('{"a":1}', [{"a": 1}]),
    ('{"value":[{"a":1},{"b":null}],"Count":2}', TWO),
    ('{"@odata.context":"x","value":[{"a":1,"a@data.type":"T"},{"@odata.type":"#X","b":null}]}', TWO),
    ('{"schema":[{"name":"a"}],"results":[{"a":1},{"b":null}]}', TWO),
    ('{"Stats":{"a":{"b":[]}},"Schema":[],"Results":[{"a":1},{"b":null}]}', TWO),
    ('{"records":[{"a":1},{"b":null}]}', TWO),
    ('{"a":1}\r\n{"b":null}\r\n', TWO),
    ('{"a":1}\n\n{"b":null}', TWO),
    ('{"records":[{"a":1}]}\n{"records":[{"b":null}]}\n', TWO),
    ('{\n "a": 1\n}\n{\n "b": null\n}', TWO),
    ("[null]", []),
    ("[]", []),
    ('{"value":[]}', []),
    ('{"value":["a","b"],"Name":"x"}', [{"value": ["a", "b"], "Name": "x"}]),
    ('{"org_config":[{"a":1}],"accepted_domains":[{"b":null}],"inbound_connectors":[null],"spf_records":[{"c":1}]}', TWO),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), CONTAINERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_containers(tmp_path: Path, content: str, expected: list[dict[str, object]], encoding: str) -> None:
    path = written(tmp_path, content.encode(encoding))
    assert objects(path) == expected
    assert peek_objects(path) == expected
    assert [part for part in parts(path, small=0) if isinstance(part, dict)] == expected


def test_the_envelope_keeps_what_stands_beside_the_rows(tmp_path: Path) -> None:
    side = {
        "@odata.context": "https://x/0c0ffee0-1111-4222-8333-444455556666/$metadata",
        "@adminapi.warnings": ["more"],
    }
    path = written(tmp_path, json.dumps({**side, "value": [{"a": 1}], "@odata.nextLink": "https://y"}))
    assert envelope_of(path) == {**side, "@odata.nextLink": "https://y"}
    assert sections_of(path) == {"value": ({"a": 1},)}
    assert peek_parts(path) == ({**side, "value": None, "@odata.nextLink": "https://y"}, [{"a": 1}])
    assert not envelope_of(written(tmp_path, '[{"a@b":1}]'))
    assert envelope_of(written(tmp_path, '{"a":1,"@odata.context":"x"}')) == {"@odata.context": "x"}


def test_an_error_body_is_seen_in_the_envelope() -> None:
    for path in (DATA / "tenant-errors").glob("*.json"):
        assert "code" in str(envelope_of(path)["error"])


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_streamed_is_the_same_as_whole(path: Path) -> None:
    if path.suffix == ".json":
        assert list(parts(path, small=0)) == list(parts(path))


@given(OBJECTS, st.sampled_from(["array", "value", "lines"]))
@settings(max_examples=100)
def test_written_then_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, items: list[dict[str, object]], container: str
) -> None:
    texts = {
        "array": json.dumps(items, indent=2),
        "value": json.dumps({"@odata.context": "x", "value": items}, ensure_ascii=False),
        "lines": "".join(json.dumps(item) + "\r\n" for item in items),
    }
    path = written(tmp_path_factory.mktemp("json"), texts[container])
    if not items and container == "lines":
        with pytest.raises(InputError):
            objects(path)
        return
    if container == "lines" and len(items) == 1 and set(items[0]) & {"value"}:
        return
    assert objects(path) == items
    assert [part for part in parts(path, small=0) if not isinstance(part, Side)] == items


DAMAGED = {
    "empty": "",
    "blank": " \r\n\t",
    "mark only": "\ufeff",
    "NUL body": b"\0" * 512,
    "cut off": '{"value": [{"a": 1}, {"b"',
    "NaN": '[{"a": NaN}]',
    "Infinity": '[{"a": -Infinity}]',
    "infinite number": '[{"a": 1e999}]',
    "duplicate key": '[{"a": 1, "a": 2}]',
    "duplicate outer key": '{"value": [{"a": 1}], "value": []}',
    "deep array": "[" * 200_000,
    "deep object": '{"a":' * 100_000,
    "deep and closed": '[{"a":' + "[" * 100 + "]" * 100 + "}]",
    "NUL inside": '[{"a": "\0"}]',
    "NUL at the end": '[{"a": 1}]\0',
    "scalars": "[1, 2]",
    "scalar after an object": '[{"a": 1}, 2]',
    "nested arrays": "[[1]]",
    "single quotes": "{'a': 1}",
    "comment": '{"a": 1} // x',
    "huge number": '[{"a": ' + "9" * 5000 + "}]",
    "broken line": '{"a":1}\n{"a":\n',
    "bad bytes": '[{"a": "ë'.encode() + b'\xff"}]',
    "half a character": '[{"a": 1}]'.encode("utf-16")[:-1],
    "long text": '[{"a": "' + "x" * (9 << 20) + '"}]',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_json_is_an_input_error(tmp_path: Path, content: str | bytes) -> None:
    path = written(tmp_path, content)
    for read in (objects, lambda path: list(parts(path, small=0)), envelope_of):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 1_000


def test_the_line_of_the_damage_is_named(tmp_path: Path) -> None:
    for content in ('[\n{"a": 1},\n{"a" 2}\n]', '{"a":1}\n{"a":2}\n{"a"\n'):
        with pytest.raises(InputError) as caught:
            objects(written(tmp_path, content))
        assert caught.value.line in {3, 4}


@pytest.mark.parametrize("small", [0, 1 << 20])
@pytest.mark.parametrize(
    "content", ['[{"a":1},{"b":null},{"c"', '{"value":[{"a":1},{"b":null}', '{"a":1}\n{"b":null}\n{"c']
)
def test_of_a_cut_off_file_the_complete_objects_come_first(tmp_path: Path, content: str, small: int) -> None:
    found: list[object] = []
    reading = parts(written(tmp_path, content), small)
    with pytest.raises(InputError):
        _drain(reading, found)
    assert [part for part in found if isinstance(part, dict)] == TWO


def _drain(reading: Iterator[object], into: list[object]) -> None:
    while True:
        into.append(next(reading))


def test_a_text_of_50_mb_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with path.open("w") as handle:
        handle.write('[{"a":1},{"a":"')
        for _ in range(50):
            handle.write("x" * (1 << 20))
        handle.write('"}]')
    with pytest.raises(InputError, match="more than"):
        objects(path)


def test_a_lone_surrogate_becomes_a_text_that_can_be_written(tmp_path: Path) -> None:
    found = objects(written(tmp_path, r'[{"Subject": "cut \ud83d", "\udc00": ["\ud83d\ude00"]}]'))
    assert found == [{"Subject": "cut ?", "?": ["\N{GRINNING FACE}"]}]


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "<html></html>", "<feedback/>", "hello", b"PK\x03\x04", b"\x89PNG\r\n", "[1, 2]"]
)
def test_no_object_container(tmp_path: Path, content: str | bytes) -> None:
    path = written(tmp_path, content)
    assert peek_objects(path) is None
    with pytest.raises(InputError):
        objects(path)


HEAD = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
CLIXML = [
    ('<Obj RefId="0"><MS><S N="a">x</S><B N="b">true</B><I32 N="c">-3</I32><I64 N="d">9</I64><Nil N="e"/></MS></Obj>',
     [{"a": "x", "b": True, "c": -3, "d": 9, "e": None}]),
    ('<Obj RefId="0"><MS><DT N="a">2026-11-03T08:25:40.0000000Z</DT><Db N="b">1.5</Db><C N="c">65</C><G N="d">g</G></MS></Obj>',  # noqa: E501
     [{"a": "2026-11-03T08:25:40.0000000Z", "b": 1.5, "c": "A", "d": "g"}]),
    ('<Obj RefId="0"><Props><S N="a">x</S></Props><MS><S N="b">y</S></MS></Obj>', [{"a": "x", "b": "y"}]),
    ('<Obj RefId="0"><MS><Obj N="a" RefId="1"><LST><S>1</S><Nil/><I32>2</I32></LST></Obj></MS></Obj>', [{"a": ["1", None, 2]}]),  # noqa: E501
    ('<Obj RefId="0"><DCT><En><S N="Key">k</S><I32 N="Value">1</I32></En></DCT></Obj>', [{"k": 1}]),
    ('<Obj RefId="0"><MS><Obj N="a" RefId="1"><TN RefId="0"><T>My.Enum</T><T>System.Enum</T></TN><ToString>Partner</ToString><I32>1</I32></Obj></MS></Obj>',  # noqa: E501
     [{"a": "Partner"}]),
    ('<Obj RefId="0"><MS><Obj N="a" RefId="1"><LST><S>x</S></LST></Obj><Ref N="b" RefId="1"/></MS></Obj>', [{"a": ["x"], "b": ["x"]}]),  # noqa: E501
    ('<Obj RefId="0"><MS><Ref N="self" RefId="0"/></MS></Obj>', [{"self": None}]),
    ('<Obj RefId="0"><MS><Obj N="a" RefId="1"><ToString>198.51.100.64/27</ToString><Props><S N="x">y</S></Props></Obj></MS></Obj>',  # noqa: E501
     [{"a": "198.51.100.64/27"}]),
    ('<Obj RefId="0"><MS><Obj N="a" RefId="1"><ToString>System.Collections.Hashtable</ToString><Props><S N="x">y</S></Props></Obj></MS></Obj>',  # noqa: E501
     [{"a": {"x": "y"}}]),
    ('<Obj RefId="0"><LST><Obj RefId="1"><MS><I32 N="a">1</I32></MS></Obj><Obj RefId="2"><MS><Nil N="b"/></MS></Obj></LST></Obj>', TWO),  # noqa: E501
    ('<Obj RefId="0"><MS><S N="a_x002E_b">line_x000D__x000A_two _xD83D__xDE00_ _x_x0041</S></MS></Obj>',
     [{"a.b": "line\r\ntwo \N{GRINNING FACE} _x_x0041"}]),
    ("<Nil/>", []),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CLIXML)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_clixml(tmp_path: Path, body: str, expected: list[dict[str, object]], encoding: str) -> None:
    path = written(tmp_path, f"{HEAD}{body}</Objs>".encode(encoding))
    assert objects(path) == expected
    assert peek_objects(path) == expected


BOMB = "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 10))
HOSTILE_XML = {
    "billion laughs": f'<!DOCTYPE z [<!ENTITY x0 "lol">{BOMB}]>{HEAD}<S>&x9;</S></Objs>',
    "external entity": f'<!DOCTYPE z [<!ENTITY x SYSTEM "file:///etc/passwd">]>{HEAD}<S>&x;</S></Objs>',
    "DTD": f'<!DOCTYPE Objs SYSTEM "http://127.0.0.1/x.dtd">{HEAD}</Objs>',
    "cut off": f'{HEAD}<Obj RefId="0"><MS><S N="a">x',
    "not closed": f"{HEAD}",
    "wrong nesting": f"{HEAD}<Obj><MS></Obj></MS></Objs>",
    "two roots": f"{HEAD}</Objs><Objs/>",
    "undefined entity": f"{HEAD}<S>&nope;</S></Objs>",
    "deep": HEAD + "<Obj><LST>" * 100_000,
    "a number that is none": f'{HEAD}<Obj><MS><I32 N="a">x</I32></MS></Obj></Objs>',
    "a character that is none": f'{HEAD}<Obj><MS><C N="a">9999999999</C></MS></Obj></Objs>',
    "not a number": f'{HEAD}<Obj><MS><Db N="a">NaN</Db></MS></Obj></Objs>',
    "NUL": f'{HEAD}<Obj><MS><S N="a">\0</S></MS></Obj></Objs>',
    "unknown encoding": f'<?xml version="1.0" encoding="x-none"?>{HEAD}</Objs>',
    "references that multiply": HEAD
    + "".join(
        f'<Obj RefId="{i}"><LST>{f"""<Ref RefId="{i - 1}"/>""" * 10 if i else "<S>lol</S>"}</LST></Obj>'
        for i in range(9)
    )
    + '<Obj RefId="9"><MS><Ref N="a" RefId="8"/></MS></Obj></Objs>',
}


@pytest.mark.parametrize("content", HOSTILE_XML.values(), ids=HOSTILE_XML)
def test_hostile_clixml_is_an_input_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError):
        objects(written(tmp_path, content))


def test_of_cut_off_clixml_the_complete_objects_come_first(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + '<Obj RefId="0"><MS><S N="a">x</S></MS></Obj><Obj RefId="1"><MS>')
    assert peek_objects(path) == [{"a": "x"}]
    with pytest.raises(InputError):
        objects(path)


@given(st.text(max_size=20))
def test_text_without_escapes_stays(text: str) -> None:
    if "_x" not in text:
        assert decode_escapes(text) == text
    escaped = "".join(f"_x{unit:04X}_" for unit in _units(text))
    assert decode_escapes(escaped) == text


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]


def _only_input_errors(path: Path) -> None:
    for read in (peek_objects, objects, envelope_of, sections_of, peek_parts):
        try:
            read(path)
        except InputError:
            continue


@given(
    st.binary(max_size=200)
    | st.sampled_from([b"{", b"[", b"<Objs"]).flatmap(lambda start: st.binary(max_size=80).map(start.__add__))
)
@settings(max_examples=150)
def test_any_bytes_are_objects_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    _only_input_errors(written(tmp_path_factory.mktemp("bytes"), content))


@given(st.sampled_from(GOOD), st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_mutated_files_are_objects_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, good: Path, dice: random.Random, times: int
) -> None:
    content = bytearray(good.read_bytes())
    for _ in range(times):
        start = dice.randrange(len(content))
        content[start : start + dice.choice([0, 1, 1, 20])] = dice.choice(
            [
                b"",
                b"\0",
                b"\xff",
                b'"',
                b"{",
                b"[",
                b"}",
                b"]",
                b",",
                b"<",
                b"</MS>",
                b"NaN",
                b"1e999",
                b"\\ud800",
                b"&x;",
            ]
        )
    _only_input_errors(written(tmp_path_factory.mktemp("mutated"), bytes(content)))


DATES = [
    ("/Date(1784847313000)/", datetime(2026, 7, 23, 22, 55, 13, tzinfo=UTC)),
    ("\\/Date(1784847313000)\\/", datetime(2026, 7, 23, 22, 55, 13, tzinfo=UTC)),
    ("/Date(1784847313000+0200)/", datetime(2026, 7, 23, 22, 55, 13, tzinfo=UTC)),
    ("/Date(-1)/", datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
    ("2026-07-23T22:55:13.0000000Z", datetime(2026, 7, 23, 22, 55, 13, tzinfo=UTC)),
    ("2026-07-23T22:55:13.1234567", datetime(2026, 7, 23, 22, 55, 13, 123456, tzinfo=UTC)),
    ("2026-07-24 00:55:13+02:00", datetime(2026, 7, 23, 22, 55, 13, tzinfo=UTC)),
    (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),  # noqa: DTZ001
]
NO_DATES = [
    "",
    "11/3/2026 8:25:40 AM",
    "/Date(x)/",
    "/Date(99999999999999999)/",
    "2026-13-01T00:00:00Z",
    None,
    5,
    "2026-07-23",
    "/Date(0+9999)/",
]


@pytest.mark.parametrize(("value", "moment"), DATES)
def test_dates(value: object, moment: datetime) -> None:
    assert parse_ps_date(value) == moment


def test_the_zone_of_a_date_is_kept_for_showing() -> None:
    shown = parse_ps_date("/Date(0-0530)/")
    assert shown is not None
    assert shown.utcoffset() == timedelta(hours=-5, minutes=-30)
    assert shown == datetime(1969, 12, 31, 18, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))


@pytest.mark.parametrize("value", NO_DATES)
def test_no_dates(value: object) -> None:
    assert parse_ps_date(value) is None


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_date_printed_as_powershell_does_is_read_back(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert parse_ps_date(f"/Date({milliseconds})/") == moment
    assert parse_ps_date(moment.strftime("%Y-%m-%dT%H:%M:%S.").zfill(20) + f"{moment.microsecond:06d}0Z") == moment
