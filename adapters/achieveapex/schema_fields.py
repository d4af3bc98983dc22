"""Schema fields of the kinds that AchieveApex's page knows, for the API document."""

from typing import Any

from marshmallow import fields

from core.domain.model import MAX_ID


def identifier(description: str, *, nullable: bool = False) -> fields.Integer:
    """Return a field for an id."""
    metadata = {"description": description, "minimum": 1, "maximum": MAX_ID}
    return fields.Integer(strict=True, allow_none=nullable, metadata=metadata)


def text(description: str, **metadata: Any) -> fields.String:
    """Return a field for a text or null."""
    return fields.String(allow_none=True, metadata={"description": description, **metadata})


def timestamp(description: str, *, nullable: bool = False) -> fields.String:
    """Return a field for an instant in UTC."""
    example = None if nullable else "2025-03-28T09:30:15.391Z"
    metadata = {"description": description, "format": "date-time", "example": example}
    return fields.String(allow_none=nullable, metadata=metadata)
