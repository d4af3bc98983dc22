"""Instants in one dialect are wall clocks in the other."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from support import deskera_api
from support.both_api import USER, Both
from support.callers import Home
from support.clock import Clock

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants

# A wall clock of AchieveApex in a zone of the tenant, and the instant that Deskera shows.
ZONED = [
    ("Asia/Kolkata", "2025-04-15", "09:00:00", "2025-04-15T03:30:00Z"),
    ("Asia/Kolkata", "2025-04-15", None, "2025-04-14T18:30:00Z"),
    ("America/New_York", "2025-03-09", "02:30:00", "2025-03-09T07:30:00Z"),  # In a gap.
    ("America/New_York", "2025-11-02", "01:30:00", "2025-11-02T05:30:00Z"),  # The first of two.
    ("America/New_York", "2025-11-02", "02:30:00", "2025-11-02T07:30:00Z"),
    ("UTC", "2025-04-15", "23:59:59", "2025-04-15T23:59:59Z"),
]


@pytest.fixture
def set_zone(tenant: Home, database: Database) -> Callable[[str], None]:
    """Give a function that moves this test's tenant to a zone."""
    tenants = Tenants(database)
    return lambda zone: tenants.put(Tenant(tenant.id, "Zoned", zone, "UTC")) and None


def test_wall_clocks_follow_the_zone(both: Both, set_zone: Callable[[str], None]):
    for zone, day, clock, instant in ZONED:
        set_zone(zone)
        activity_id = both.deskera.create(user_timezone="Asia/Tokyo")
        both.patch(activity_id, start_date=day, start_time=clock)
        record, document = both.shown(activity_id)
        assert (record["start_date"], record["start_time"]) == (day, clock)
        assert (document["start"], document["user_timezone"]) == (instant, "Asia/Tokyo")
        # Written back as it is shown, an instant leaves even a clock in a gap as it was.
        both.put(activity_id, start=instant)
        assert both.shown(activity_id) == (record, document)


def test_each_dialect_has_its_order(both: Both, clock: Clock, set_zone: Callable[[str], None]):
    set_zone("America/New_York")
    # An hour is left out in a gap and comes twice in an overlap: instants and clocks disagree.
    gap = {"start_date": "2025-03-09", "start_time": "02:45:00", "end_date": "2025-03-09"}
    overlap = {"start": "2025-11-02T05:45:00Z", "end": "2025-11-02T06:15:00Z"}
    first = both.deskera.create()
    both.patch(first, **gap, end_time="03:00:00")
    second = both.deskera.create(**overlap)
    before = [both.shown(number) for number in (first, second)]
    shown = [(document["start"], document["end"]) for _, document in before]
    assert shown == [("2025-03-09T07:45:00Z", "2025-03-09T07:00:00Z"), tuple(overlap.values())]
    clocks = [(record["start_time"], record["end_time"]) for record, _ in before]
    assert clocks == [("02:45:00", "03:00:00"), ("01:45:00", "01:15:00")]
    clock.advance(seconds=7)
    for record, document in before:
        both.put(document["id"], **document)
        both.patch(record["id"], **record)
    assert [both.shown(number) for number in (first, second)] == before


def test_broken_order_can_be_corrected(both: Both, set_zone: Callable[[str], None]):
    set_zone("America/New_York")
    activity_id = both.deskera.create()
    both.patch(activity_id, start_date="2025-03-09", start_time="02:45", end_date="2025-03-09")
    both.patch(activity_id, end_time="03:00")
    both.put(activity_id, name="still broken")
    answer = both.deskera("PUT", activity_id, json={"start": "2025-03-09T07:30:00Z"})
    assert deskera_api.fields_of(answer) == (400, ["end"])
    both.put(activity_id, start="2025-03-09T06:30:00Z")
    record, document = both.shown(activity_id)
    assert (record["subject"], record["start_time"]) == ("still broken", "01:30:00")
    assert document["duration"] == "0h 30m"


def test_tenant_gives_both_zones(client: FlaskClient, tenant: Home, database: Database):
    zoned = Tenant(tenant.id, "Zoned", "America/New_York", "Asia/Kolkata")
    Tenants(database).put(zoned)
    both = Both(client, tenant.caller(USER).key)
    made = both.apex.create(start_date="2025-07-01", start_time="09:00")
    document = both.deskera.read(made["id"])
    assert (document["start"], document["user_timezone"]) == ("2025-07-01T18:30:00+05:30", "")
    assert document["created_at"] == "2026-03-01T17:30:00+05:30"
    both.put(made["id"], end="2025-07-01T14:00:00Z")
    record, _ = both.shown(made["id"])
    assert (record["end_date"], record["end_time"], record["duration"]) == (
        "2025-07-01",
        "10:00:00",
        60,
    )


def test_users_zone_moves_no_clock(both: Both):
    made = both.apex.create(
        start_date="2025-04-15", end_date="2025-04-15", end_time="23:00", duration=5
    )
    record, document = both.shown(made["id"])
    both.put(made["id"], user_timezone="Asia/Kolkata")
    after, shown = both.shown(made["id"])
    same = {"updated_at": after["updated_at"]}
    assert after == record | same
    assert shown == document | {
        "user_timezone": "Asia/Kolkata",
        "updated_at": shown["updated_at"],
    }


def test_duration_alone_moves_the_end(both: Both):
    both.deskera.create(start="2025-04-15T10:00:00Z", end="2025-04-15T11:00:00Z")
    both.put(1, duration="2h 5m")
    record, document = both.shown(1)
    assert (document["end"], document["duration"]) == ("2025-04-15T12:05:00Z", "2h 5m")
    assert (record["end_time"], record["duration"]) == ("12:05:00", 125)
    both.put(1, start="2025-04-15T11:00:00Z", duration="2h 5m")
    assert both.deskera.read(1)["end"] == "2025-04-15T13:05:00Z"


def test_span_hides_the_stored_duration(both: Both):
    made = both.apex.create(duration=45, start_date="2025-04-15", start_time="10:00")
    assert both.deskera.read(made["id"])["duration"] == "0h 45m"
    both.put(made["id"], end="2025-04-15T10:30:00Z")
    record, document = both.shown(made["id"])
    assert (record["duration"], document["duration"]) == (45, "0h 30m")
    both.patch(made["id"], duration=30)
    both.patch(made["id"], end_time="11:00")
    record, document = both.shown(made["id"])
    assert (record["duration"], document["duration"]) == (60, "1h 0m")


def test_microseconds_outlive_apex_writes(both: Both):
    both.deskera.create(start="2025-04-15T14:30:00.123456Z")
    both.patch(1, start_date="2025-04-16", subject="moved")
    assert both.deskera.read(1)["start"] == "2025-04-16T14:30:00.123456Z"
    both.patch(1, start_time="14:30:01")
    assert both.deskera.read(1)["start"] == "2025-04-16T14:30:01Z"
