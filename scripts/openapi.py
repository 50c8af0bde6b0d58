"""Write docs/openapi.json from the routes of the JSON API; a test holds the file to them."""

from __future__ import annotations

from pathlib import Path

from sidedoor.web.api.document import dump

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"

if __name__ == "__main__":
    FILE.write_bytes(dump())
    print(f"{FILE}: {FILE.stat().st_size:,} octets")
