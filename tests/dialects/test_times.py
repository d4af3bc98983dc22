"""The time model through both dialects: gaps, overlaps, whole days and lengths, zone by zone."""

from typing import Any

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


def in_zone(zone: str) -> Activity:
    """Return an activity of a zone, without times."""
    return STORED._replace(timezone=zone)


def put(activity: Activity, **body: Any) -> Activity:
    """Write in Deskera."""
    return deskera.apply(activity, body, TENANT)


def patch(activity: Activity, **body: Any) -> Activity:
    """Write in AchieveApex."""
    return achieveapex.apply(activity, body, TENANT)


def deskera_start(activity: Activity) -> str:
    """Return the start as Deskera shows it."""
    return str(deskera_document(activity, TENANT)["start"])


def achieveapex_start(activity: Activity) -> str:
    """Return the start as AchieveApex shows it."""
    shown = achieveapex_document(activity, TENANT)
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
    there_and_back = put(put(activity, user_timezone="UTC"), user_timezone=zone)
    assert deskera_start(there_and_back) == instant
    assert achieveapex_start(there_and_back) != f"{day} {clock}"  # A clock never showed it.


@pytest.mark.parametrize(("zone", "wall", "first", "second"), OVERLAPS)
def test_clock_of_overlap_means_first(zone: str, wall: str, first: str, second: str) -> None:
    day, clock = wall.split()
    assert deskera_start(patch(in_zone(zone), start_date=day, start_time=clock)) == first
    assert first < second


@pytest.mark.parametrize(("zone", "wall", "first", "second"), OVERLAPS)
def test_second_instant_of_overlap_is_kept(zone: str, wall: str, first: str, second: str) -> None:
    activity = put(in_zone(zone), start=second)
    assert achieveapex_start(activity) == wall
    assert patch(activity, **achieveapex_document(activity, TENANT)) == activity
    assert deskera_start(patch(activity, done=True, start_time=wall.split()[1])) == second
    moved = patch(patch(activity, start_time="12:00:00"), start_time=wall.split()[1])
    assert deskera_start(moved) == first


@pytest.mark.parametrize(("zone", "day", "start", "end", "minutes", "text"), LENGTHS)
def test_length_counts_real_minutes(
    zone: str, day: str, start: str, end: str, minutes: int, text: str
) -> None:
    times = {"start_date": day, "start_time": start, "end_date": day, "end_time": end}
    activity = patch(in_zone(zone), **times)
    assert achieveapex_document(activity, TENANT)["duration"] == minutes
    assert deskera_document(activity, TENANT)["duration"] == text


def test_duration_beside_start_counts_real_minutes() -> None:
    activity = put(in_zone("Europe/Berlin"), start="2026-03-29T00:30:00Z", duration="1h 0m")
    shown = achieveapex_document(activity, TENANT)
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


def test_zone_change_crosses_date_line() -> None:
    activity = put(in_zone("Pacific/Kiritimati"), start="2026-06-01T10:00:00Z")
    assert achieveapex_start(activity) == "2026-06-02 00:00:00"
    moved = put(activity, user_timezone="Pacific/Niue")
    assert achieveapex_start(moved) == "2026-05-31 23:00:00"
    assert deskera_start(moved) == "2026-06-01T10:00:00Z"


def test_tenant_zone_reads_unnamed_clocks() -> None:
    tenant = TENANT._replace(timezone="Asia/Kolkata")
    body = {"start_date": "2026-06-01", "start_time": "05:30"}
    activity = achieveapex.apply(STORED, body, tenant)
    assert deskera_document(activity, tenant)["start"] == "2026-06-01T00:00:00Z"
    named = deskera.apply(activity, {"user_timezone": "Asia/Kolkata"}, tenant)
    assert named == activity._replace(timezone="Asia/Kolkata")


def test_order_is_of_instants_in_deskera() -> None:
    """01:50 in the first hour is before 01:10 in the second, whatever the clocks show."""
    start, end = "2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z"
    activity = put(in_zone("Europe/Berlin"), start=start, end=end)
    shown = achieveapex_document(activity, TENANT)
    assert (shown["start_time"], shown["end_time"]) == ("02:50:00", "02:10:00")
    assert shown["duration"] == 20
    with pytest.raises(InvalidActivity):
        put(in_zone("Europe/Berlin"), start=end, end=start)


def test_order_is_of_clocks_in_achieveapex() -> None:
    """02:50 in a gap is after 03:10 as an instant, and before it on the calendar."""
    day = "2026-03-29"
    times = {"start_date": day, "end_date": day, "start_time": "02:50", "end_time": "03:10"}
    activity = patch(in_zone("Europe/Berlin"), **times)
    assert achieveapex_document(activity, TENANT)["duration"] == 0
    shown = deskera_document(activity, TENANT)
    assert shown["end"] < shown["start"]
    assert put(activity, **shown) == activity
    with pytest.raises(InvalidActivity):
        patch(activity, start_time="03:11")
