"""Rezoning: stored wall clocks brought into their tenant's zone."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from support.callers import Home
from support.factories import make_activity, make_principal
from support.use_cases import ALL

from core.activities import Activities
from core.domain.model import Activity, Tenant
from core.domain.schedule import with_instant, with_wall_clock
from core.storage import clock_zones
from core.storage.clock_zones import BATCH_RECORDS, rezone
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from gateway.cli.program import main

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
START = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


@pytest.fixture
def berlin(database: Database, tenant: Home) -> Home:
    """Give a tenant of Berlin."""
    Tenants(database).put(Tenant(tenant.id, "Berlin", BERLIN, "UTC"))
    return tenant


def timed(activity: Activity, zone: str, **fields: Any) -> Activity:
    """Return an hour whose clocks are in a zone."""
    activity = with_instant(activity, "start", START, tenant_timezone=zone)
    hour = START + timedelta(hours=1)
    return with_instant(activity, "end", hour, tenant_timezone=zone)._replace(**fields)


def stored(app: Any, home: Home, write: Any) -> int:
    """Store what a write makes of a blank record; return its id."""
    activities: Activities = app.extensions["activities"]
    caller = make_principal(tenant_ids=(home.id,))
    return int(activities.create(caller, write, lambda made, _: str(made.id).encode()))


def read(app: Any, home: Home, activity_id: int) -> Activity:
    """Return a record."""
    activities: Activities = app.extensions["activities"]
    return activities.get(make_principal(tenant_ids=(home.id,)), activity_id).activity


def test_timed_ends_keep_their_instants(app: Any, berlin: Home, database: Database) -> None:
    number = stored(app, berlin, lambda it, _: timed(it, NEW_YORK, timezone=NEW_YORK))
    before = read(app, berlin, number)
    assert rezone(database) >= 1
    after = read(app, berlin, number)
    assert after == timed(before, BERLIN)._replace(version=2)
    assert (after.start_date, after.start_time) == (date(2026, 6, 1), time(4))


def test_whole_days_keep_their_dates(app: Any, berlin: Home, database: Database) -> None:
    day = date(2026, 6, 1)
    number = stored(
        app,
        berlin,
        lambda it, _: with_wall_clock(it, "start", day, None, tenant_timezone=NEW_YORK)._replace(
            timezone=NEW_YORK
        ),
    )
    rezone(database)
    after = read(app, berlin, number)
    assert (after.start_date, after.start_time) == (day, None)
    assert after.start_at == datetime(2026, 5, 31, 22, tzinfo=UTC)


def test_second_run_changes_nothing(app: Any, berlin: Home, database: Database) -> None:
    for _ in range(3):
        stored(app, berlin, lambda it, _: timed(it, NEW_YORK, timezone=NEW_YORK))
    gap = date(2026, 3, 29)
    kept = stored(
        app,
        berlin,
        lambda it, _: with_wall_clock(
            it, "start", gap, time(2, 30), tenant_timezone=BERLIN
        )._replace(timezone=NEW_YORK),
    )
    assert rezone(database) >= 3
    assert rezone(database) == 0
    assert read(app, berlin, kept).start_time == time(2, 30)


@pytest.mark.parametrize("zone", ["America/Havana", "CET", "UTC"])
def test_days_begin_at_their_first_midnight(
    app: Any, tenant: Home, database: Database, zone: str
) -> None:
    """In Havana clocks go back from one to midnight, so that 1 November 2026 begins twice."""
    Tenants(database).put(Tenant(tenant.id, "T", zone, "UTC"))
    day = date(2026, 11, 1)
    expected = with_wall_clock(make_activity(), "start", day, None, tenant_timezone=zone).start_at
    assert expected is not None
    wrong = expected + timedelta(hours=1)
    number = stored(
        app,
        tenant,
        lambda it, _: it._replace(start_date=day, start_at=wrong, timezone=NEW_YORK),
    )
    assert rezone(database) >= 1
    assert read(app, tenant, number).start_at == expected


def test_right_records_are_not_fetched(
    app: Any, berlin: Home, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(app, berlin, lambda it, _: timed(it, BERLIN, timezone=NEW_YORK))
    read_from = clock_zones.activity_from_row
    tenant_ids: list[int] = []

    def watched(row: Any) -> Activity:
        tenant_ids.append(read_from(row).tenant_id)
        return read_from(row)

    monkeypatch.setattr(clock_zones, "activity_from_row", watched)
    rezone(database)
    assert berlin.id not in tenant_ids


def test_records_without_another_zone_stay(app: Any, berlin: Home, database: Database) -> None:
    numbers = [
        stored(app, berlin, lambda it, _, zone=zone: timed(it, NEW_YORK, timezone=zone))
        for zone in ("", BERLIN)
    ]
    rezone(database)
    assert {read(app, berlin, number).version for number in numbers} == {1}


def test_lists_show_new_clocks_at_once(app: Any, berlin: Home, database: Database) -> None:
    activities: Activities = app.extensions["activities"]
    caller = make_principal(tenant_ids=(berlin.id,))
    count = BATCH_RECORDS + 1
    first = stored(app, berlin, lambda it, _: timed(it, NEW_YORK, timezone=NEW_YORK))
    with database.transaction() as connection:
        names = ", ".join(name for name in Activity._fields if name != "id")
        connection.exec_driver_sql(
            f"INSERT INTO activities (id, subject_folded, {names}) SELECT n, '', {names} "
            f"FROM activities, generate_series(2, {count}) AS n "
            f"WHERE tenant_id = {berlin.id} AND id = {first}"
        )
    before = activities.page(caller, ALL).versions
    assert rezone(database) >= count
    assert activities.page(caller, ALL).versions.activities > before.activities
    assert read(app, berlin, count).start_time == time(4)


def test_command_says_how_many(
    app: Any, berlin: Home, database: Database, database_url: str
) -> None:
    rezone(database)
    stored(app, berlin, lambda it, _: timed(it, NEW_YORK, timezone=NEW_YORK))
    environment = {"DATABASE_URL": database_url, "REDIS_URL": "none"}
    for expected in ("activities with new clocks: 1", "activities with new clocks: 0"):
        result = CliRunner().invoke(main, ["db", "rezone"], env=environment)
        assert (result.exit_code, expected in result.stderr) == (0, True), result.stderr
