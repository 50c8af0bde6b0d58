"""A field's description, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def said(text: str, **more: Any) -> Any:
    """For `Annotated[int, said("Messages, counted per recipient.")]`."""
    return Field(description=text, **more)
