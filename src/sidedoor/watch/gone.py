"""Tenants that the last page of results had and that are not there now: a disk that is not mounted looks like that.

Left out of the page they would look like tenants at peace. A folder that was taken away on purpose is named for a week.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sidedoor.errors import InputError
from sidedoor.report.words import minute
from sidedoor.watch.results import SCHEMA, Row, files_of, row_of
from sidedoor.watch.rounds import Result

_WEEK = timedelta(days=7)
_MOST_BYTES = 256 << 20


def gone(page: Path, roots: Iterable[Path], found: Iterable[Path], now: datetime) -> list[Row]:
    """A row for each; none where there is no page yet. Raises InputError where results.json is something else."""
    path = files_of(page)[1]
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(str(path), "more than 256 MB", f"the results of a run ({SCHEMA})")
        body = json.loads(path.read_bytes())
        return list(_rows(body, {*roots}, {str(each) for each in found}, now))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            str(path), f"nothing to read ({error.strerror})", f"the results of a run ({SCHEMA})"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InputError(
            str(path),
            f"something else ({type(error).__name__}: {str(error)[:100]})",
            f"the results of a run ({SCHEMA})",
        ) from error


def _rows(body: Mapping[str, Any], roots: set[Path], found: set[str], now: datetime) -> Iterator[Row]:
    if body["schema"] != SCHEMA:
        raise ValueError(f"the schema {str(body['schema'])[:60]!r}")
    ended = datetime.fromisoformat(body["ended"])
    for each in body["tenants"]:
        folder, since = str(each["workspace"]), each["gone_since"]
        left = now if since is None else datetime.fromisoformat(since)
        if folder in found or Path(folder).parent not in roots or now - left > _WEEK:
            continue
        seen = "was there" if since is None else "has been gone since then or before"
        when = minute(ended if since is None else left)
        why = f"no workspace is in {folder} any more: on {when} it {seen}"
        yield row_of(Result(str(each["tenant"]), folder, InputError.exit_code, why), gone_since=left)
