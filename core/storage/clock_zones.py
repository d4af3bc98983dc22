"""Brings stored wall clocks into their tenant's zone, beside running traffic.

Records whose `timezone` is set and not the tenant's may come from a time when that was the zone of
their clocks. `domain.schedule.with_tenants_clocks` says what becomes of each; one that is right
already stays, so that this can be repeated. PostgreSQL leaves out those whose clocks it sees to be
right: of ten million records one statement reads all, and Python hardly any.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
)

from core.domain.model import Activity
from core.domain.schedule import with_tenants_clocks
from core.storage.activity_reader import activity_from_row
from core.storage.activity_writer import save
from core.storage.database import Database
from core.storage.sql_filters import TENANT
from core.storage.tables import ACTIVITY_COLUMNS, Ids, activities, tenants

Records = Select[Any]
BATCH_RECORDS = 500
"""Records of one transaction: they are locked only as long as it takes to write these."""

_columns = activities.c
_ZONE = bindparam("timezone", type_=Text)
_DAY = timedelta(days=1)
# A name without a slash may be an abbreviation to PostgreSQL, which knows no daylight saving.
_KNOWN_ZONES = text(r"SELECT name FROM pg_timezone_names WHERE name LIKE '%/%' OR name = 'UTC'")


def _may_be_wrong(end: str) -> ColumnElement[bool]:
    """Return what holds for each end that is not what it should be in its tenant's zone.

    An instant shows one wall clock, so that a timed end is right that shows its own. A day may
    begin twice, where clocks are set back: it is right if they were not on the day before.
    """
    day, clock, instant = (_columns[f"{end}_{part}"] for part in ("date", "time", "at"))
    shown = func.timezone(_ZONE, instant)
    midnight = cast(day, DateTime)
    is_wrong_day = or_(
        instant.is_(None),
        shown != midnight,
        func.timezone(_ZONE, instant - _DAY) != midnight - _DAY,
    )
    return or_(
        and_(clock.is_not(None), shown != day + clock),
        and_(day.is_not(None), clock.is_(None), is_wrong_day),
    )


_of_tenant = select(*ACTIVITY_COLUMNS).where(_columns.tenant_id == TENANT).order_by(_columns.id)
_batch = _of_tenant.where(
    _columns.id > bindparam("last_id"),
    _columns.timezone.not_in(["", _ZONE]),
).limit(BATCH_RECORDS)
_doubtful_batch = _batch.where(or_(_may_be_wrong("start"), _may_be_wrong("end")))
_locked = _of_tenant.where(
    _columns.id == any_(bindparam("activity_ids", type_=Ids))
).with_for_update()


def rezone(database: Database) -> int:
    """Compute the clocks of all tenants' records anew; return how many records changed.

    Each change moves the record's version and its tenant's, so that no cache shows the old clocks;
    `updated_at` stays. Raises: Unavailable.
    """
    with database.transaction() as connection:
        zones = connection.execute(select(tenants.c.tenant_id, tenants.c.timezone)).all()
        known = set(connection.execute(_KNOWN_ZONES).scalars())
    return sum(
        _rezone_tenant(database, tenant_id, zone, _doubtful_batch if zone in known else _batch)
        for tenant_id, zone in zones
    )


def _rezone_tenant(database: Database, tenant_id: int, timezone: str, statement: Records) -> int:
    changed = 0
    for batch in _batches(database, tenant_id, timezone, statement):
        activity_ids = [found.id for found in batch if _rezoned(found, timezone) != found]
        if activity_ids:
            with database.transaction() as connection:
                changed += _rezone_locked(connection, tenant_id, timezone, activity_ids)
    return changed


def _batches(
    database: Database, tenant_id: int, timezone: str, statement: Records
) -> Iterator[list[Activity]]:
    """Give what a statement finds of a tenant, some at a time, in the order of their ids."""
    parameters = {"tenant_id": tenant_id, "timezone": timezone, "last_id": 0}
    while True:
        with database.transaction() as connection:
            batch = [activity_from_row(row) for row in connection.execute(statement, parameters)]
        if not batch:
            return
        yield batch
        parameters["last_id"] = batch[-1].id


def _rezone_locked(
    connection: Connection, tenant_id: int, timezone: str, activity_ids: list[int]
) -> int:
    """Write the records anew, as they are now that they are locked; return how many changed."""
    parameters = {"tenant_id": tenant_id, "activity_ids": activity_ids}
    locked = [activity_from_row(row) for row in connection.execute(_locked, parameters)]
    changes = [(before, _rezoned(before, timezone)) for before in locked]
    changes = [(before, after) for before, after in changes if before != after]
    if changes:
        save(connection, [*changes])
    return len(changes)


def _rezoned(activity: Activity, timezone: str) -> Activity:
    if activity.timezone in ("", timezone):
        return activity
    after = with_tenants_clocks(activity, tenant_timezone=timezone)
    return activity if after == activity else after._replace(version=activity.version + 1)
