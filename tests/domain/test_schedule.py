"""The time model: gaps, overlaps, whole days and durations, over zones that are hard."""

from datetime import UTC, date, datetime, time

import pytest

from core.domain import schedule
from core.domain.model import Activity, blank_activity

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BLANK = blank_activity(tenant_id=1, user_id=1, now=NOW)

# Each gap: what a clock never showed, and where the same instant stands on the clock.
GAPS = [
    ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 03:30"),
    ("America/New_York", "2026-03-08 02:30", "2026-03-08 03:30"),
    ("America/St_Johns", "2026-03-08 02:15", "2026-03-08 03:15"),
    ("Australia/Lord_Howe", "2026-10-04 02:10", "2026-10-04 02:40"),
    ("Africa/Cairo", "2026-04-24 00:20", "2026-04-24 01:20"),
    ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04 01:00"),
    ("Asia/Tehran", "2022-03-22 00:30", "2022-03-22 01:30"),
    ("Pacific/Auckland", "2026-09-27 02:59", "2026-09-27 03:59"),
    ("Pacific/Apia", "2011-12-30 10:00", "2011-12-31 10:00"),
]
# Each overlap: a clock time that came twice, and the first of its two instants.
OVERLAPS = [
    ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),
    ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30"),
    ("America/St_Johns", "2026-11-01 01:15", "2026-11-01 03:45"),
    ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45"),
    ("Africa/Cairo", "2026-10-29 23:30", "2026-10-29 20:30"),
    ("America/Sao_Paulo", "2018-02-17 23:30", "2018-02-18 01:30"),
    ("Asia/Tehran", "2021-09-21 23:30", "2021-09-21 19:00"),
    ("Pacific/Auckland", "2026-04-05 02:30", "2026-04-04 13:30"),
]


def moment(text: str) -> datetime:
    """Return a wall clock written as in the tables above."""
    return datetime.fromisoformat(text)


def start_at_wall(zone: str, wall: str) -> Activity:
    """Return an activity whose start was written as a wall clock."""
    when = moment(wall)
    return schedule.with_wall_clock(BLANK, "start", when.date(), when.time(), tenant_timezone=zone)


@pytest.mark.parametrize(("zone", "written", "shown"), GAPS)
def test_gap_shifts_instant_forward(zone: str, written: str, shown: str) -> None:
    activity = start_at_wall(zone, written)
    assert activity.start_at is not None
    there = moment(shown)
    assert schedule.to_wall_clock(activity.start_at, zone) == (there.date(), there.time())


@pytest.mark.parametrize(("zone", "written", "shown"), GAPS)
def test_gap_keeps_clock_as_written(zone: str, written: str, shown: str) -> None:
    activity = start_at_wall(zone, written)
    assert written != shown
    assert (activity.start_date, activity.start_time) == (
        moment(written).date(),
        moment(written).time(),
    )


@pytest.mark.parametrize(("zone", "written", "first"), OVERLAPS)
def test_overlap_means_first_instant(zone: str, written: str, first: str) -> None:
    assert start_at_wall(zone, written).start_at == moment(first).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "written", "first"), OVERLAPS)
def test_second_instant_of_overlap_survives(zone: str, written: str, first: str) -> None:
    offsets = {"Australia/Lord_Howe": 30}
    later = moment(first).replace(tzinfo=UTC).timestamp() + 60 * offsets.get(zone, 60)
    instant = datetime.fromtimestamp(later, UTC)
    activity = schedule.with_instant(BLANK, "start", instant, tenant_timezone=zone)
    assert activity.start_at == instant
    assert activity.start_time == moment(written).time()


def test_missing_day_of_apia_is_kept() -> None:
    activity = schedule.with_wall_clock(
        BLANK,
        "start",
        date(2011, 12, 30),
        None,
        tenant_timezone="Pacific/Apia",
    )
    assert activity.start_date == date(2011, 12, 30)
    assert activity.start_at == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_leap_day_is_a_date() -> None:
    activity = start_at_wall("Europe/Berlin", "2028-02-29 23:59")
    assert activity.start_at == datetime(2028, 2, 29, 22, 59, tzinfo=UTC)


