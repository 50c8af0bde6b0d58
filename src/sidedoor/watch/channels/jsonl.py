"""JSON lines for a SIEM: a line for each message, appended and flushed to disk; the only channel that can look.

A line counts only whole: what a crash tore off is no message, and the next one begins on a line of its own behind it.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sidedoor.report.plain import plain
from sidedoor.store.model import Alert, Occasion
from sidedoor.watch.channels.interface import PermanentError, TemporaryError
from sidedoor.watch.channels.message import when

SCHEMA = "sidedoor/alert/1"
_MOST_LINE = 1 << 24
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class JsonlChannel:
    """One file. most_bytes: beyond which it is renamed to `NAME.1`, and so on up to `NAME.kept`; 0: never.

    Rotation by another program is taken up by itself: the file is opened anew for each message.
    """

    name: str
    path: Path
    most_bytes: int = 0
    kept: int = 5
    patience: float = 10.0  # seconds for another run to write its line

    @property
    def looks(self) -> bool:
        """Yes: in the file, and in those that rotation has renamed."""
        return True

    def send(self, alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> None:
        """Append one line, or nothing where a repeat finds its delivery there."""
        line = _line(alert, occasion, tenant, delivery_id, repeat=repeat)
        try:
            with _locked(self.path, self.patience) as stream:
                if repeat and self._holds(stream, delivery_id):
                    return
                _append(stream, line)
                size = stream.seek(0, os.SEEK_END)
            if self.most_bytes and size >= self.most_bytes:
                self._rotate()
        except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
            raise PermanentError(f"{self.path}: {error.strerror}") from None
        except OSError as error:
            raise TemporaryError(f"{self.path}: {error.strerror or error}") from None

    def _holds(self, stream: IO[bytes], delivery_id: str) -> bool:
        """Newest file first: a possible repeat is seldom old."""
        if _stands_in(stream, delivery_id):
            return True
        for number in range(1, self.kept + 1):
            with suppress(FileNotFoundError), self._renamed(number).open("rb") as older:
                if _stands_in(older, delivery_id):
                    return True
        return False

    def _renamed(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _rotate(self) -> None:
        """Rename under the lock; whoever came first has done it. A cut between two renames loses nothing."""
        with _locked(self.path, self.patience) as stream:
            if stream.seek(0, os.SEEK_END) < self.most_bytes:
                return
            for number in range(self.kept - 1, 0, -1):
                with suppress(FileNotFoundError):
                    self._renamed(number).replace(self._renamed(number + 1))
            self.path.replace(self._renamed(1))
            _flush_folder(self.path)


def _line(alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> bytes:
    """Values as they came, escaped as JSON; ASCII, so that no reader of lines finds one that is none."""
    finding = alert.finding
    body: dict[str, Any] = {
        "schema": SCHEMA, "delivery": delivery_id, "time": when(alert, occasion), "tenant": tenant,
        "occasion": occasion, "repeat": repeat, "alert": alert.id, "kind": finding.kind, "subject": finding.subject,
        "severity": finding.severity, "title": finding.title, "text": finding.text, "advice": finding.advice,
        "source": finding.source, "since": finding.since, "raised_at": alert.raised_at,
        "evidence": [{"name": name, "value": value} for name, value in finding.evidence],
    }  # fmt: skip
    return json.dumps(plain(body), ensure_ascii=True).encode("ascii") + b"\n"


@contextmanager
def _locked(path: Path, patience: float) -> Iterator[IO[bytes]]:
    """The file, made for its owner alone where it is not there, locked against another run; the one under that name."""
    while True:
        new = not path.exists()
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0)
        with stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise PermissionError(1, "no regular file")
            _lock(stream, patience)
            if not _still_there(path, stream):
                continue  # another run has renamed it while we waited
            if new:
                _flush_folder(path)
            yield stream
            return


def _still_there(path: Path, stream: IO[bytes]) -> bool:
    with suppress(FileNotFoundError):
        here, there = os.fstat(stream.fileno()), path.stat()
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
    return False


def _lock(stream: IO[bytes], patience: float) -> None:
    """Raises BlockingIOError where another run keeps it too long. Windows' own sharing rules serve there."""
    try:
        import fcntl
    except ImportError:
        return
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _append(stream: IO[bytes], line: bytes) -> None:
    """One whole line on disk, or the file as it was."""
    before = stream.seek(0, os.SEEK_END)
    if before:
        stream.seek(before - 1)
        line = line if stream.read(1) == b"\n" else b"\n" + line
    try:
        written = 0
        while written < len(line):
            written += os.write(stream.fileno(), line[written:])
        os.fsync(stream.fileno())
    except OSError:
        with suppress(OSError):  # half a line would be no message either, only dirt
            os.ftruncate(stream.fileno(), before)
        raise


def _stands_in(stream: IO[bytes], delivery_id: str) -> bool:
    """Whether a whole line of the file is of that delivery."""
    wanted = json.dumps(delivery_id).encode("ascii")
    return any(wanted in line and _delivery(line) == delivery_id for line in _lines(stream))


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of the file in bounded memory; one that is longer than any of ours is none."""
    stream.seek(0)
    rest = b""
    while block := stream.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > _MOST_LINE:
            rest = b"\0"
    if rest:
        yield rest  # without its end: whole all the same, where nothing but the line break was lost


def _delivery(line: bytes) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    return str(found.get("delivery", "")) if isinstance(found, dict) else ""


def _flush_folder(path: Path) -> None:
    """The name of a new file is on disk only when its folder is. Windows opens no folders."""
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
