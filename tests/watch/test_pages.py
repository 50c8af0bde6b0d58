"""The pages about channels and bounces say what the code does."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from sidedoor.evidence.bounces.codes import MATTER
from sidedoor.evidence.bounces.parts import MAX_MAIL
from sidedoor.exchange.mailbox import Mailbox
from sidedoor.store.model import Occasion, Severity
from sidedoor.watch.bounces import FIRST_REACH
from sidedoor.watch.channels.apprise import SECONDS
from sidedoor.watch.channels.cef import SEVERITIES, cef
from sidedoor.watch.channels.jsonl import SCHEMA, JsonlChannel
from sidedoor.watch.channels.message import message_of
from sidedoor.watch.channels.settings import KEYS, Surroundings, read_channels
from sidedoor.watch.channels.structured import FACILITIES, LEVELS
from sidedoor.watch.channels.syslog import Form, Framing, Transport
from tests.watch.channel_kit import ALERT

DOCS = Path(__file__).parents[2] / "docs"
CHANNELS = (DOCS / "channels.md").read_text(encoding="utf-8")
BOUNCES = (DOCS / "bounces.md").read_text(encoding="utf-8")


def first_cells(text: str, head: str) -> list[str]:
    """Words in backquotes in the first cells of the table below a line that begins so."""
    table = re.search(rf"^\| {re.escape(head)} .*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None, head
    return [word for row in table[1].splitlines() for word in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def section(name: str) -> str:
    """One kind of channel."""
    return CHANNELS.partition(f"\n## `{name}`")[2].partition("\n## ")[0]


def test_every_key_is_described() -> None:
    common = set(first_cells(CHANNELS, "key of every channel"))
    for kind, keys in KEYS.items():
        assert common | set(first_cells(section(kind), "key")) == keys, kind


def test_every_word_is_described() -> None:
    for word in [*Transport, *Framing, *Form, *Severity]:
        assert f"`{word.value}`" in CHANNELS, word
    for name in FACILITIES:
        assert f"`{name}`" in section("syslog") or re.fullmatch(r"local[1-6]", name)
    for severity, level in LEVELS.items():
        assert f"{severity.value} {level}" in section("syslog")
    assert "2 for info, 5 warning, 8 serious, 10 critical" in section("syslog")
    assert list(SEVERITIES.values()) == [2, 5, 8, 10]
    assert f"| `seconds` | how long one message may take, answer included | {SECONDS:.0f} |" in CHANNELS


def test_the_example_is_settings(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", CHANNELS, re.DOTALL)
    assert example is not None
    around = Surroundings(tmp_path / "sidedoor.toml", {"SIDEDOOR_MAIL_URL": "json://127.0.0.1:1"})
    found = read_channels(tomllib.loads(example[1])["alerts"], around)
    assert [outlet.channel.name for outlet in found] == ["ops-mail", "siem", "lines"]


def test_the_fields_of_cef_are_described() -> None:
    message = message_of(ALERT, Occasion.RAISED, "t", "D1", repeat=False)
    event = cef(ALERT, Occasion.RAISED, "t", "D1", message, repeat=False).split("|", 7)[7]
    fields = {key for key in re.findall(r"(?:\A| )(\w+)=", event) if not key.endswith("Label")}
    told = re.search(r"\| field \|.*\n\|[-|]+\n((?:\|.*\n)+)", section("syslog"))
    assert told is not None
    assert fields | {"c6a2"} == set(re.findall(r"`(\w+)`", told[1]))


def test_the_keys_of_a_line_are_described(tmp_path: Path) -> None:
    channel = JsonlChannel("lines", tmp_path / "alerts.jsonl")
    channel.send(ALERT, Occasion.RAISED, "t", "D1", repeat=False)
    keys = set(json.loads(channel.path.read_bytes()))
    assert {word.removesuffix("[]") for word in first_cells(section("jsonl"), "key of a line")} == keys
    assert f'"{SCHEMA}"' in CHANNELS


def test_the_figures_about_bounces_are_those_of_the_code() -> None:
    assert set(re.findall(r"^\| (5\.7\.\d+) \|", BOUNCES, re.MULTILINE)) == MATTER
    assert f"{MAX_MAIL >> 20} MB are looked at" in BOUNCES
    assert f"({FIRST_REACH.days} days the first time)" in BOUNCES
    assert f"{Mailbox.__dataclass_fields__['most'].default:,} messages at most" in BOUNCES
