"""Bodies of requests: what must be true of them whatever is stored."""

from collections.abc import Container
from typing import Any

from marshmallow import ValidationError

from adapters.deskera.body_values import parse_bulk_ids
from adapters.deskera.schemas import MultiActivityUpdate
from core.domain.errors import InvalidActivity
from core.domain.validators import Refused

BULK_KEYS = ("visibility_type", "is_status")
BULK_BODY_KEYS = frozenset({"ids", *BULK_KEYS})


def object_body(body: Any) -> dict[str, Any]:
    """Return a body by the lower-case names of its keys; an exact spelling wins.

    Go, in which Deskera's service is written, matches the keys of a body whatever their case:
    docs/dialects/deskera.md D39.
    Raises: InvalidActivity, if the body is not an object.
    """
    if not isinstance(body, dict):
        raise InvalidActivity("body", "must be a JSON object")
    return {key.lower(): value for key, value in body.items()} | body


def bulk_change(body: Any) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Return the ids of a bulk update and what to write to each of them.

    Raises: InvalidActivity, naming every wrong key.
    """
    try:
        loaded: dict[str, Any] = MultiActivityUpdate().load(object_body(body))
    except ValidationError as error:
        problems = [(name, reasons[0]) for name, reasons in error.messages_dict.items()]
        raise InvalidActivity.from_problems(problems) from error
    return loaded["ids"], {key: loaded[key] for key in BULK_KEYS if key in loaded}


def bulk_ids(body: Any) -> tuple[int, ...]:
    """Return the ids of a bulk delete, whose body is a bare list. Raises: InvalidActivity."""
    try:
        return parse_bulk_ids(body)
    except Refused as refusal:
        raise InvalidActivity("body", str(refusal)) from refusal


def ignored_keys(body: dict[str, Any], known: Container[str]) -> list[str]:
    """Return the keys of a body that mean nothing: unknown ones, and other spellings of known."""
    return [
        key
        for key in body
        if key.lower() not in known or (key != key.lower() and key.lower() in body)
    ]
