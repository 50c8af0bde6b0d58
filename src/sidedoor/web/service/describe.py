"""A field's description, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field


def doc(text: str, **more: Any) -> Any:
    """For `Annotated[int, doc("Messages, counted per recipient.")]`."""
    return Field(description=text, **more)


STRICT = ConfigDict(extra="forbid")
"""For what a program sends: a key that is not known is a mistake, not nothing."""