def test_tenants_clocks_follow_timed_instant() -> None:
    berlin = start_at_wall("Europe/Berlin", "2026-06-01 10:00")
    moved = schedule.with_tenants_clocks(berlin, tenant_timezone="Asia/Singapore")
    assert moved.start_at == berlin.start_at
    assert moved.start_time == time(16)


def test_tenants_clocks_keep_whole_day() -> None:
    day = schedule.with_wall_clock(BLANK, "start", date(2026, 6, 1), None, tenant_timezone="UTC")
    moved = schedule.with_tenants_clocks(day, tenant_timezone="Asia/Singapore")
    assert (moved.start_date, moved.start_time) == (date(2026, 6, 1), None)
    assert moved.start_at == datetime(2026, 5, 31, 16, tzinfo=UTC)


def test_tenants_own_clock_stays_in_gap() -> None:
    gap = start_at_wall("Europe/Berlin", "2026-03-29 02:30")
    assert schedule.with_tenants_clocks(gap, tenant_timezone="Europe/Berlin") == gap


def test_users_zone_reads_no_clock() -> None:
    named = BLANK._replace(timezone="Asia/Singapore")
    written = schedule.with_wall_clock(
        named, "start", date(2026, 6, 1), time(10), tenant_timezone="UTC"
    )
    assert written.start_at == datetime(2026, 6, 1, 10, tzinfo=UTC)


def test_end_without_time_is_shown_at_start() -> None:
    start = start_at_wall("Europe/Berlin", "2026-06-01 10:00")
    day = schedule.with_wall_clock(
        start, "end", date(2026, 6, 1), None, tenant_timezone="Europe/Berlin"
    )
    assert schedule.shown_end_at(day) == start.start_at
    later = schedule.with_wall_clock(
        start, "end", date(2026, 6, 2), None, tenant_timezone="Europe/Berlin"
    )
    assert schedule.shown_end_at(later) == later.end_at


def test_span_counts_instants_across_offsets() -> None:
    start = start_at_wall("Europe/Berlin", "2026-03-29 01:00")
    both = schedule.with_wall_clock(
        start, "end", date(2026, 3, 29), time(4), tenant_timezone="Europe/Berlin"
    )
    assert schedule.span_minutes(both) == 120


def test_span_is_never_negative() -> None:
    start = start_at_wall("Europe/Berlin", "2026-06-01 10:00")
    both = schedule.with_instant(
        start, "end", datetime(2026, 6, 1, 7, tzinfo=UTC), tenant_timezone="UTC"
    )
    assert schedule.span_minutes(both) == 0


def test_span_needs_two_timed_ends() -> None:
    start = start_at_wall("Europe/Berlin", "2026-06-01 10:00")
    both = schedule.with_wall_clock(start, "end", date(2026, 6, 2), None, tenant_timezone="UTC")
    assert schedule.span_minutes(both) is None


def test_missing_time_never_precedes_same_date() -> None:
    start = start_at_wall("Europe/Berlin", "2026-06-01 23:59")
    same_day = schedule.with_wall_clock(start, "end", date(2026, 6, 1), None, tenant_timezone="UTC")
    assert schedule.instants_in_order(same_day)
    assert schedule.wall_clocks_in_order(same_day)


def test_clock_without_date_has_no_instant() -> None:
    activity = schedule.with_wall_clock(BLANK, "start", None, time(10), tenant_timezone="UTC")
    assert (activity.start_time, activity.start_at) == (time(10), None)


@pytest.mark.parametrize("zone", sorted(schedule.zone_names()))
def test_edges_of_calendar_are_storable(zone: str) -> None:
    for day in (schedule.EARLIEST_DATE, schedule.LATEST_DATE):
        instant = schedule.to_instant(day, time(23, 59, 59, 999999), zone)
        assert schedule.to_wall_clock(instant, zone)[0] == day


def test_zones_mean_the_same_everywhere() -> None:
    assert {"UTC", "Asia/Kolkata", "GB"} <= schedule.zone_names()
    assert not {"localtime", "posixrules", ""} & schedule.zone_names()
