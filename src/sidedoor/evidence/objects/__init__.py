"""The objects inside the containers that PowerShell and the APIs write.

JSON array, one JSON object, `{"value": [...]}` with OData side keys, `{"results": [...]}`, `{"records": [...]}`,
lines of JSON, ScubaGear's provider export, and Export-Clixml. Each file is told by its content.
"""

from __future__ import annotations

from sidedoor.evidence.objects.reader import envelope_of, iter_objects, peek_objects, peek_parts, sections_of
from sidedoor.tenant.moments import parse_ps_date

__all__ = ["envelope_of", "iter_objects", "parse_ps_date", "peek_objects", "peek_parts", "sections_of"]
