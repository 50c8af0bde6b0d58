"""What a collection keeps on disk: parts, and a state that says how much of each part counts.

A step's lines are appended and flushed first, then the state is replaced whole. After a cut each part is shortened to
what the state says, so a step is there once or not at all. Finished files are moved into the folder; everything else
is hidden in `.collect`, which the audit passes over. No token and no secret is ever given to this module.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Self

from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.exchange.work import Cursor, Line, Step, Work

SCHEMA = "sidedoor/collect-state/1"
HIDDEN = ".collect"
_MOST_TOLD = 200
csv.field_size_limit(1 << 24)


@dataclass(slots=True)
class Part:
    """How far one file has come. done: it lies in the folder. failed: why the last run could not go on with it.

    how: what to do about that. gone: what of it the service had forgotten when it was asked. missing: what it could not
    give. told: oddities.
    """

    bytes: int = 0
    rows: int = 0
    cursor: Cursor | None = None
    done: bool = False
    failed: str = ""
    how: str = ""
    gone: str = ""
    missing: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


class Store:
    """A folder under collection. One process at a time; `with` locks and unlocks it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._hidden = folder, folder / HIDDEN
        self.plan: dict[str, object] = {}
        self.parts: dict[str, Part] = {}
        self.sent: Callable[[], list[float]] = list
        """When the requests that the limit still counts were sent; kept for the run after this one."""
        self.sent_before: list[float] = []
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            # Exports hold who wrote to whom and when.
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._hidden.mkdir(exist_ok=True, mode=0o700)
            self._lock = _open(self._hidden / "lock", "wb")
            _lock(self._lock, self.folder)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({error.strerror})") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def load(self) -> bool:
        """Take up the state of an earlier run; False where there is none. Raises InputError for a damaged one."""
        path = self._hidden / "state.json"
        if not path.exists():
            return False
        try:
            state = json.loads(path.read_bytes())
            self.plan = dict(state["plan"])
            self.parts = {name: _part(part) for name, part in state["parts"].items()} if _ours(state) else {}
            self.sent_before = [float(each) for each in state.get("sent", [])]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                str(path), "no state of a collection", f"{SCHEMA}; or collect into a new folder"
            ) from error
        if not _ours(state):
            raise InputError(str(path), "a state of another version", f"{SCHEMA}; or collect into a new folder")
        return True

    def save(self) -> None:
        """Replace the state whole."""
        state = {
            "schema": SCHEMA, "plan": self.plan, "sent": self.sent(),
            "parts": {name: _plain(part) for name, part in self.parts.items()},
        }  # fmt: skip
        self.write(Path(HIDDEN) / "state.json", json.dumps(state, indent=1).encode())

    def write(self, name: Path | str, data: bytes) -> None:
        """Write a file of the folder whole or not at all. Raises OutputError."""
        path = self.folder / name
        temporary = self._hidden / f"{path.name}.new"
        try:
            with _open(temporary, "wb") as stream:
                stream.write(data)
                _flush(stream)
            _into_place(temporary, path)
        except OSError as error:
            raise _unwritten(path, error) from error

    def read(self, name: str) -> object:
        """A JSON file in the hidden folder; None where it is not there."""
        path = self._hidden / name
        try:
            return json.loads(path.read_bytes()) if path.exists() else None
        except (OSError, ValueError) as error:
            raise InputError(str(path), "no JSON", "what an earlier run wrote; or collect into a new folder") from error

    def run(self, work: Work) -> Iterator[Part]:
        """Do the work from where it stands, a step at a time; nothing where it is done. Raises what a step raises."""
        part = self.parts.setdefault(work.name, Part())
        if part.done:
            return
        path = self._hidden / f"{work.name}.part"
        part.failed = ""
        self._shorten(path, part)
        if part.cursor is None:
            part.cursor = work.start()
        else:
            work.resume(_lines(path, work))
        cursor: Cursor | None = part.cursor
        while cursor is not None:
            cursor = self._keep(path, part, work, work.step(cursor))
            yield part
        self._publish(path, part, work)
        yield part

    def _shorten(self, path: Path, part: Part) -> None:
        """Forget what was written after the last state; where less is there than the state says, begin again."""
        try:
            with _open(path, "ab") as stream:
                if stream.tell() < part.bytes:
                    part.bytes, part.rows, part.cursor, part.missing, part.told = 0, 0, None, [], []
                stream.truncate(part.bytes)
        except OSError as error:
            raise _unwritten(path, error) from error

    def _keep(self, path: Path, part: Part, work: Work, step: Step) -> Cursor | None:
        lines = [work.header, *step.lines] if part.bytes == 0 and work.header else step.lines
        data = b"".join(_encoded(line, plain=not work.header) for line in lines)
        try:
            with _open(path, "ab") as stream:
                stream.write(data)
                _flush(stream)
        except OSError as error:
            raise _unwritten(path, error) from error
        part.bytes, part.rows, part.cursor = part.bytes + len(data), part.rows + len(step.lines), step.cursor
        part.missing += step.missing
        part.told = list(dict.fromkeys([*part.told, *step.told]))[:_MOST_TOLD]
        if step.cursor is not None:
            self.save()
        return step.cursor

    def _publish(self, path: Path, part: Part, work: Work) -> None:
        """Into the folder; JSON lines become an array, as ConvertTo-Json writes it. A cut here begins the part anew."""
        try:
            if work.header:
                _into_place(path, self.folder / work.name)
            else:
                self._array(path, work.name)
        except OSError as error:
            raise _unwritten(path, error) from error
        part.done = True
        self.save()
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def _array(self, path: Path, name: str) -> None:
        temporary = self._hidden / f"{name}.new"
        with path.open("rb") as lines, _open(temporary, "wb") as stream:
            stream.write(b"[")
            for number, line in enumerate(lines):
                stream.write((b",\n" if number else b"\n") + line.rstrip(b"\n"))
            stream.write(b"\n]\n")
            _flush(stream)
        _into_place(temporary, self.folder / name)

    def fail(self, name: str, why: str, how: str) -> None:
        """A work that cannot go on: what it has got is kept in hiding, and what is missing is said."""
        part = self.parts.setdefault(name, Part())
        part.failed, part.how = why, how
        self.save()


