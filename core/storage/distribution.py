"""Distribution of the tenants' tables over the nodes of a Citus cluster.

All tables are distributed by `tenant_id` and colocated with `tenants`, so that one node has
everything of a tenant. `database_identity` and Alembic's table stay on the coordinator. A database
without the extension is left as it is.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from core.storage.database import Database
from core.storage.tables import metadata

DISTRIBUTION_COLUMN = "tenant_id"
_FIRST = "tenants"
_TABLES = (
    _FIRST,
    *sorted(
        name
        for name, table in metadata.tables.items()
        if name != _FIRST and DISTRIBUTION_COLUMN in table.columns
    ),
)
_HAS_CITUS = text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
_DISTRIBUTED = text("""
    SELECT table_name::TEXT FROM citus_tables
    WHERE table_name::TEXT = ANY(:tables) AND distribution_column = :column
        AND colocation_id = (SELECT colocation_id FROM citus_tables WHERE table_name::TEXT = :first)
    """)
_DISTRIBUTE = text("SELECT create_distributed_table(:table, :column, colocate_with => :colocated)")
_LEFT_BEHIND = text("SELECT pg_relation_size(CAST(:table AS regclass)) > 0")
_FREE = text("SELECT truncate_local_data_after_distributing_table(CAST(:table AS regclass))")


def distribute(database: Database) -> Sequence[str]:
    """Distribute every tenant table that is not, with its rows; return the names of those.

    Lists and gets go on meanwhile; writes wait, and give up at their lock timeout. All tables
    change in one transaction; the rows that stay behind on the coordinator, no longer visible, are
    then freed. Safe to repeat. Raises: LookupError, where Citus is not installed; Unavailable.
    """
    with database.transaction() as connection:
        if not has_citus(connection):
            raise LookupError("the database has no extension citus")
        added = _distribute(connection, missing_tables(connection))
    for table in _TABLES:
        with database.transaction() as connection:
            if connection.execute(_LEFT_BEHIND, {"table": table}).scalar_one():
                connection.execute(_FREE, {"table": table})
    return added


def distribute_empty(connection: Connection) -> Sequence[str]:
    """Distribute what is not, unless it has rows already: that takes time and is asked for.

    Returns the tables that are still not distributed on a cluster. Safe to repeat.
    """
    if not has_citus(connection):
        return []
    missing = missing_tables(connection)
    if any(_has_rows(connection, table) for table in missing):
        return missing
    _distribute(connection, missing)
    return []


def has_citus(connection: Connection) -> bool:
    """Return whether the database has the extension."""
    return bool(connection.execute(_HAS_CITUS).scalar_one())


def missing_tables(connection: Connection) -> Sequence[str]:
    """Return the tenant tables that are not distributed as they should be, `tenants` first."""
    values = {"tables": list(_TABLES), "column": DISTRIBUTION_COLUMN, "first": _FIRST}
    distributed = set(connection.execute(_DISTRIBUTED, values).scalars())
    return [table for table in _TABLES if table not in distributed]


def _distribute(connection: Connection, missing: Sequence[str]) -> Sequence[str]:
    for table in missing:
        colocated = "none" if table == _FIRST else _FIRST
        connection.execute(
            _DISTRIBUTE, {"table": table, "column": DISTRIBUTION_COLUMN, "colocated": colocated}
        )
    return missing


def _has_rows(connection: Connection, table: str) -> bool:
    return bool(connection.exec_driver_sql(f"SELECT EXISTS (SELECT FROM {table})").scalar_one())
