"""Parts of an API document that both dialects write in the same way."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

Operation = dict[str, Any]
JSON = "application/json"


def body(schema: type[Schema] | dict[str, Any], example: Any) -> Operation:
    """Return a JSON body that must be sent."""
    return {"required": True, "content": {JSON: {"schema": schema, "example": example}}}


def parameter(name: str, description: str, *, place: str = "query", **schema: Any) -> Operation:
    """Return a parameter; `schema` is its JSON schema."""
    return {"name": name, "in": place, "description": description, "schema": schema}


def header(name: str, description: str) -> Operation:
    """Return a request header."""
    return parameter(name, description, place="header", type="string")


def failures(
    statuses: Iterable[int], reasons: Mapping[int, str], schema: type[Schema]
) -> Operation:
    """Return the responses of these statuses, each with its reason and the error schema."""
    content = {JSON: {"schema": schema}}
    return {
        str(status): {"description": reasons[status], "content": content}
        for status in sorted(statuses)
    }
