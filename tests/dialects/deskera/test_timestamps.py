"""Texts of instants and of lengths of time, both ways."""

from datetime import UTC, datetime

import pytest

from adapters.deskera.body_values import later, parse_duration, parse_timestamp
from adapters.deskera.timestamps import LAST_YEAR_OF_SECONDS, duration_text, timestamp_writer
from core.domain.schedule import zone_names, zone_of
from core.domain.validators import Refused


def utc(text: str) -> datetime:
    """Return an instant written as a wall clock in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SHOWN = [
    ("UTC", "2021-08-05 12:37:03", "2021-08-05T12:37:03Z"),
    ("UTC", "2021-08-05 12:37:03.652000", "2021-08-05T12:37:03.652Z"),
    ("UTC", "2021-08-05 12:37:03.232310", "2021-08-05T12:37:03.23231Z"),
    ("UTC", "2021-08-05 12:37:03.000007", "2021-08-05T12:37:03.000007Z"),
    ("UTC", "0009-08-05 00:00:00", "0009-08-05T00:00:00Z"),
    ("Asia/Kolkata", "2021-08-05 11:50:58.875416", "2021-08-05T17:20:58.875416+05:30"),
    ("Asia/Kolkata", "2021-08-05 11:50:58.296600", "2021-08-05T17:20:58.2966+05:30"),
    ("America/St_Johns", "2021-01-01 00:00:00", "2020-12-31T20:30:00-03:30"),
    ("Europe/London", "2021-01-01 00:00:00", "2021-01-01T00:00:00Z"),
    ("Europe/London", "2021-07-01 00:00:00.500000", "2021-07-01T01:00:00.5+01:00"),
    ("Etc/UTC", "2021-07-01 00:00:00", "2021-07-01T00:00:00Z"),
    # Local mean times had seconds: +05:53:28 in Kolkata, -00:01:15 in London.
    ("Asia/Kolkata", "1800-01-01 01:01:01.001000", "1800-01-01T06:54:01.001+05:53"),
    ("Europe/London", "1800-01-01 00:00:00", "1799-12-31T23:59:00-00:01"),
    ("Africa/Monrovia", "1972-01-01 00:00:00", "1971-12-31T23:16:00-00:44"),
]


@pytest.mark.parametrize(("zone", "instant", "text"), SHOWN)
def test_instant_is_written_in_zone(zone: str, instant: str, text: str):
    assert timestamp_writer(zone)(utc(instant)) == text
    assert parse_timestamp(text) == utc(instant)


def test_offsets_have_no_seconds_since():
    for name in zone_names():
        for year in range(LAST_YEAR_OF_SECONDS + 1, 2038):
            for month in (1, 7):
                offset = datetime(year, month, 2, tzinfo=UTC).astimezone(zone_of(name)).utcoffset()
                assert offset is not None
                assert offset.seconds % 60 == 0, name


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2021-08-05t13:15:49z", "2021-08-05 13:15:49"),
        ("2021-08-05T13:15:49-00:00", "2021-08-05 13:15:49"),
        ("2021-08-05T13:15:49.1+08:00", "2021-08-05 05:15:49.100000"),
        ("2021-08-05T13:15:49.123456789Z", "2021-08-05 13:15:49.123456"),
        ("2021-12-31T23:59:59-23:59", "2022-01-01 23:58:59"),
        ("2020-02-29T00:00:00Z", "2020-02-29 00:00:00"),
    ],
)
def test_stamp_is_read(text: str, instant: str):
    assert parse_timestamp(text) == utc(instant)


def test_null_stamp_stays_null():
    assert parse_timestamp(None) is None


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "2021-08-05",
        "2021-08-05 13:15:49Z",
        "2021-08-05T13:15:49",
        "2021-08-05T13:15Z",
        "2021-08-05T13:15:60Z",
        "2021-08-05T24:00:00Z",
        "2021-08-05T13:15:49.Z",
        "2021-08-05T13:15:49.1234567890Z",
        "2021-08-05T13:15:49,5Z",
        "2021-08-05T13:15:49+0530",
        "2021-08-05T13:15:49+05:60",
        "2021-08-05T13:15:49+24:00",
        "2021-02-29T00:00:00Z",
        "2021-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "0001-01-02T00:00:00Z",
        "9999-12-31T00:00:00Z",
        "9999-12-29T23:00:00-02:00",
        "٢٠٢١-08-05T13:15:49Z",
        " 2021-08-05T13:15:49Z",
        "2021-08-05T13:15:49Z\n",
        1628121600,
        True,
        [],
    ],
)
def test_unreadable_stamp_is_refused(raw: object):
    with pytest.raises(Refused):
        parse_timestamp(raw)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(None, ""), (0, "0h 0m"), (30, "0h 30m"), (60, "1h 0m"), (81, "1h 21m"), (6000, "100h 0m")],
)
def test_duration_is_written_and_read(minutes: int | None, text: str):
    assert duration_text(minutes) == text
    assert parse_duration(text) == minutes


@pytest.mark.parametrize(
    ("raw", "minutes"),
    [
        ("1h21m", 81),
        ("1h", 60),
        ("21m", 21),
        ("0h 90m", 90),
        (3, 3),
        (0, 0),
        (2**53 - 1, 2**53 - 1),
    ],
)
def test_other_durations_are_read(raw: object, minutes: int):
    assert parse_duration(raw) == minutes


@pytest.mark.parametrize(
    "raw",
    [
        *("81", "h", "1h ", " 1h", "1H 21M", "1m 1h", "-1h", "1.5h", "9999999999999999h"),
        *("1" * 5000 + "m", -1, 1.0, True, [], 2**53),
    ],
)
def test_unreadable_duration_is_refused(raw: object):
    with pytest.raises(Refused):
        parse_duration(raw)


@pytest.mark.parametrize("minutes", [2**53 - 1, 10**10])
def test_end_beyond_calendar_is_refused(minutes: int):
    with pytest.raises(Refused):
        later(datetime(2021, 8, 5, tzinfo=UTC), minutes)