def _ours(state: Mapping[str, object]) -> bool:
    return state["schema"] == SCHEMA


def _plain(part: Part) -> dict[str, object]:
    return {**asdict(part), "cursor": None if part.cursor is None else dict(part.cursor)}


def _part(found: dict[str, object]) -> Part:
    """Raises TypeError, ValueError for what no earlier run wrote."""
    part = Part(**found)  # type: ignore[arg-type]
    if not isinstance(part.bytes, int) or not isinstance(part.rows, int) or min(part.bytes, part.rows) < 0:
        raise ValueError("a size")
    if (
        not isinstance(part.cursor, dict | None)
        or not isinstance(part.missing, list)
        or not isinstance(part.told, list)
    ):
        raise TypeError("a cursor")
    return part


def _encoded(line: Sequence[str], *, plain: bool) -> bytes:
    """A CSV row as Export-Csv -NoTypeInformation writes it, every cell in quotes; or one line as it is."""
    if plain:
        return line[0].encode("ascii") + b"\n"
    return (",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\r\n").encode("utf-8", "replace")


def _lines(path: Path, work: Work) -> Iterator[Line]:
    """The lines of a part."""
    if work.header:
        with path.open(encoding="utf-8", newline="") as stream:
            yield from (tuple(row) for row in csv.reader(stream))


def _open(path: Path, mode: str) -> IO[bytes]:
    """A file for its owner alone, in whatever folder it comes to lie: it says who wrote to whom."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def _flush(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _into_place(temporary: Path, path: Path) -> None:
    """Rename, and make the name last: a power failure may otherwise bring the old folder back with the new state."""
    temporary.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a finished file of ours."""
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _lock(stream: IO[bytes], folder: Path) -> None:
    """Two collections into one folder would write into each other's parts. The lock ends with the process."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except (BlockingIOError, PermissionError) as error:
        raise UsageError(f"{folder}: another collection is running into it") from error


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")
