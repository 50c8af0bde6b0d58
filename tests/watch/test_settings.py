"""sidedoor.toml: what `init` writes is what the defaults are, and a mistake is named with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.toml_file import TomlFile
from sidedoor.watch.settings import WHAT, Settings, parse_settings
from sidedoor.watch.template import settings_text


def parsed(text: str) -> Settings:
    return parse_settings(TomlFile(text, "sidedoor.toml", WHAT))


def test_what_init_writes_says_the_defaults() -> None:
    text = settings_text("contoso.com")
    assert parsed(text) == Settings("contoso.com")
    told = re.sub(r"^# (?=[a-z_]+ = )", "", text.partition("# Whom to tell")[0], flags=re.MULTILINE)
    assert told.count("\n# ") < text.count("\n# ")
    assert parsed(told) == Settings("contoso.com")


def test_what_was_said_stands_in_it() -> None:
    text = settings_text("contoso.com", {("collect", "tenant_id"): 'a"b', ("store", "url"): "env:STORE"})
    assert (parsed(text).collect.tenant_id, parsed(text).store) == ('a"b', "env:STORE")


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("[dns]\n", 1, "no domain"),
        ('domain = "contoso..com"', 1, "domain = 'contoso..com'"),
        ('domain = "contoso.com"\n[dns]\noffline = 1', 3, "offline = 1"),
        ('domain = "contoso.com"\n[dsn]\n', 2, "the key 'dsn'"),
        ('domain = "contoso.com"\n[collect]\ndetails = 60000', 3, "details = 60000"),
        ('domain = "contoso.com"\n[inputs]\ntrace_sender = ["auto"]', 3, "trace_sender = ['auto']"),
        ('domain = "contoso.com"\n[collect]\ncloud = "mars"', 3, "cloud = 'mars'"),
        ('domain = "contoso.com"\n[alerts.thresholds]\nburst_factor = 0.5', 3, "burst_factor = 0.5"),
        ('domain = "contoso.com"\n[retention]\nhistory_days = true', 3, "history_days = True"),
        ('domain = "contoso.com"\nswitches = 3', 2, "3"),
        ('domain = "contoso.com"\n[certificates]\n"shown_by" = 7', 3, "shown_by = 7"),
        ('domain = "contoso.com"\n\n= 3', 3, "no TOML"),
        ('domain = "contoso.com"\n[alerts]\n[alerts]\n', 3, "no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, found: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert caught.value.line == line
    assert caught.value.found.startswith(found)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"domain = '" + b"x" * (2 << 20) + b"'"])
def test_what_is_no_text_or_too_much_of_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "sidedoor.toml").write_bytes(data)
    with pytest.raises(InputError):
        TomlFile.read(tmp_path / "sidedoor.toml", WHAT)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(max_size=400))
def test_any_text_is_settings_or_our_error(text: str) -> None:
    try:
        parsed(text)
    except InputError:
        return


@given(
    st.sampled_from(
        ["inputs", "dns", "collect", "probe", "bounces", "edge", "retention", "alerts", "metrics", "watch"]
    ),
    st.sampled_from(["folders", "offline", "details", "endpoints", "every_hours", "channels", "thresholds", "quiet"]),
    st.sampled_from(["1", "-1", "true", '"x"', "[]", "[1]", "{}", "{a = 1}", "1.5", "1979-05-27", '[[{a = "b"}]]']),
)
def test_any_value_is_taken_or_our_error(table: str, key: str, value: str) -> None:
    try:
        parsed(f'domain = "contoso.com"\n[{table}]\n{key} = {value}\n')
    except InputError as error:
        line = error.line
    else:
        line = 3
    assert line in {2, 3}
