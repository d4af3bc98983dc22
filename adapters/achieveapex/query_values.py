"""Parsers of single values of a query, chosen by the type of their column.

Values come as text from a URL or typed from a JSON body; both are accepted everywhere.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from adapters.achieveapex.body_values import parse_date, parse_integer, parse_time
from adapters.achieveapex.fields import Field, Kind
from core.domain.errors import InvalidQuery
from core.domain.model import MAX_ID
from core.domain.validators import Refused

BEYOND = MAX_ID + 1  # Larger than any stored number, and small enough for the database.
INTEGER = re.compile(r"[+-]?\d{1,40}(?:\.0{1,40})?", re.ASCII)
NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)


# rest-client sends null as the empty string; only in text is that a value of its own
# (docs/dialects/achieveapex.md A80, A81).
_NULL_TEXTS: dict[Kind, tuple[str, ...]] = {
    "text": (),
    "integer": ("", "null"),
    "members": ("", "null"),
    "number": ("", "null"),
}


def null_texts(field: Field) -> tuple[str, ...]:
    """Return the texts that a URL has for null."""
    return _NULL_TEXTS.get(field.kind, ("",)) if field.nullable else ()


def parse_value(field: Field, value: Any, path: str) -> Any:
    """Return a value as the column holds it. Raises: InvalidQuery, with the reason."""
    if value is None or value in null_texts(field):
        return None
    try:
        return _PARSERS[field.kind](value)
    except Refused as refusal:
        raise InvalidQuery(path, str(refusal)) from refusal


def _integer(value: Any) -> int:
    if isinstance(value, str):
        if not INTEGER.fullmatch(value):
            raise Refused("must be integer")
        value = int(value.partition(".")[0])
    return max(-BEYOND, min(BEYOND, parse_integer(value)))


def _number(value: Any) -> int | float:
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value) if re.search(r"[.eE]", value) else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("must be number")
    number = max(-BEYOND, min(BEYOND, value))
    return int(number) if number == int(number) else number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise Refused("must be boolean")
    return bool(value == "true")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("must be string")
    return value


def _json(_value: Any) -> None:
    raise Refused("must be null; other values of this column cannot be compared")


def _timestamp(value: Any) -> datetime:
    if not isinstance(value, str) or not TIMESTAMP.fullmatch(value):
        raise Refused('must match format "date-time", as in 2025-04-15T14:30:00.000Z')
    try:
        instant = datetime.fromisoformat(value)
        instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f'must match format "date-time": {error}') from error
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


_PARSERS: dict[Kind, Callable[[Any], bool | int | float | str | date | time | datetime | None]] = {
    "integer": _integer,
    "members": _integer,
    "number": _number,
    "boolean": _boolean,
    "text": _text,
    "json": _json,
    "date": parse_date,
    "time": parse_time,
    "timestamp": _timestamp,
}
