"""Wall clocks, zones and instants: the time model of an activity.

A dialect writes instants and the wall clock follows, or wall clocks and the instant follows.
Both go through the functions here, so that they can never disagree. Every wall clock is in its
tenant's zone, whatever `Activity.timezone` says. Zones are IANA names; instants are aware UTC
datetimes; nothing here reads a clock.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from core.domain.model import Activity

EARLIEST_DATE = date(1, 1, 3)  # Two days of room, so that no zone's offset leaves the calendar.
LATEST_DATE = date(9999, 12, 29)
MIDNIGHT = time()
MINUTE = timedelta(minutes=1)
ENDS = ("start", "end")
MACHINE_NAMES = frozenset({"localtime", "posixrules"})
"""Files that some machines keep among the zones: what they mean differs from one to another."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the IANA names that are accepted as zones."""
    return frozenset(available_timezones()) - MACHINE_NAMES


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone of an IANA name; raises ZoneInfoNotFoundError or ValueError otherwise."""
    return ZoneInfo(name)


def to_instant(day: date, clock: time | None, zone_name: str) -> datetime:
    """Return the instant of a wall clock; without a clock, of midnight.

    In a gap the clock is shifted forward by the length of the gap, in an overlap the first of
    the two instants is meant: both are what `fold=0` gives.
    """
    wall = datetime.combine(day, clock or MIDNIGHT, tzinfo=zone_of(zone_name))
    return wall.astimezone(UTC)


def to_wall_clock(instant: datetime, zone_name: str) -> tuple[date, time]:
    """Return the date and time that a clock in the zone shows at an instant."""
    wall = instant.astimezone(zone_of(zone_name))
    return wall.date(), wall.time().replace(fold=0)


def is_storable(day: date) -> bool:
    """Return whether a date leaves room for every zone's offset."""
    return EARLIEST_DATE <= day <= LATEST_DATE


def span_minutes(activity: Activity) -> int | None:
    """Return the whole minutes between two timed ends, never below 0; null without both."""
    if activity.start_time is None or activity.end_time is None:
        return None
    if activity.start_at is None or activity.end_at is None:
        return None
    return max(0, (activity.end_at - activity.start_at) // MINUTE)


def effective_duration(activity: Activity) -> int | None:
    """Return the stored duration in minutes, else the span, else null."""
    if activity.duration_minutes is not None:
        return activity.duration_minutes
    return span_minutes(activity)


def with_instant(
    activity: Activity, end: str, instant: datetime | None, *, tenant_timezone: str
) -> Activity:
    """Return the activity with one end ("start" or "end") at an instant; None clears that end."""
    if instant is None:
        return _with_end(activity, end, None, None, None)
    day, clock = to_wall_clock(instant, tenant_timezone)
    return _with_end(activity, end, day, clock, instant)


def with_wall_clock(
    activity: Activity, end: str, day: date | None, clock: time | None, *, tenant_timezone: str
) -> Activity:
    """Return the activity with one end at a wall clock, kept as written; the instant follows.

    A time without a date is kept and has no instant.
    """
    instant = None if day is None else to_instant(day, clock, tenant_timezone)
    return _with_end(activity, end, day, clock, instant)


def _with_end(
    activity: Activity, end: str, day: date | None, clock: time | None, instant: datetime | None
) -> Activity:
    values: dict[str, Any] = {f"{end}_date": day, f"{end}_time": clock, f"{end}_at": instant}
    return activity._replace(**values)


def with_tenants_clocks(activity: Activity, *, tenant_timezone: str) -> Activity:
    """Return the activity with its wall clocks in the tenant's zone.

    Of a timed end the instant stays and the clock follows, unless the clock means that instant
    already; of a whole day the date stays and the instant follows.
    """
    for end in ENDS:
        day: date | None = getattr(activity, f"{end}_date")
        clock: time | None = getattr(activity, f"{end}_time")
        instant: datetime | None = getattr(activity, f"{end}_at")
        if day is None:
            continue
        if clock is None:
            activity = with_wall_clock(activity, end, day, None, tenant_timezone=tenant_timezone)
        elif instant is not None and to_instant(day, clock, tenant_timezone) != instant:
            activity = with_instant(activity, end, instant, tenant_timezone=tenant_timezone)
    return activity


def shown_end_at(activity: Activity) -> datetime | None:
    """Return the instant of the end; without a time it never precedes the start."""
    if activity.end_at is None or activity.end_time is not None or activity.start_at is None:
        return activity.end_at
    return max(activity.end_at, activity.start_at)


def instants_in_order(activity: Activity) -> bool:
    """Return whether the end is not before the start, by instants where both ends are timed.

    A missing time never makes an end precede a start of the same date.
    """
    if activity.start_date is None or activity.end_date is None:
        return True
    if activity.start_time is None or activity.end_time is None:
        return activity.end_date >= activity.start_date
    return _at_least(activity.end_at, activity.start_at)


def wall_clocks_in_order(activity: Activity) -> bool:
    """Return whether the end is not before the start on the calendar, to the second.

    A missing time never makes an end precede a start of the same date.
    """
    if activity.start_date is None or activity.end_date is None:
        return True
    if activity.start_time is None or activity.end_time is None:
        return activity.end_date >= activity.start_date
    start = datetime.combine(activity.start_date, activity.start_time.replace(microsecond=0))
    end = datetime.combine(activity.end_date, activity.end_time.replace(microsecond=0))
    return end >= start


def _at_least(later: datetime | None, earlier: datetime | None) -> bool:
    return later is None or earlier is None or later >= earlier
