"""Erasing what a tenant has: its activities and its directory, but never the tenant itself.

Versions only move on, so that caches of what is erased learn of it. Rows are locked in the order
that other writers lock them.
"""

from sqlalchemy import Connection, delete, update

from core.storage.tables import (
    activities,
    activity_counters,
    activity_numbers,
    entities,
    idempotency_keys,
)
from core.storage.tenant_store import lock_directory, next_directory_version


def erase_records(connection: Connection, tenant_id: int) -> None:
    """Erase a tenant's activities for good, so that their ids begin at 1 again, and its entities.

    A tenant that does not exist has nothing to erase.
    """
    numbers, counters = activity_numbers.c, activity_counters.c
    connection.execute(
        update(activity_numbers).where(numbers.tenant_id == tenant_id).values(last_id=0)
    )
    for table in (activities, idempotency_keys):
        connection.execute(delete(table).where(table.c.tenant_id == tenant_id))
    if lock_directory(connection, tenant_id):
        version = next_directory_version(connection, tenant_id)
        connection.execute(
            update(entities)
            .where(entities.c.tenant_id == tenant_id, entities.c.is_removed.is_(False))
            .values(version=version, fields={}, is_removed=True)
        )
    connection.execute(
        update(activity_counters)
        .where(counters.tenant_id == tenant_id)
        .values(version=counters.version + 1, shared=0, private=0)
    )
