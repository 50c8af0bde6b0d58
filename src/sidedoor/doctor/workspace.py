"""Whether a workspace can do its work: settings, secrets, certificate, rights, room, store, and when it last ran."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.doctor.machine import room
from sidedoor.doctor.model import Check, State
from sidedoor.errors import SidedoorError, UsageError

if TYPE_CHECKING:
    from sidedoor.watch.workspace import Workspace

_ROOM = 1 << 30
_SOON = timedelta(days=30)
_LATE = 3  # times `every_hours` without a run


def workspace_checks(folder: Path, now: datetime, *, network: bool) -> tuple[list[Check], Workspace | None]:
    """All of it, and the workspace where its settings can be read."""
    try:
        from sidedoor.watch.workspace import open_workspace

        workspace = open_workspace(folder)
    except ModuleNotFoundError as error:
        missing = f"{folder}: not looked at, because {error.name} is not installed"
        return [Check("settings", State.MISSING, missing, "pip install 'sidedoor[watch]'")], None
    except SidedoorError as error:
        return [Check("settings", State.MISSING, str(error), "mend sidedoor.toml")], None
    made = [
        _channels(workspace),
        *_secrets(workspace, now),
        *_rights(workspace.folder),
        *_writing(workspace.folder),
        room("room", workspace.folder, _ROOM),
        *_store(workspace, now, network=network),
    ]
    return made, workspace


def _channels(workspace: Workspace) -> Check:
    """The settings as a run would take them, channels with their secrets among them."""
    from sidedoor.watch.live import tools_of

    try:
        tools = tools_of(workspace, collect=False, say=lambda _: None)
    except SidedoorError as error:
        return Check("settings", State.MISSING, str(error), "mend sidedoor.toml, or set what it names")
    channels = f"{len(tools.outlets)} channel{'' if len(tools.outlets) == 1 else 's'}"
    return Check("settings", State.OK, f"{workspace.folder / 'sidedoor.toml'} is valid: {workspace.name}, {channels}")


def _secrets(workspace: Workspace, now: datetime) -> Iterator[Check]:
    """What signing in needs. Values are not shown."""
    wanted = workspace.settings.collect
    for name in filter(None, (wanted.certificate_passphrase_env, wanted.secret_env, wanted.token_env)):
        if os.environ.get(name):
            yield Check("secret", State.OK, f"the environment has {name}")
        else:
            yield Check("secret", State.MISSING, f"the environment has no {name}", "set it where `watch` runs")
    if wanted.certificate:
        passphrase = os.environ.get(wanted.certificate_passphrase_env) if wanted.certificate_passphrase_env else None
        yield _certificate(workspace.path(wanted.certificate), passphrase, now)


def _certificate(path: Path, passphrase: str | None, now: datetime) -> Check:
    from sidedoor.exchange.credentials import ends

    try:
        end = ends(path, passphrase)
    except SidedoorError as error:
        return Check("certificate", State.MISSING, str(error), "mend collect.certificate, or its file")
    text = f"{path}: ends {end:%Y-%m-%d}"
    if end <= now:
        return Check("certificate", State.MISSING, text, "make a new one and register it with the application")
    if end - now < _SOON:
        return Check("certificate", State.WARNING, text, "register a new one before that day")
    return Check("certificate", State.OK, text)


def _rights(folder: Path) -> Iterator[Check]:
    """Whether others may read who wrote to whom. Windows has other rights, which are not looked at."""
    if os.name != "posix":
        yield Check("rights", State.UNASKED, "rights of files are not looked at on this system")
        return
    open_to_others = [name for name in _files(folder) if _mode(folder / name) & 0o077]
    if _mode(folder) & 0o077 and open_to_others:
        shown = ", ".join(open_to_others[:3]) + (" ..." if len(open_to_others) > 3 else "")
        yield Check(
            "rights", State.WARNING, f"others may look into {folder}: {shown}", f"chmod -R go= {folder}"
        )  # fmt: skip
    else:
        yield Check("rights", State.OK, f"{folder} is closed to others")


def _files(folder: Path) -> Iterable[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _writing(folder: Path) -> Iterator[Check]:
    """A file is written and deleted in each folder that a run writes into."""
    refused = []
    for place in (folder, *(folder / name for name in ("history", "report", "settings", "collected"))):
        try:
            with tempfile.TemporaryFile(dir=place) as stream:
                stream.write(b"x")
                stream.flush()
        except FileNotFoundError:
            continue  # made when it is needed
        except OSError as error:
            refused.append(f"{place} ({error.strerror})")
    if refused:
        yield Check(
            "writing", State.MISSING, f"cannot write into {', '.join(refused)}", "give the user of `watch` the right"
        )
    else:
        yield Check("writing", State.OK, f"{folder} can be written")


def _store(workspace: Workspace, now: datetime, *, network: bool) -> Iterator[Check]:
    from sidedoor.store.look import is_server, look

    try:
        url = workspace.store_url
        if is_server(url) and not network:
            yield Check("store", State.UNASKED, "a server; --network connects to it")
            return
        found = look(url, workspace.name)
    except UsageError as error:
        yield Check("store", State.MISSING, str(error), "mend [store] url, or set what it names")
        return
    except SidedoorError as error:
        yield Check("store", State.MISSING, str(error), "docs/store.md says what a store needs")
        return
    if not found.revision:
        yield Check("store", State.OK, f"{found.name}: made by the first run")
        return
    if found.revision != found.newest:
        text = f"{found.name}: schema {found.revision}, this version makes {found.newest}"
        yield Check(
            "store",
            State.WARNING,
            text,
            "the next run brings an older one up to date; a newer one needs a newer Sidedoor",
        )
        return
    yield Check("store", State.OK, f"{found.name}: schema {found.revision}")
    yield _last_run(found.last_run, found.last_success, workspace.settings.every_hours, now)


def _last_run(started: datetime | None, success: datetime | None, hours: float, now: datetime) -> Check:
    if started is None:
        return Check("last-run", State.WARNING, "no run yet", "sidedoor watch --once")
    text = f"last run {started:%Y-%m-%d %H:%M} UTC"
    if success is None or success < started:
        text += ", which did not come to its end"
        if success is not None:
            text += f"; the last that did: {success:%Y-%m-%d %H:%M} UTC"
        return Check("last-run", State.WARNING, text, "sidedoor watch --once says why")
    if now - started > timedelta(hours=_LATE * hours):
        return Check("last-run", State.WARNING, f"{text}; one every {hours:g} hours is wanted", "is the timer running?")
    return Check("last-run", State.OK, text)
