"""Checks of single values in a record: each returns the canonical value or says why not.

Values arrive as JSON has them. Dates, times and instants become Python's; what is kept inside a
directory entity stays text, in the one form that every dialect can show as it is.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from core.domain.model import MAX_ID, MAX_LINKED_IDS
from core.domain.schedule import is_storable, zone_names

Check = Callable[[Any], Any]
Parsed = TypeVar("Parsed")

MAX_DEPTH = 32
MAX_KNOWN = 4096
"""Dates and times of day that are remembered once they were read: files name few, but often."""
MAX_LIST_ITEMS = 1000
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
CLOCK = re.compile(r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?", re.ASCII)
STAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2}(?:\.\d+)?)([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
DECIMAL = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)


class Refused(ValueError):
    """A value that cannot be; `path` leads from the field to the place, as in `[0].value`."""

    def __init__(self, reason: str, *, path: str = "") -> None:
        """Say why, and where inside the value."""
        self.path = path
        super().__init__(reason)


def text(value: Any) -> str:
    """Accept any text that PostgreSQL and UTF-8 can hold."""
    if type(value) is not str:
        raise Refused("must be text")
    if "\0" in value:
        raise Refused("holds a NUL character")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise Refused("holds a lone surrogate")
    return value


def text_up_to(limit: int) -> Check:
    """Accept text of at most `limit` characters."""

    def check(value: Any) -> str:
        if len(text(value)) > limit:
            raise Refused(f"is longer than {limit} characters")
        return str(value)

    return check


def one_of(choices: Collection[str]) -> Check:
    """Accept exactly one of these texts."""

    def check(value: Any) -> str:
        if type(value) is not str or value not in choices:
            raise Refused(f"must be one of {', '.join(sorted(choices))}")
        return value

    return check


def zone(value: Any) -> str:
    """Accept the IANA name of a time zone."""
    if type(value) is not str or value not in zone_names():
        raise Refused("must be an IANA time zone, such as Asia/Kolkata")
    return value


def zone_or_tenants(value: Any) -> str:
    """Accept the IANA name of a time zone, or "" for the tenant's."""
    return "" if value == "" else zone(value)


def flag(value: Any) -> bool:
    """Accept true or false."""
    if type(value) is not bool:
        raise Refused("must be true or false")
    return value


def whole_number(least: int, most: int = MAX_ID) -> Check:
    """Accept a whole number between two bounds, both included."""

    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Refused(f"must be a whole number from {least} to {most}")
        return value

    return check


identifier = whole_number(1)


def identifiers(value: Any) -> tuple[int, ...]:
    """Accept an ordered list of ids."""
    if type(value) is not list or len(value) > MAX_LINKED_IDS:
        raise Refused(f"must be a list of at most {MAX_LINKED_IDS} ids")
    for index, element in enumerate(value):
        if type(element) is not int or not 1 <= element <= MAX_ID:
            _inside(identifier, element, f"[{index}]")
    return tuple(value)


def decimal_text(value: Any) -> str:
    """Accept a decimal number written as text, and keep it as written."""
    if type(value) is not str or not DECIMAL.fullmatch(value):
        raise Refused('must be a decimal number as text, such as "12.50"')
    return value


def day(value: Any) -> date:
    """Accept a date, YYYY-MM-DD."""
    if type(value) is not str:
        raise Refused("must be a date, YYYY-MM-DD")
    return _day(value)


@lru_cache(MAX_KNOWN)
def _day(value: str) -> date:
    if not DAY.fullmatch(value):
        raise Refused("must be a date, YYYY-MM-DD")
    return _storable(_parsed(date.fromisoformat, value))


def clock(value: Any) -> time:
    """Accept a time of day, HH:MM, HH:MM:SS or finer; what is below a microsecond is cut."""
    if type(value) is not str:
        raise Refused("must be a time, HH:MM:SS")
    return _clock(value)


@lru_cache(MAX_KNOWN)
def _clock(value: str) -> time:
    if not CLOCK.fullmatch(value):
        raise Refused("must be a time, HH:MM:SS")
    return _parsed(time.fromisoformat, value)


def instant(value: Any) -> datetime:
    """Accept an RFC 3339 stamp with its offset; what is below a microsecond is cut."""
    match = STAMP.fullmatch(value) if type(value) is str else None
    if match is None:
        raise Refused("must be an RFC 3339 stamp with an offset, such as 2021-08-05T13:15:49Z")
    stamp = _parsed(datetime.fromisoformat, value.upper())
    _storable(stamp.date())
    return stamp if stamp.tzinfo is UTC else stamp.astimezone(UTC)


def instant_text(value: Any) -> str:
    """Accept a stamp, or a date for its midnight in UTC, and return it as `stamp_text` does."""
    if type(value) is str and DAY.fullmatch(value):
        return f"{day(value).isoformat()}T00:00:00Z"
    return stamp_text(instant(value))


def stamp_text(moment: datetime) -> str:
    """Return an aware instant as RFC 3339 in UTC, without trailing zeros of its fraction."""
    written = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{written.rstrip('0') if '.' in written else written}Z"


def json_object_text(value: Any) -> str:
    """Accept any JSON object and return it as compact JSON text."""
    if type(value) is not dict:
        raise Refused("must be an object")
    _check_json(value, depth=0)
    return orjson.dumps(value).decode()


def object_of(checks: Mapping[str, Check]) -> Check:
    """Accept an object with some of these fields; null counts as left out."""

    def check(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Refused("must be an object")
        for name in value:
            if name not in checks:
                raise Refused("is not a known field", path=f".{name}")
        given = {name: value[name] for name in checks if value.get(name) is not None}
        return {name: _inside(checks[name], part, f".{name}") for name, part in given.items()}

    return check


def list_of(check_one: Check) -> Check:
    """Accept a list of which every element passes."""

    def check(value: Any) -> list[Any]:
        if type(value) is not list or len(value) > MAX_LIST_ITEMS:
            raise Refused(f"must be a list of at most {MAX_LIST_ITEMS} elements")
        return [_inside(check_one, part, f"[{index}]") for index, part in enumerate(value)]

    return check


def _inside(check: Check, value: Any, place: str) -> Any:
    try:
        return check(value)
    except Refused as refusal:
        raise Refused(str(refusal), path=place + refusal.path) from refusal


def _parsed(parse: Callable[[str], Parsed], written: str) -> Parsed:
    try:
        return parse(written)
    except ValueError as error:
        raise Refused("is not on the calendar or the clock") from error


def _storable(value: date) -> date:
    if not is_storable(value):
        raise Refused("is outside the years that can be stored")
    return value


def _check_json(value: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Refused("is nested too deeply")
    if type(value) is str:
        text(value)
    elif type(value) is dict:
        for name, part in value.items():
            text(name)
            _check_json(part, depth=depth + 1)
    elif type(value) is list:
        for part in value:
            _check_json(part, depth=depth + 1)
