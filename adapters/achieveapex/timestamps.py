"""Texts of instants, dates and times, as AchieveApex shows them."""

from datetime import date, datetime, time

import orjson

SECONDS_END = len('"2025-04-15T14:30:00')


def timestamp_text(instant: datetime) -> str:
    """Return an aware UTC instant with three digits of a second, cut and not rounded, and `Z`."""
    # orjson writes a stamp in a third of isoformat's time; a page has twenty.
    text = orjson.dumps(instant)[1:SECONDS_END].decode()
    milliseconds = instant.microsecond // 1000
    return f"{text}.{milliseconds:03d}Z"


def date_text(day: date | None) -> str | None:
    """Return `YYYY-MM-DD`; null stays null."""
    return None if day is None else day.isoformat()


def time_text(clock: time | None) -> str | None:
    """Return `HH:MM:SS`, cut to the second; null stays null."""
    return None if clock is None else clock.isoformat("seconds")
