"""tenant.json: the settings an audit rested on, whole, so that `plan` needs nothing but the report's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sidedoor.audit.model import Audit
from sidedoor.errors import InputError
from sidedoor.policy.switches import SwitchError, Switches, with_switches
from sidedoor.report.words import iso
from sidedoor.tenant.codec import SCHEMA, CodecError, decode, encode
from sidedoor.tenant.snapshot import TenantSnapshot

NAME = "tenant.json"
_EXPECTED = f"{NAME} of an audit ({SCHEMA}); audit again to make one"
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class KeptSettings:
    """What an audit rested on, and when it was made."""

    snapshot: TenantSnapshot
    switches: Switches
    generated_at: datetime


def dump(audit: Audit) -> bytes:
    """The file's bytes: ASCII, sorted as the settings came."""
    body = {
        "schema": SCHEMA,
        "generated_at": iso(audit.generated_at),
        "switches": {row["name"]: row["value"] for row in audit.switches},
        "snapshot": encode(audit.snapshot),
    }
    return (json.dumps(body, indent=1, ensure_ascii=True) + "\n").encode("ascii")


def read(folder: Path) -> KeptSettings:
    """The settings kept in a report's folder. Raises InputError."""
    path = folder / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(str(path), "more than 256 MB", _EXPECTED)
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA:
            raise InputError(str(path), f"the schema {str(body['schema'])[:60]!r}", _EXPECTED)
        return KeptSettings(
            decode(body["snapshot"]), with_switches(body["switches"]), datetime.fromisoformat(body["generated_at"])
        )
    except OSError as error:
        raise InputError(str(path), f"nothing to read ({error.strerror})", _EXPECTED) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, CodecError, SwitchError) as error:
        raise InputError(str(path), f"something else ({str(error)[:100]})", _EXPECTED) from error
