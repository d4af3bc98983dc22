"""What Deskera's start, end, zone and duration mean for an activity."""

from datetime import UTC, date, datetime, time

from support.deskera_page import (
    BLANK,
    DAY,
    UTC_TENANT,
    activity,
    problems,
    shown,
    timed,
    whole_days,
    written,
)

from adapters.deskera.translate import apply
from core.domain.model import MAX_ID
from core.domain.schedule import with_wall_clock

NOON = datetime(2021, 8, 5, 12, tzinfo=UTC)
ONE = datetime(2021, 8, 5, 13, tzinfo=UTC)


def test_start_moves_wall_clock_too():
    tenant = UTC_TENANT._replace(timezone="Asia/Singapore")
    moved = apply(activity(), {"start": "2021-08-05T13:15:49.5Z"}, tenant)
    assert (moved.start_date, moved.start_time) == (DAY, time(21, 15, 49, 500000))


def test_zone_moves_no_clock_of_either_kind():
    for record in (timed(NOON, ONE), whole_days(), BLANK):
        named = record._replace(timezone="Asia/Tokyo")
        assert written(record, user_timezone="Asia/Tokyo") == named
        both = apply(record, {**shown(record), "user_timezone": "Asia/Tokyo"}, UTC_TENANT)
        assert both == named


def test_unknown_stored_zone_is_echoed():
    stored = activity(timezone="US/Pacific-New")
    assert written(stored, user_timezone="US/Pacific-New") == stored


def test_same_instant_elsewhere_is_an_echo():
    day = whole_days()
    assert written(day, start="2021-08-05T05:30:00+05:30", end="2021-08-04T23:00:00-01:00") == day


def test_stored_instant_at_the_rim_is_echoed():
    rim = with_wall_clock(
        activity(), "start", date(9999, 12, 29), time(23), tenant_timezone="Etc/GMT+12"
    )
    assert shown(rim)["start"] == "9999-12-30T11:00:00Z"
    assert written(rim, start="9999-12-30T11:00:00Z") == rim


def test_null_clears_one_end():
    cleared = written(timed(NOON, ONE), start=None)
    assert (cleared.start_date, cleared.start_time, cleared.start_at) == (None, None, None)
    assert cleared.end_at == ONE


def test_end_before_start_is_refused():
    assert problems(timed(NOON, ONE), {"end": "2021-08-05T11:59:59Z"}) == {"end": "is before start"}
    assert problems(timed(NOON, ONE), {"start": "2021-08-05T14:00:00Z"}) == {
        "end": "is before start"
    }


def test_broken_order_is_echoed_and_corrected():
    broken = timed(ONE, NOON)
    assert apply(broken, shown(broken), UTC_TENANT) == broken
    assert written(broken, name="still", user_timezone="Asia/Tokyo").subject == "still"
    assert written(broken, end="2021-08-05T14:00:00Z").end_time == time(14)


def test_duration_beside_both_ends_is_ignored():
    made = written(
        activity(duration_minutes=5),
        start="2021-08-05T13:00:00Z",
        end="2021-08-05T14:00:00Z",
        duration="9h 9m",
    )
    assert (shown(made)["duration"], made.duration_minutes) == ("1h 0m", 5)


def test_duration_beside_start_sets_end():
    made = written(activity(duration_minutes=5), start="2021-08-05T13:00:00Z", duration="1h 21m")
    assert (shown(made)["end"], made.duration_minutes) == ("2021-08-05T14:21:00Z", None)


def test_duration_beside_echoed_end_is_ignored():
    made = written(
        timed(NOON, ONE), start="2021-08-05T11:00:00Z", end="2021-08-05T13:00:00Z", duration=30
    )
    assert (made.end_at, shown(made)["duration"]) == (ONE, "2h 0m")


def test_echoed_duration_moves_end_with_start():
    made = written(timed(NOON, ONE), start="2021-08-05T11:00:00Z", duration="1h 0m")
    assert (made.end_at, shown(made)["duration"]) == (NOON, "1h 0m")


def test_duration_alone_moves_end():
    for body in ({"duration": 30}, {"start": "2021-08-05T12:00:00Z", "duration": 30}):
        made = written(timed(NOON, ONE, duration_minutes=7), **body)
        assert (shown(made)["end"], made.duration_minutes) == ("2021-08-05T12:30:00Z", None)


def test_duration_beside_cleared_end_is_stored():
    made = written(timed(NOON, ONE), end=None, duration="1h 0m")
    assert (made.end_at, shown(made)["duration"]) == (None, "1h 0m")


def test_duration_of_whole_day_is_stored():
    day = whole_days()
    assert written(day, duration=30) == day._replace(duration_minutes=30)


def test_cleared_duration_beside_start_sets_no_end():
    made = written(activity(duration_minutes=5), start="2021-08-05T13:00:00Z", duration="")
    assert (made.end_at, made.duration_minutes) == (None, None)


def test_duration_without_times_is_stored():
    made = written(BLANK, duration="0h 45m")
    assert (made.duration_minutes, shown(made)["duration"]) == (45, "0h 45m")
    assert written(made, duration="").duration_minutes is None
    assert written(made, duration=None).duration_minutes is None


def test_stored_duration_behind_span_survives_echo():
    kept = timed(NOON, ONE, duration_minutes=30)
    assert shown(kept)["duration"] == "1h 0m"
    assert written(kept, duration="1h 0m") == written(kept, duration=60) == kept


def test_null_duration_clears_what_is_stored():
    assert written(timed(NOON, ONE, duration_minutes=30), duration=None).duration_minutes is None


def test_duration_equal_to_span_is_not_stored():
    made = written(timed(NOON, None, duration_minutes=30), duration=60)
    assert (made.end_at, made.duration_minutes) == (ONE, None)


def test_times_alone_leave_duration():
    kept = timed(NOON, ONE, duration_minutes=30)
    assert written(kept, end="2021-08-05T15:00:00Z").duration_minutes == 30


def test_duration_beyond_calendar_is_named():
    body = {"start": "2021-08-05T13:00:00Z", "duration": MAX_ID}
    assert list(problems(BLANK, body)) == ["duration"]


def test_span_counts_whole_minutes_never_below_zero():
    end = datetime(2021, 8, 5, 12, 1, 59, tzinfo=UTC)
    assert shown(timed(NOON, end))["duration"] == "0h 1m"
    assert shown(timed(ONE, NOON))["duration"] == "0h 0m"
