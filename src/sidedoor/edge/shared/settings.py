"""Settings that were published in the store, and a copy of them on this machine for a start without it."""

from __future__ import annotations

import json
import os
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sidedoor.edge.settings import Ground, Settings, stats
from sidedoor.edge.shared.link import AwayError, Link
from sidedoor.errors import InputError
from sidedoor.tenant.codec import CodecError, decode

NAME = "settings.json"
_SCHEMA = "sidedoor/edge-settings/1"
_WHAT = "settings that `sidedoor edge --publish` put there"


@dataclass(slots=True)
class PublishedSource:
    """See `edge.settings.SettingsSource`. cache: where the copy is; None for nowhere."""

    link: Link
    ground: Ground
    cache: Path | None = None
    _last: tuple[int, Any] | None = field(default=None, init=False)
    _told: int = field(default=-1, init=False)

    @property
    def behind(self) -> bool:
        """Whether the store went away between telling of a version and giving it, and is back."""
        return self._last is not None and self._last[0] < self._told and not self.link.is_away

    def signature(self) -> Hashable:
        """Changes when something else was published; stays as it was while the store is away."""
        try:
            version = self._told = self.link.ask(lambda tenant: tenant.settings_version())
        except AwayError:
            version = -1 if self._last is None else self._last[0]
        return version, tuple(stats([self.ground.recipients] if self.ground.recipients else []))

    def read(self, now: datetime) -> Settings:
        """What is published; while the store is away what was read last, by this process or on this machine.

        Raises AwayError where there is neither, InputError.
        """
        try:
            found = self.link.ask(lambda tenant: tenant.published_settings())
        except AwayError:
            version, body = self._last or self._copy()
        else:
            if found is None:
                raise InputError(f"the store of {self.link.domain}", "no settings of this tenant", _WHAT)
            version, body = found.version, found.body
            self._keep(version, body)
        settings = self._settings(version, body, now)
        self._last = version, body
        return settings

    def _settings(self, version: int, body: Any, now: datetime) -> Settings:
        where = f"the settings of {self.link.domain}, version {version}"
        try:
            snapshot = decode(body)
        except CodecError as error:
            raise InputError(where, str(error), "what this version publishes") from error
        return self.ground.settings(snapshot, where, now, version=version)

    def _keep(self, version: int, body: Any) -> None:
        """A copy that cannot be written is none: the store has it."""
        if self.cache is None:
            return
        # Workers share the folder, so each writes under a name of its own before it moves the file into place.
        fresh = self.cache.with_suffix(f".{os.getpid()}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
                json.dump({"schema": _SCHEMA, "domain": self.link.domain, "version": version, "body": body}, stream)
            fresh.replace(self.cache)
        except OSError:
            fresh.unlink(missing_ok=True)

    def _copy(self) -> tuple[int, Any]:
        """The copy. Raises AwayError where there is none of this tenant."""
        try:
            kept = json.loads(self.cache.read_bytes()) if self.cache is not None else {}
            if (kept.get("schema"), kept.get("domain")) == (_SCHEMA, self.link.domain):
                return int(kept["version"]), kept["body"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise AwayError(f"the store of {self.link.domain} is away, and no copy of its settings is here")
