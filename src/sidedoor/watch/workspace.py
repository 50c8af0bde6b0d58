"""A workspace: the folder of one tenant, with its settings, its history and what was said of it.

sidedoor.toml   settings                     history/    mail history by day
inbox/          exports laid there by hand   report/     the last answer, its plan below it
settings/       the tenant's settings        bounces/    non-delivery reports
collected/      what `watch` fetched         sidedoor.db the store, unless it is elsewhere
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.watch.settings import NAME, WHAT, Settings, read_settings

FOLDERS = ("inbox", "settings", "collected", "bounces", "history", "report")
_LOCK, _PUBLISHED = ".lock", ".publishing"
_READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace, open for reading; `running` and `publishing` for those who write."""

    folder: Path
    settings: Settings

    @property
    def name(self) -> str:
        """The domain it is about."""
        return self.settings.domain

    @property
    def collected(self) -> Path:
        return self.folder / "collected"

    @property
    def tenant_settings(self) -> Path:
        return self.folder / "settings"

    @property
    def history(self) -> Path:
        return self.folder / "history"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    @property
    def store_url(self) -> str:
        """Where the store is; `env:NAME` keeps a password out of the file. Raises UsageError."""
        url = self.settings.store
        if not url:
            return f"sqlite:///{(self.folder / 'sidedoor.db').resolve().as_posix()}"
        return from_environment(url, "[store] url") if url.startswith("env:") else url

    def path(self, name: str) -> Path:
        """A path of the settings: relative ones are the workspace's."""
        return self.folder / Path(name).expanduser()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Held while a run writes. Raises UsageError where another run is under way."""
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(f"{self.folder}: another run is under way in this workspace") from error
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror})") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Held while the files of `report` are moved into place, and while they are read, so that they fit together."""
        try:
            with FileLock(self.folder / _PUBLISHED).acquire(timeout=_READ_SECONDS):
                yield
        except Timeout as error:
            raise OutputError(f"{self.report}: somebody else has held it for {_READ_SECONDS:.0f} s") from error


def from_environment(text: str, where: str) -> str:
    """The value of `env:NAME`. Raises UsageError that does not repeat it."""
    name = text.removeprefix("env:")
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"{where}: no environment variable {name[:60]!r}, or it is empty")
    return value


def open_workspace(folder: Path) -> Workspace:
    """The workspace in `folder`. Raises InputError."""
    try:
        there = (folder / NAME).is_file()
    except OSError as error:
        raise InputError(str(folder), f"what cannot be read ({error.strerror})", "a workspace") from error
    if not there:
        raise InputError(str(folder), f"no {NAME}", "a workspace; `sidedoor init DOMAIN` makes one")
    return Workspace(folder, read_settings(folder / NAME))


def workspaces(folders: Iterable[Path]) -> list[Path]:
    """The folders of all workspaces in `folders`: each is one, or holds some side by side. Raises InputError.

    One that cannot be looked into counts, so that its run says so: left out, it would look like a quiet tenant. So does
    one of several `folders` that holds none (a disk that is not mounted); where none holds any, nothing can be done.
    """
    found: dict[Path, None] = {}
    troubles = []
    for folder in folders:
        try:
            found |= dict.fromkeys(_all_in(folder))
        except InputError as error:
            troubles.append(error)
            found[folder] = None
    if troubles and len(troubles) == len(found):
        raise troubles[0]
    return list(found)


def _all_in(folder: Path) -> list[Path]:
    below = [folder] if _is_one(folder) else [path for path in _inside(folder) if _is_one(path)]
    if not below:
        raise InputError(str(folder), "no workspace, and none below it", f"{WHAT}; `sidedoor init DOMAIN` makes one")
    return below


def _is_one(folder: Path) -> bool:
    try:
        (folder / NAME).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return folder.name != "lost+found" and not folder.name.startswith(".")
    return True


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(str(folder), f"what cannot be read ({error.strerror})", "a folder of workspaces") from error


def make_workspace(folder: Path, text: str) -> Workspace:
    """Make a workspace with `text` as its settings, readable by its owner alone. Raises OutputError, InputError."""
    if (folder / NAME).exists():
        raise OutputError(f"{folder}: is a workspace already")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True, mode=0o700)
        with (folder / NAME).open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error
    return open_workspace(folder)
