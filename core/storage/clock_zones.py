"""Brings stored wall clocks into their tenant's zone, beside running traffic.

Records whose `timezone` is set and not the tenant's may come from a time when that was the zone of
their clocks. `domain.schedule.with_tenants_clocks` says what becomes of each; one that is right
already stays, so that this can be repeated.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, any_, bindparam, select

from core.domain.model import Activity
from core.domain.schedule import with_tenants_clocks
from core.storage.activity_reader import activity_from_row
from core.storage.activity_writer import save
from core.storage.database import Database
from core.storage.sql_filters import TENANT
from core.storage.tables import ACTIVITY_COLUMNS, Ids, activities, tenants

BATCH_RECORDS = 500
"""Records of one transaction: they are locked only as long as it takes to write these."""

_columns = activities.c
_of_tenant = select(*ACTIVITY_COLUMNS).where(_columns.tenant_id == TENANT).order_by(_columns.id)
_batch = _of_tenant.where(
    _columns.id > bindparam("last_id"),
    _columns.timezone.not_in(["", bindparam("timezone")]),
).limit(BATCH_RECORDS)
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
    return sum(_rezone_tenant(database, tenant_id, timezone) for tenant_id, timezone in zones)


def _rezone_tenant(database: Database, tenant_id: int, timezone: str) -> int:
    changed = 0
    for batch in _batches(database, tenant_id, timezone):
        activity_ids = [found.id for found in batch if _rezoned(found, timezone) != found]
        if activity_ids:
            with database.transaction() as connection:
                changed += _rezone_locked(connection, tenant_id, timezone, activity_ids)
    return changed


def _batches(database: Database, tenant_id: int, timezone: str) -> Iterator[list[Activity]]:
    """Give the records of a tenant whose `timezone` is another one, in the order of their ids."""
    parameters = {"tenant_id": tenant_id, "timezone": timezone, "last_id": 0}
    while True:
        with database.transaction() as connection:
            batch = [activity_from_row(row) for row in connection.execute(_batch, parameters)]
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
