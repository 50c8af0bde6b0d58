"""From the table `[alerts]` of sidedoor.toml to channels. The other keys of the table are others' business.

    [alerts.channels.NAME]
    type = "apprise" | "syslog" | "jsonl"
    minimum = "info" | "warning" | "serious" | "critical"
    kinds = ["door-open", "dns-*"]

Secrets do not stand in the file: they are `env:NAME`, an environment variable, or `file:PATH`, a file beside it. What
is wrong is said with file, key, what was found and what was expected; a secret is never part of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sidedoor.errors import InputError, UsageError
from sidedoor.store.model import Severity
from sidedoor.watch.channels.apprise import AppriseChannel
from sidedoor.watch.channels.interface import Channel, Outlet
from sidedoor.watch.channels.jsonl import JsonlChannel
from sidedoor.watch.channels.structured import FACILITIES, is_sd_id
from sidedoor.watch.channels.syslog import Form, Framing, Place, SyslogChannel, Transport

T = TypeVar("T")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,79}\*?|\*")
_MOST_SECRET = 65_536  # bytes of a file with a secret
_MOST_CHANNELS = 50
_COMMON = frozenset({"type", "minimum", "kinds"})
_OWN: Mapping[str, frozenset[str]] = {
    "apprise": frozenset({"url", "seconds"}),
    "syslog": frozenset(
        {"transport", "host", "port", "path", "framing", "form", "facility", "sd_id", "ca", "certificate"}
    ),
    "jsonl": frozenset({"path", "rotate_mb", "keep"}),
}
KEYS: Mapping[str, frozenset[str]] = {kind: _COMMON | own for kind, own in _OWN.items()}
"""Type of channel -> its keys; docs/channels.md lists the same."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """path: of the settings, for errors, and what relative paths are relative to. environ: environment variables.

    kinds: the reason ids there are; None: not known here, so any is taken.
    """

    path: Path
    environ: Mapping[str, str]
    kinds: Collection[str] | None = None


def read_channels(alerts: Mapping[str, object], around: Surroundings) -> tuple[Outlet, ...]:
    """The channels in the order of the file; none where there are none. Raises InputError."""
    tables = alerts.get("channels", {})
    if not isinstance(tables, Mapping):
        raise _error(around, "alerts.channels", tables, "a table for each channel: [alerts.channels.NAME]")
    if len(tables) > _MOST_CHANNELS:
        raise _error(around, "alerts.channels", len(tables), f"{_MOST_CHANNELS} channels at most")
    return tuple(_outlet(str(name), table, around) for name, table in tables.items())


def _outlet(name: str, table: object, around: Surroundings) -> Outlet:
    if not _NAME.fullmatch(name):
        raise _error(around, "alerts.channels", name, "names of lower-case letters, digits, - and _, 40 at most")
    if not isinstance(table, Mapping):
        raise _error(around, f"alerts.channels.{name}", table, "a table")
    keys = _Keys(name, table, around)
    kind = keys.choice("type", {each: each for each in KEYS})
    keys.only(KEYS[kind])
    makers: Mapping[str, Callable[[_Keys], Channel]] = {"apprise": _apprise, "syslog": _syslog, "jsonl": _jsonl}
    minimum = keys.choice("minimum", {each.value: each for each in Severity}, Severity.INFO)
    return Outlet(makers[kind](keys), minimum, keys.kinds())


def _apprise(keys: _Keys) -> AppriseChannel:
    url = keys.secret("url")
    try:
        return AppriseChannel(keys.name, url, float(keys.number("seconds", 30, 1, 300)))
    except UsageError as error:
        raise keys.error(
            "url", f"a URL that cannot be used ({error})", "an Apprise URL; see docs/channels.md"
        ) from None


def _syslog(keys: _Keys) -> SyslogChannel:
    transport = keys.choice("transport", {each.value: each for each in Transport})
    secured, local = transport is Transport.TLS, transport is Transport.LOCAL
    framing = keys.choice("framing", {each.value: each for each in Framing}, Framing.OCTETS)
    if secured and framing is not Framing.OCTETS:
        raise keys.error("framing", framing.value, "octet-counting: there is no other over TLS (RFC 5425 section 4.3)")
    if not secured and (keys.has("ca") or keys.has("certificate")):
        raise keys.error("transport", transport.value, "tls, where `ca` or `certificate` is given")
    if local and (keys.has("host") or keys.has("port")):
        raise keys.error("transport", transport.value, "udp, tcp or tls, where `host` or `port` is given")
    place = Place(
        transport,
        "" if local else keys.text("host"),
        keys.number("port", 6514 if secured else 514, 1, 65_535),
        keys.text("path", "/dev/log") if local else "",
        framing,
        keys.file("ca"),
        keys.file("certificate"),
    )
    facility = keys.choice("facility", FACILITIES, FACILITIES["local0"])
    sd_id = keys.text("sd_id", "sidedoor@32473")
    if not is_sd_id(sd_id):
        raise keys.error("sd_id", repr(sd_id), "NAME@ENTERPRISE-NUMBER, 32 characters at most (RFC 5424 section 7.2.2)")
    form = keys.choice("form", {each.value: each for each in Form}, Form.STRUCTURED)
    return SyslogChannel(keys.name, place, form, facility, sd_id)


def _jsonl(keys: _Keys) -> JsonlChannel:
    path = keys.around.path.parent / keys.text("path")
    return JsonlChannel(keys.name, path, keys.number("rotate_mb", 0, 0, 10_000) << 20, keys.number("keep", 5, 1, 100))


class _Keys:
    """One channel's table."""

    def __init__(self, name: str, table: Mapping[str, object], around: Surroundings) -> None:
        self.name, self.around, self._table = name, around, table

    def error(self, key: str, found: str, expected: str) -> InputError:
        """About one key."""
        return InputError(str(self.around.path), f"alerts.channels.{self.name}.{key} = {found}", expected)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._table

    def only(self, known: Collection[str]) -> None:
        """Raises InputError for a key that means nothing: it was meant to mean something."""
        for key in self._table:
            if key not in known:
                raise self.error(
                    str(key)[:60], "a key that this type of channel does not have", ", ".join(sorted(known))
                )

    def choice(self, key: str, words: Mapping[str, T], default: T | None = None) -> T:
        """One of several words."""
        if not self.has(key) and default is not None:
            return default
        found = self._table.get(key)
        if not isinstance(found, str) or found not in words:
            raise self.error(key, _shown(found), "one of " + ", ".join(words))
        return words[found]

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty and on one line."""
        if not self.has(key) and default is not None:
            return default
        found = self._table.get(key)
        if not isinstance(found, str) or not found.strip() or not found.isprintable() or len(found) > 4_096:
            raise self.error(key, _shown(found), "a text on one line")
        return found

    def number(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number."""
        found = self._table.get(key, default)
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
            raise self.error(key, _shown(found), f"a whole number from {least:,} to {most:,}")
        return found

    def kinds(self) -> tuple[str, ...]:
        """Reason ids, some with `*` at their end."""
        found = self._table.get("kinds", [])
        if not isinstance(found, list) or not all(isinstance(each, str) and _KIND.fullmatch(each) for each in found):
            raise self.error("kinds", _shown(found), "a list of kinds of alerts, a trailing * for all that begin so")
        for each in found:
            known = self.around.kinds
            if known is not None and not any(_fits(each, kind) for kind in known):
                raise self.error("kinds", _shown(each), "kinds of alerts that there are; see docs/channels.md")
        return tuple(found)

    def file(self, key: str) -> str:
        """A PEM file that is there, "" where the key is not."""
        if not self.has(key):
            return ""
        path = self.around.path.parent / self.text(key)
        if not path.is_file():
            raise self.error(key, _shown(self.text(key)), "a file that is there")
        return str(path)

    def secret(self, key: str) -> str:
        """What an environment variable or a file holds."""
        expected = "env:NAME or file:PATH; a secret does not stand in the settings"
        word = self._table.get(key)
        if not isinstance(word, str):
            raise self.error(key, "nothing" if word is None else f"a {type(word).__name__}", expected)
        how, _, where = word.partition(":")
        if how == "env" and _VARIABLE.fullmatch(where):
            return self._clean(key, word, self.around.environ.get(where, ""))
        if how == "file" and where and where.isprintable() and not where.startswith("//"):
            return self._clean(key, word, self._read(key, where))
        raise self.error(key, "a text of another form", expected)  # not shown: it may be the secret itself

    def _read(self, key: str, where: str) -> str:
        try:
            with (self.around.path.parent / where).open("rb") as stream:
                data = stream.read(_MOST_SECRET + 1)
            if len(data) > _MOST_SECRET:
                raise self.error(key, f"file:{where}, larger than {_MOST_SECRET:,} bytes", "a file with one secret")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise self.error(key, f"file:{where}, not readable ({why})", "a file with one secret") from None
        text = data.decode("utf-8-sig", "replace")  # an error of strict decoding would hold the secret
        if "\ufffd" in text:
            raise self.error(key, f"file:{where}, no UTF-8 text", "a file with one secret")
        return text

    def _clean(self, key: str, word: str, secret: str) -> str:
        bare = secret.strip()
        if not bare:
            raise self.error(key, f"{word}, which is empty or not there", "a secret in it")
        if not bare.isprintable():
            raise self.error(key, f"{word}, more than one line", "a secret on one line")
        return bare


def _fits(pattern: str, kind: str) -> bool:
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern


def _shown(found: object) -> str:
    if found is None:
        return "nothing"
    text = repr(found)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _error(around: Surroundings, key: str, found: object, expected: str) -> InputError:
    return InputError(str(around.path), f"{key} = {_shown(found)}", expected)
