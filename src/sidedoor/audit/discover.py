"""What lies in the inputs: exports of history, the tenant's settings, and files that are neither."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence.collection import is_collection
from sidedoor.evidence.dmarc_reports import is_dmarc_report
from sidedoor.evidence.formats.message import MESSAGE, recognise_messages, recognised_folder, recognised_messages
from sidedoor.evidence.interface import Recognised
from sidedoor.evidence.registry import recognise
from sidedoor.evidence.tenant_files import is_tenant_export

# A folder with more files than this is no folder of exports; say so instead of reading for hours.
_MOST_FILES = 50_000
_FEW_MESSAGES = 100  # message files of one folder that are shown one by one


@dataclass(frozen=True, slots=True)
class Inputs:
    """The input files by what they hold. `skipped` pairs a path with why it was left out.

    reports: DMARC aggregate reports, which are no history of the tenant. collections: what collections say they lack.
    """

    histories: tuple[Recognised, ...]
    named: frozenset[Path]  # histories and reports that the user named one by one
    settings: tuple[Path, ...]
    skipped: tuple[tuple[Path, str], ...]
    reports: tuple[Path, ...] = ()
    collections: tuple[Path, ...] = ()


def discover(inputs: Sequence[Path]) -> Inputs:
    """Look into every file of `inputs` (files, and folders with all below them).

    Raises InputError for a path that does not exist, for a named file of no known format, and where nothing at all
    is of a known format. In a folder such a file is skipped, and said to be.
    """
    histories: list[Recognised] = []
    named: set[Path] = set()
    settings: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    reports: list[Path] = []
    collections: list[Path] = []
    for path, by_name in _files(inputs):
        try:
            if is_collection(path):
                collections.append(path)
                continue
            messages = recognise_messages(path)
            if messages is None and is_tenant_export(path):
                settings.append(path)
                continue
            if is_dmarc_report(path):
                reports.append(path)
                named.update({path} if by_name else ())
                continue
            recognised = messages or recognise(path)
        except InputError as error:
            if by_name:
                raise
            skipped.append((path, str(error)))
            continue
        if recognised is not None:
            histories.append(recognised)
            named.update({path} if by_name else ())
        elif by_name:
            raise InputError(str(path), "no known export format", _KNOWN)
        else:
            skipped.append((path, "no known export format"))
    together = tuple(_together(histories, named))
    return Inputs(together, frozenset(named), tuple(settings), tuple(skipped), tuple(reports), tuple(collections))


def _together(histories: Iterable[Recognised], named: Container[Path]) -> Iterator[Recognised]:
    """The histories; many single messages of one folder are one: a line for each would hide all else in coverage."""
    folders: dict[Path, list[Path]] = {}
    others: list[Recognised] = []
    for history in histories:
        if history.format is MESSAGE and history.path not in named:
            folders.setdefault(history.path.parent, []).append(history.path)
        else:
            others.append(history)
    yield from others
    for folder, files in folders.items():
        if len(files) > _FEW_MESSAGES:
            yield recognised_folder(folder, files)
        else:
            yield from (recognised_messages(path) for path in files)


_KNOWN = (
    "a message trace, trace detail, historical search, connector report, EmailEvents export, raw message, tracking "
    "log, DMARC report or tenant settings "
    "(docs/formats.md lists them)"
)


def _files(inputs: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file once, in a stable order, with whether the user named it."""
    seen: set[Path] = set()
    folders: dict[Path, Path] = {}
    for path in inputs:
        if not path.exists():
            raise InputError(str(path), "nothing there", "a file or folder of exports")
        found = sorted(_below(path)) if path.is_dir() else [path]
        for file in found:
            resolved = _resolved(file, folders)
            if resolved not in seen:
                seen.add(resolved)
                yield file, file == path


def _resolved(file: Path, folders: dict[Path, Path]) -> Path:
    """The file's one true path. Of thousands of files in one folder only a link is worth a walk from the root."""
    if file.is_symlink():
        return file.resolve()
    folder = folders.get(file.parent) or folders.setdefault(file.parent, file.parent.resolve())
    return folder / file.name


def _below(folder: Path) -> Iterator[Path]:
    """Regular files below `folder`, hidden ones and our own output left out."""
    for count, path in enumerate(folder.rglob("*")):
        if count > _MOST_FILES:
            raise InputError(str(folder), f"more than {_MOST_FILES:,} files", "a folder that holds exports")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
