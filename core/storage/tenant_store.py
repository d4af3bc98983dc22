"""The tenants: made by operators, read with every request."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import Insert, insert

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tables import COUNTER_SLOTS, activity_counters, activity_numbers, tenants

_columns = tenants.c
_known = select(_columns.tenant_id).where(_columns.tenant_id == bindparam("tenant_id"))
_whole = select(_columns.tenant_id, _columns.name, _columns.timezone, _columns.deskera_timezone)

_FACTS = """
    SELECT name, timezone, deskera_timezone,
        (SELECT COALESCE(sum(shared), 0)::BIGINT FROM activity_counters
            WHERE activity_counters.tenant_id = %(tenant_id)s::BIGINT),
        (SELECT COALESCE(sum(private), 0)::BIGINT FROM activity_counters
            WHERE activity_counters.tenant_id = %(tenant_id)s::BIGINT),
        (SELECT count(*) FROM credentials
            WHERE credentials.tenant_id = %(tenant_id)s::BIGINT AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > %(now)s::TIMESTAMPTZ))
    FROM tenants WHERE tenants.tenant_id = %(tenant_id)s::BIGINT"""


class TenantFacts(NamedTuple):
    """A tenant in numbers: its live activities, and the keys that open it now."""

    tenant: Tenant
    shared_activities: int
    private_activities: int
    active_keys: int

    @property
    def activities(self) -> int:
        """How many there are, private ones among them."""
        return self.shared_activities + self.private_activities


def put_tenant(connection: Connection, tenant: Tenant) -> bool:
    """Store a tenant, new or known; a change moves its directory version.

    Returns whether anything changed.
    """
    statement = _insert(tenant)
    new = statement.excluded
    changed = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={
                "name": new.name,
                "timezone": new.timezone,
                "deskera_timezone": new.deskera_timezone,
                "directory_version": _columns.directory_version + 1,
            },
            where=(
                (_columns.name != new.name)
                | (_columns.timezone != new.timezone)
                | (_columns.deskera_timezone != new.deskera_timezone)
            ),
        ).returning(_columns.tenant_id)
    ).first()
    _prepare_counters(connection, tenant.id)
    return changed is not None


def add_tenant(connection: Connection, tenant: Tenant) -> bool:
    """Store a tenant unless its id is taken; returns whether it was new."""
    added = _insert(tenant).on_conflict_do_nothing().returning(_columns.tenant_id)
    is_new = connection.execute(added).first() is not None
    if is_new:
        _prepare_counters(connection, tenant.id)
    return is_new


def _insert(tenant: Tenant) -> Insert:
    return insert(tenants).values(
        tenant_id=tenant.id,
        name=tenant.name,
        timezone=tenant.timezone,
        deskera_timezone=tenant.deskera_timezone,
    )


def _prepare_counters(connection: Connection, tenant_id: int) -> None:
    slots = [{"tenant_id": tenant_id, "slot": slot} for slot in range(COUNTER_SLOTS)]
    connection.execute(insert(activity_counters).on_conflict_do_nothing(), slots)
    connection.execute(insert(activity_numbers).on_conflict_do_nothing(), {"tenant_id": tenant_id})


def lock_directory(connection: Connection, tenant_id: int) -> bool:
    """Lock a tenant's directory until this transaction ends; returns whether there is one.

    Whoever changes the directory calls this first, so that versions are committed in order.
    """
    locking = _known.with_for_update(key_share=True)
    return connection.execute(locking, {"tenant_id": tenant_id}).first() is not None


def next_directory_version(connection: Connection, tenant_id: int) -> int:
    """Move and return the directory version of a tenant that this transaction has locked."""
    moved = (
        tenants.update()
        .where(_columns.tenant_id == tenant_id)
        .values(directory_version=_columns.directory_version + 1)
        .returning(_columns.directory_version)
    )
    return int(connection.execute(moved).scalar_one())


def find_tenant(connection: Connection, tenant_id: int) -> Tenant | None:
    """Return a tenant as this transaction sees it."""
    row = connection.execute(_whole.where(_columns.tenant_id == tenant_id)).first()
    return None if row is None else Tenant(*row)


class Tenants:
    """Reads and makes tenants, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, tenant: Tenant) -> bool:
        """Store a tenant; returns False, and changes nothing, if the id is taken."""
        with self._database.transaction() as connection:
            if find_tenant(connection, tenant.id) is not None:
                return False
            return put_tenant(connection, tenant)

    def put(self, tenant: Tenant) -> bool:
        """Store a tenant, new or known; returns whether anything changed."""
        with self._database.transaction() as connection:
            return put_tenant(connection, tenant)

    def get(self, tenant_id: int) -> Tenant | None:
        """Return a tenant, or None."""
        with self._database.transaction() as connection:
            return find_tenant(connection, tenant_id)

    def facts(self, tenant_id: int, *, now: datetime) -> TenantFacts | None:
        """Return a tenant in numbers, or None. Raises: Unavailable."""
        found = self._database.read(_FACTS, {"tenant_id": tenant_id, "now": now})
        if not found:
            return None
        name, timezone, deskera_timezone, *numbers = found[0]
        return TenantFacts(Tenant(tenant_id, name, timezone, deskera_timezone), *numbers)
