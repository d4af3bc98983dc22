"""What a writing transaction does with the rows of activities: lock, number, save, count.

Every statement names the tenant. Saving moves the tenant's counters last, so that its version and
its totals change in the same commit as the rows, and other writers wait for them only briefly.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Update, any_, bindparam, select, update

from core.domain.memory import fits_key
from core.domain.model import Activity, Tenant, Viewer
from core.domain.query import EVERYTHING, Condition
from core.storage.activity_reader import LIST_POSITIONS, activity_from_row
from core.storage.sql_filters import SEEN, TENANT, fold, predicate
from core.storage.tables import (
    ACTIVITY_COLUMNS,
    COUNTER_SLOTS,
    Ids,
    activities,
    activity_counters,
    activity_numbers,
    tenants,
)

columns = activities.c
counters = activity_counters.c
Change = tuple[Activity | None, Activity]
"""A record before and after a write; None before it was there."""

KEPT_UPDATES = 256
OF_TENANT = bindparam("of_tenant", type_=BigInteger)
"""TENANT where rows are changed: there a column's own name is taken."""


class LockedActivity(NamedTuple):
    """A record that this transaction has locked, and the tenant that it belongs to."""

    activity: Activity
    tenant: Tenant


_lockable = select(
    *ACTIVITY_COLUMNS, tenants.c.name, tenants.c.timezone, tenants.c.deskera_timezone
).join_from(activities, tenants, tenants.c.tenant_id == columns.tenant_id)
_lock_by_id = (
    _lockable.where(
        columns.tenant_id == TENANT,
        columns.id == any_(bindparam("activity_ids", type_=Ids)),
        SEEN,
    )
    .order_by(columns.id)
    .with_for_update(of=activities)
)
# Statements are made once: to make one takes SQLAlchemy as long as to send it.
_take_number = (
    update(activity_numbers)
    .where(activity_numbers.c.tenant_id == OF_TENANT)
    .values(last_id=activity_numbers.c.last_id + 1)
    .returning(activity_numbers.c.last_id)
)
_insert = activities.insert()
_move_counters = (
    update(activity_counters)
    .where(counters.tenant_id == OF_TENANT, counters.slot == bindparam("of_slot"))
    .values(
        version=counters.version + 1,
        shared=counters.shared + bindparam("more_shared"),
        private=counters.private + bindparam("more_private"),
    )
)


@lru_cache(maxsize=KEPT_UPDATES)
def _update_of(names: tuple[str, ...]) -> Update:
    """Return the UPDATE that sets these columns of some of a tenant's records."""
    return (
        update(activities)
        .where(
            columns.tenant_id == OF_TENANT,
            columns.id == any_(bindparam("activity_ids", type_=Ids)),
        )
        .values({name: bindparam(f"new_{name}") for name in names})
    )


def lock(
    connection: Connection,
    tenant_ids: Sequence[int],
    activity_ids: Sequence[int],
    *,
    viewer: Viewer,
    where: Condition = EVERYTHING,
) -> list[LockedActivity]:
    """Lock and return the records that the viewer may see, in the order of tenants and ids.

    Each tenant takes a statement of its own, so that one node of a cluster answers it.
    """
    statement = _lock_by_id if where == EVERYTHING else _lock_by_id.where(predicate(where))
    # SQLAlchemy caches what it compiles, with all of the condition.
    options = {} if fits_key(where) else {"compiled_cache": None}
    parameters = {
        "activity_ids": list(activity_ids),
        "user_id": viewer.user_id,
        "sees_all": viewer.sees_all,
    }
    return [
        _to_locked_activity(row)
        for tenant_id in sorted(tenant_ids)
        for row in connection.execute(
            statement, {**parameters, "tenant_id": tenant_id}, execution_options=options
        )
    ]


def _to_locked_activity(row: Sequence[Any]) -> LockedActivity:
    size = len(ACTIVITY_COLUMNS)
    activity = activity_from_row(row[:size])
    return LockedActivity(activity, Tenant(activity.tenant_id, *row[size:]))


def next_id(connection: Connection, tenant_id: int) -> int:
    """Return the tenant's next activity id; others wait for it until this transaction ends."""
    return int(connection.execute(_take_number, {"of_tenant": tenant_id}).scalar_one())


def column_values(activity: Activity) -> dict[str, Any]:
    """Return the columns of an activity as they are stored."""
    values = activity._asdict()
    for index in LIST_POSITIONS:
        name = Activity._fields[index]
        values[name] = list(values[name])
    values["subject_folded"] = fold(activity.subject)
    return values


def save(connection: Connection, changes: Sequence[Change]) -> None:
    """Insert new records, update changed ones that are locked, and move the counters.

    Records that change the same columns to the same values share one UPDATE. Call this last: the
    tenant's counters stay locked until the transaction ends.
    """
    grouped_updates: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for before, after in changes:
        if before is None:
            connection.execute(_insert, column_values(after))
        else:
            grouped_updates[after.tenant_id, *_differences(before, after)].append(after.id)
    for (tenant_id, *differences), activity_ids in grouped_updates.items():
        values = {f"new_{name}": value for name, value in differences}
        connection.execute(
            _update_of(tuple(name for name, _ in differences)),
            {"of_tenant": tenant_id, "activity_ids": activity_ids, **values},
        )
    for tenant_id in sorted({after.tenant_id for _, after in changes}):
        own_changes = [pair for pair in changes if pair[1].tenant_id == tenant_id]
        _count_changes(connection, tenant_id, own_changes)


def _differences(before: Activity, after: Activity) -> list[tuple[str, Any]]:
    """Return the columns that a write touches and their new values, hashable."""
    new, old = column_values(after), column_values(before)
    return [
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in new.items()
        if value != old[name]
    ]


def _count_changes(connection: Connection, tenant_id: int, changes: Sequence[Change]) -> None:
    shared = sum(_is_shared(after) - _is_shared(before) for before, after in changes)
    private = sum(_is_private(after) - _is_private(before) for before, after in changes)
    move_counters(connection, tenant_id, shared=shared, private=private)


def _is_shared(activity: Activity | None) -> bool:
    return _is_live(activity) and not _is_private(activity)


def _is_private(activity: Activity | None) -> bool:
    return _is_live(activity) and activity is not None and activity.visibility == "private"


def _is_live(activity: Activity | None) -> bool:
    return activity is not None and activity.deleted_at is None


def move_counters(connection: Connection, tenant_id: int, *, shared: int, private: int) -> None:
    """Move the tenant's version by one, and its numbers of live records by these differences."""
    parameters = {
        "of_tenant": tenant_id,
        "of_slot": random.randrange(COUNTER_SLOTS),  # Any slot will do: they are summed.
        "more_shared": shared,
        "more_private": private,
    }
    connection.execute(_move_counters, parameters)
