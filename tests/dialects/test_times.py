"""The time model through both dialects: gaps, overlaps, whole days and lengths, zone by zone."""

from typing import Any, NamedTuple

import pytest
from support.strategies import BLANK
from support.wire_bodies import achieveapex_document, deskera_document

from adapters.achieveapex import translate as achieveapex
from adapters.deskera import translate as deskera
from core.domain.errors import InvalidActivity
from core.domain.model import Activity, Tenant

TENANT = Tenant(27, "Apex", "UTC", "UTC")
STORED = BLANK._replace(id=1)

# What a clock never showed, and the instant that it stands for: shifted by the gap.
GAPS = [
    ("Europe/Berlin", "2026-03-29", "02:30:00", "2026-03-29T01:30:00Z"),
    ("America/New_York", "2026-03-08", "02:30:00", "2026-03-08T07:30:00Z"),
    ("America/St_Johns", "2026-03-08", "02:15:00", "2026-03-08T05:45:00Z"),
    ("Australia/Lord_Howe", "2026-10-04", "02:10:00", "2026-10-03T15:40:00Z"),
    ("Africa/Cairo", "2026-04-24", "00:20:00", "2026-04-23T22:20:00Z"),
    ("America/Sao_Paulo", "2018-11-04", "00:00:00", "2018-11-04T03:00:00Z"),
    ("Asia/Tehran", "2022-03-22", "00:30:00", "2022-03-21T21:00:00Z"),
    ("Pacific/Auckland", "2026-09-27", "02:59:59", "2026-09-26T14:59:59Z"),
    ("Pacific/Apia", "2011-12-30", "10:00:00", "2011-12-30T20:00:00Z"),
]
# What a clock showed twice, and its two instants.
OVERLAPS = [
    ("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
    ("America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
    ("America/St_Johns", "2026-11-01 01:15:00", "2026-11-01T03:45:00Z", "2026-11-01T04:45:00Z"),
    ("Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"),
    ("Africa/Cairo", "2026-10-29 23:30:00", "2026-10-29T20:30:00Z", "2026-10-29T21:30:00Z"),
    ("America/Sao_Paulo", "2018-02-17 23:30:00", "2018-02-18T01:30:00Z", "2018-02-18T02:30:00Z"),
    ("Asia/Tehran", "2021-09-21 23:30:00", "2021-09-21T19:00:00Z", "2021-09-21T20:00:00Z"),
    ("Pacific/Auckland", "2026-04-05 02:30:00", "2026-04-04T13:30:00Z", "2026-04-04T14:30:00Z"),
]
# Two wall clocks of one day, and the minutes that really lie between them.
LENGTHS = [
    ("Europe/Berlin", "2026-03-29", "01:00:00", "04:00:00", 120, "2h 0m"),
    ("Europe/Berlin", "2026-10-25", "01:00:00", "04:00:00", 240, "4h 0m"),
    ("Europe/Berlin", "2026-06-01", "01:00:00", "04:00:00", 180, "3h 0m"),
    ("Australia/Lord_Howe", "2026-10-04", "01:00:00", "03:00:00", 90, "1h 30m"),
    ("Australia/Lord_Howe", "2026-04-05", "01:00:00", "03:00:00", 150, "2h 30m"),
    ("America/St_Johns", "2026-03-08", "00:00:00", "23:59:59", 22 * 60 + 59, "22h 59m"),
    ("America/St_Johns", "2026-11-01", "00:00:00", "23:59:59", 24 * 60 + 59, "24h 59m"),
    ("America/Sao_Paulo", "2018-11-04", "01:00:00", "01:30:00", 30, "0h 30m"),
    ("Asia/Tehran", "2021-09-21", "22:00:00", "23:59:00", 119, "1h 59m"),
    ("Africa/Casablanca", "2026-02-15", "01:00:00", "04:00:00", 240, "4h 0m"),
]


class Zoned(NamedTuple):
    """An activity, and the tenant whose zone its clocks are in."""

    activity: Activity
    tenant: Tenant


def in_zone(zone: str) -> Zoned:
    """Return an activity without times, of a tenant in a zone."""
    return Zoned(STORED, TENANT._replace(timezone=zone))


def put(zoned: Zoned, **body: Any) -> Zoned:
    """Write in Deskera."""
    return zoned._replace(activity=deskera.apply(zoned.activity, body, zoned.tenant))


def patch(zoned: Zoned, **body: Any) -> Zoned:
    """Write in AchieveApex."""
    return zoned._replace(activity=achieveapex.apply(zoned.activity, body, zoned.tenant))


def deskera_start(zoned: Zoned) -> str:
    """Return the start as Deskera shows it."""
    return str(deskera_document(*zoned)["start"])


def achieveapex_start(zoned: Zoned) -> str:
    """Return the start as AchieveApex shows it."""
    shown = achieveapex_document(*zoned)
    return f"{shown['start_date']} {shown['start_time']}"


@pytest.mark.parametrize(("zone", "day", "clock", "instant"), GAPS)
def test_clock_in_gap_is_kept_and_shifted(zone: str, day: str, clock: str, instant: str) -> None:
    activity = patch(in_zone(zone), start_date=day, start_time=clock)
    assert achieveapex_start(activity) == f"{day} {clock}"
    assert deskera_start(activity) == instant


@pytest.mark.parametrize(("zone", "day", "clock", "instant"), GAPS)
def test_clock_in_gap_survives_other_writes(zone: str, day: str, clock: str, instant: str) -> None:
    activity = patch(in_zone(zone), start_date=day, start_time=clock)
    named_otherwise = put(activity, name="x", start=instant.replace("Z", ".000+00:00"))
    assert achieveapex_start(named_otherwise) == f"{day} {clock}"
    assert achieveapex_start(put(activity, user_timezone="Asia/Tokyo")) == f"{day} {clock}"


@pytest.mark.parametrize(("zone", "wall", "first", "second"), OVERLAPS)
def test_clock_of_overlap_means_first(zone: str, wall: str, first: str, second: str) -> None:
    day, clock = wall.split()
    assert deskera_start(patch(in_zone(zone), start_date=day, start_time=clock)) == first
    assert first < second


@pytest.mark.parametrize(("zone", "wall", "first", "second"), OVERLAPS)
def test_second_instant_of_overlap_is_kept(zone: str, wall: str, first: str, second: str) -> None:
    activity = put(in_zone(zone), start=second)
    assert achieveapex_start(activity) == wall
    assert patch(activity, **achieveapex_document(*activity)) == activity
    assert deskera_start(patch(activity, done=True, start_time=wall.split()[1])) == second
    moved = patch(patch(activity, start_time="12:00:00"), start_time=wall.split()[1])
    assert deskera_start(moved) == first


@pytest.mark.parametrize(("zone", "day", "start", "end", "minutes", "text"), LENGTHS)
def test_length_counts_real_minutes(
    zone: str, day: str, start: str, end: str, minutes: int, text: str
) -> None:
    times = {"start_date": day, "start_time": start, "end_date": day, "end_time": end}
    activity = patch(in_zone(zone), **times)
    assert achieveapex_document(*activity)["duration"] == minutes
    assert deskera_document(*activity)["duration"] == text


def test_duration_beside_start_counts_real_minutes() -> None:
    activity = put(in_zone("Europe/Berlin"), start="2026-03-29T00:30:00Z", duration="1h 0m")
    shown = achieveapex_document(*activity)
    assert (shown["start_time"], shown["end_time"]) == ("01:30:00", "03:30:00")
    assert shown["duration"] == 60


@pytest.mark.parametrize(
    ("zone", "day", "midnight"),
    [
        ("UTC", "2028-02-29", "2028-02-29T00:00:00Z"),
        ("Asia/Kathmandu", "2028-02-29", "2028-02-28T18:15:00Z"),
        ("Pacific/Kiritimati", "2027-01-01", "2026-12-31T10:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),  # It had no midnight.
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),  # The day that never was.
        ("Africa/Monrovia", "1971-06-01", "1971-06-01T00:44:30Z"),
    ],
)
def test_whole_day_is_midnight_in_deskera(zone: str, day: str, midnight: str) -> None:
    activity = patch(in_zone(zone), start_date=day)
    assert deskera_start(activity) == midnight
    assert achieveapex_start(activity) == f"{day} None"
    assert put(activity, start=midnight) == activity
    assert achieveapex_start(put(activity, user_timezone="Asia/Tokyo")) == f"{day} None"


def test_end_of_day_stays_on_its_day() -> None:
    activity = put(in_zone("Asia/Kolkata"), start="2026-06-01T18:29:59.999999Z")
    assert achieveapex_start(activity) == "2026-06-01 23:59:59"
    assert patch(activity, start_time="23:59:59") == activity
    assert deskera_start(patch(activity, note="x")) == "2026-06-01T18:29:59.999999Z"


def test_users_zone_moves_nothing() -> None:
    activity = put(in_zone("Pacific/Kiritimati"), start="2026-06-01T10:00:00Z")
    assert achieveapex_start(activity) == "2026-06-02 00:00:00"
    moved = put(activity, user_timezone="Pacific/Niue")
    assert moved.activity == activity.activity._replace(timezone="Pacific/Niue")


def test_lists_by_clock_are_in_order_of_time() -> None:
    """Two users of one organization who sit in different zones."""
    earlier = put(in_zone("Europe/Berlin"), start="2026-06-01T02:00:00Z", user_timezone="UTC")
    later = put(
        in_zone("Europe/Berlin"), start="2026-06-01T03:00:00Z", user_timezone="America/New_York"
    )
    assert achieveapex_start(earlier) < achieveapex_start(later) == "2026-06-01 05:00:00"


def test_order_is_of_instants_in_deskera() -> None:
    """01:50 in the first hour is before 01:10 in the second, whatever the clocks show."""
    start, end = "2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z"
    activity = put(in_zone("Europe/Berlin"), start=start, end=end)
    shown = achieveapex_document(*activity)
    assert (shown["start_time"], shown["end_time"]) == ("02:50:00", "02:10:00")
    assert shown["duration"] == 20
    with pytest.raises(InvalidActivity):
        put(in_zone("Europe/Berlin"), start=end, end=start)


def test_order_is_of_clocks_in_achieveapex() -> None:
    """02:50 in a gap is after 03:10 as an instant, and before it on the calendar."""
    day = "2026-03-29"
    times = {"start_date": day, "end_date": day, "start_time": "02:50", "end_time": "03:10"}
    activity = patch(in_zone("Europe/Berlin"), **times)
    assert achieveapex_document(*activity)["duration"] == 0
    shown = deskera_document(*activity)
    assert shown["end"] < shown["start"]
    assert put(activity, **shown) == activity
    with pytest.raises(InvalidActivity):
        patch(activity, start_time="03:11")


def test_end_without_time_is_never_before_start() -> None:
    day = {"start_date": "2026-06-01", "start_time": "09:00", "end_date": "2026-06-01"}
    activity = patch(in_zone("Europe/Berlin"), **day, end_time="10:00")
    activity = patch(activity, end_time=None)
    shown = deskera_document(*activity)
    assert shown["end"] == shown["start"] == "2026-06-01T07:00:00Z"
    assert achieveapex_document(*activity)["end_time"] is None
    assert put(activity, **shown) == activity
    next_day = patch(activity, end_date="2026-06-02")
    assert deskera_document(*next_day)["end"] == "2026-06-01T22:00:00Z"


def test_whole_record_keeps_duration_beside_new_times() -> None:
    day = {"start_date": "2026-06-01", "end_date": "2026-06-01"}
    point = patch(in_zone("UTC"), **day, start_time="09:00", end_time="09:00")
    record = achieveapex_document(*point)
    assert record["duration"] == 0
    dates = patch(point, **record | {"start_time": None, "end_time": None})
    assert achieveapex_document(*dates)["duration"] == 0
    longer = patch(point, **record | {"end_time": "10:00:00"})
    assert achieveapex_document(*longer)["duration"] == 0
    assert deskera_document(*longer)["duration"] == "1h 0m"
