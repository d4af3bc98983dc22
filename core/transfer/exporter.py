"""Export of everything, or of one tenant, as NDJSON: one snapshot of the database."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from core.domain.entity import ENTITY_KINDS
from core.domain.errors import EntityNotFound
from core.domain.model import Tenant
from core.storage.activity_reader import activity_from_row
from core.storage.database import Database
from core.storage.tables import ACTIVITY_COLUMNS, activities, entities, tenants
from core.transfer import ndjson

# A record may have megabytes: so many are in memory at once. More would not be faster.
ROWS_AT_ONCE = 100


def export_lines(database: Database, *, tenant_id: int | None = None) -> Iterator[bytes]:
    """Return the lines of everything, or of one tenant, in one snapshot of the database.

    Each tenant comes before its users, companies, contacts, deals and activities, all in the
    order of their ids, deleted activities among them. Raises: EntityNotFound, Unavailable.
    """
    with database.transaction(isolation_level="REPEATABLE READ") as connection:
        found = [Tenant(*row) for row in connection.execute(_tenants(tenant_id))]
        if tenant_id is not None and not found:
            raise EntityNotFound(f"there is no tenant {tenant_id}")
        for tenant in found:
            yield ndjson.write_tenant(tenant)
            for kind in ENTITY_KINDS:
                for entity_id, fields in _stream(connection, _entities(tenant.id, kind)):
                    yield ndjson.write_entity(tenant.id, kind, entity_id, fields)
            for row in _stream(connection, _activities(tenant.id)):
                yield ndjson.write_activity(activity_from_row(row))


def _stream(connection: Connection, statement: Select[Any]) -> Iterator[Any]:
    options = {"stream_results": True, "max_row_buffer": ROWS_AT_ONCE}
    return iter(connection.execute(statement, execution_options=options))


def _tenants(tenant_id: int | None) -> Select[Any]:
    columns = tenants.c
    wanted = select(columns.tenant_id, columns.name, columns.timezone, columns.deskera_timezone)
    if tenant_id is not None:
        wanted = wanted.where(columns.tenant_id == tenant_id)
    return wanted.order_by(columns.tenant_id)


def _entities(tenant_id: int, kind: str) -> Select[Any]:
    columns = entities.c
    of_kind = (columns.tenant_id == tenant_id) & (columns.kind == kind)
    wanted = select(columns.id, columns.fields).where(of_kind, columns.is_removed.is_(False))
    return wanted.order_by(columns.id)


def _activities(tenant_id: int) -> Select[Any]:
    wanted = select(*ACTIVITY_COLUMNS).where(activities.c.tenant_id == tenant_id)
    return wanted.order_by(activities.c.id)
