"""Parsers of single values of a body: each returns the core's form, or raises Refused.

They check as Ajv does under Feathers: 30.0 is the integer 30, "30" and true are none
(docs/dialects/achieveapex.md A44).
"""

import re
from collections.abc import Callable
from datetime import date, time
from typing import Any

import orjson

from core.domain.model import MAX_ID
from core.domain.schedule import EARLIEST_DATE, LATEST_DATE, is_storable
from core.domain.validators import Refused

Parser = Callable[[Any], Any]

MAX_TYPE_LENGTH = 50
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
TIME_PATTERN = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"
"""Of the API document: what `parse_time` takes."""
TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def parse_date(value: Any) -> date:
    """Return the date of `YYYY-MM-DD`; raises Refused with the reason."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise Refused('must match format "date", as in 2025-04-15')
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise Refused(f'must match format "date": {error}') from error


def parse_time(value: Any) -> time:
    """Return the time of `HH:MM:SS` or `HH:MM`; raises Refused with the reason."""
    match = TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused('must match format "time", as in 14:30:00')
    try:
        return time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError as error:
        raise Refused(f'must match format "time": {error}') from error


def parse_integer(value: Any) -> int:
    """Return a JSON number without a fraction, whichever way it is written (30 or 30.0)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Refused("must be integer")
    return int(value)


def parse_id(value: Any) -> int:
    """Return an id, 1 to 2^53-1; raises Refused with the reason."""
    number = parse_integer(value)
    if number < 1:
        raise Refused("must be >= 1")
    return _at_most(number)


def _at_most(number: int) -> int:
    if number > MAX_ID:
        raise Refused(f"must be <= {MAX_ID}")
    return number


def parse_minutes(value: Any) -> int:
    """Return a number of minutes, 0 or more."""
    number = parse_integer(value)
    if number < 0:
        raise Refused("must be >= 0")
    return _at_most(number)


def parse_text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise Refused("must be string")
    return value


def parse_activity_type(value: Any) -> str:
    """Return a text of at most 50 characters."""
    if len(parse_text(value)) > MAX_TYPE_LENGTH:
        raise Refused(f"must NOT have more than {MAX_TYPE_LENGTH} characters")
    return str(value)


def parse_flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Refused("must be boolean")
    return value


def parse_storable_date(value: Any) -> date:
    """Return a date that leaves room for every zone's offset."""
    day = parse_date(value)
    if not is_storable(day):
        raise Refused(f"must be between {EARLIEST_DATE} and {LATEST_DATE}")
    return day


def parse_place(value: Any) -> str:
    """Return the JSON text of a geocoded place; members beside the documented three are kept."""
    if not isinstance(value, dict):
        raise Refused("must be object")
    for name in ("lat", "lng"):
        if type(value.get(name, 0)) not in (int, float):
            raise Refused("must be number", path=f".{name}")
    if not isinstance(value.get("address"), str | None):
        raise Refused("must be string or null", path=".address")
    try:
        return orjson.dumps(shortest(value)).decode()
    except TypeError as error:  # Integers beyond 64 bits have no exact form here.
        raise Refused("must be made of numbers below 2^63") from error


def shortest(value: Any) -> Any:
    """Return JSON data with whole numbers as JavaScript writes them: 40, never 40.0."""
    if isinstance(value, dict):
        return {key: shortest(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shortest(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_ID:
        return int(value)
    return value


def or_null(parse: Parser) -> Parser:
    """Return the parser that also takes null."""

    def parse_nullable(value: Any) -> Any:
        return None if value is None else parse(value)

    return parse_nullable
