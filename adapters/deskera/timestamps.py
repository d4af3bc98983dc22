"""Texts of instants and of lengths of time, as Deskera shows them.

Deskera's service is written in Go: fractions of a second lose their trailing zeros, and a zero
offset is `Z`, never `+00:00`: docs/dialects/deskera.md D46, D51.
"""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from orjson import OPT_UTC_Z, dumps

from core.domain.schedule import zone_of

CLOCK_END = len("2021-08-05T12:37:03")
FRACTION_END = len("2021-08-05T12:37:03.000000")
LAST_YEAR_OF_SECONDS = 1972
"""The last year in which a zone's offset had seconds (Liberia's)."""

TimestampWriter = Callable[[datetime], str]


@lru_cache(maxsize=1024)
def timestamp_writer(zone_name: str) -> TimestampWriter:
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


def duration_text(minutes: int | None) -> str:
    """Return whole minutes as "1h 21m", both parts always; null is ""."""
    return "" if minutes is None else f"{minutes // 60}h {minutes % 60}m"
