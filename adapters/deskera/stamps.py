"""Texts of instants and of lengths of time, as Deskera writes them and as it reads them.

Deskera's service is written in Go: fractions of a second lose their trailing zeros, and a zero
offset is `Z`, never `+00:00`. Source: reference samples of contacts, deals and activities.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from orjson import OPT_UTC_Z, dumps

from core.domain.model import MAX_ID
from core.domain.schedule import is_storable, zone_of
from core.domain.validators import Refused

STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]"
    r"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?)"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
LENGTH = re.compile(r"(?=\d)(?:(\d{1,16})h)?(?:\s*(\d{1,16})m)?", re.ASCII)
CLOCK_END = len("2021-08-05T12:37:03")
FRACTION_END = len("2021-08-05T12:37:03.000000")
LAST_YEAR_OF_SECONDS = 1972
"""The last year in which a zone's offset had seconds (Liberia's)."""

StampWriter = Callable[[datetime], str]


@lru_cache(maxsize=1024)
def stamp_writer(zone_name: str) -> StampWriter:
    """Return the function that writes instants as RFC 3339 in one zone."""
    if zone_name == "UTC":
        return _stamp
    zone = zone_of(zone_name)

    def write(instant: datetime) -> str:
        wall = instant.astimezone(zone)
        return _stamp(wall if wall.year > LAST_YEAR_OF_SECONDS else _at_whole_minute_offset(wall))

    return write


def _stamp(wall: datetime) -> str:
    # orjson writes a stamp in a fifth of isoformat's time; a page has forty.
    text = dumps(wall, None, OPT_UTC_Z)[1:-1].decode()
    microsecond = wall.microsecond
    if not microsecond or microsecond % 10:
        return text
    return text[:CLOCK_END] + text[CLOCK_END:FRACTION_END].rstrip("0") + text[FRACTION_END:]


def _at_whole_minute_offset(wall: datetime) -> datetime:
    """Return the same instant at an offset that RFC 3339 can write.

    Before zones were standardised, local mean times had seconds in their offsets.
    """
    offset = wall.utcoffset() or timedelta()
    minutes = int(offset / timedelta(minutes=1))  # Cut towards zero.
    return wall.astimezone(timezone(timedelta(minutes=minutes)))


def read_stamp(raw: object) -> datetime | None:
    """Return the UTC instant of an RFC 3339 text, cut to the microsecond; null stays null.

    Raises: Refused.
    """
    if raw is None:
        return None
    match = STAMP.fullmatch(raw) if isinstance(raw, str) else None
    if match is None:
        raise Refused("must be an RFC 3339 timestamp, such as 2021-08-05T13:15:49Z")
    try:
        instant = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3].upper()}")
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused("is not on the calendar") from error
    return storable(instant)


def storable(instant: datetime) -> datetime:
    """Return the instant if its UTC date leaves room for every zone. Raises: Refused."""
    if not is_storable(instant.date()):
        raise Refused("is outside the years that can be stored")
    return instant


def duration_text(minutes: int | None) -> str:
    """Return whole minutes as "1h 21m", both parts always; null is ""."""
    return "" if minutes is None else f"{minutes // 60}h {minutes % 60}m"


def read_duration(raw: object) -> int | None:
    """Return the minutes of "1h 21m", "1h", "21m" or a whole number of minutes; "" is null.

    Samples of 2021 show text, the model and samples of 2020 an integer: both are taken.
    Raises: Refused.
    """
    if raw == "":
        return None
    match = LENGTH.fullmatch(raw) if isinstance(raw, str) else None
    if match is not None:
        raw = int(match[1] or 0) * 60 + int(match[2] or 0)
    if type(raw) is not int or not 0 <= raw <= MAX_ID:
        raise Refused('must be a length of time such as "1h 21m", or whole minutes')
    return raw


def later(instant: datetime, minutes: int) -> datetime:
    """Return the storable instant that many minutes later. Raises: Refused."""
    try:
        return storable(instant + timedelta(minutes=minutes))
    except OverflowError as error:
        raise Refused("ends outside the years that can be stored") from error
