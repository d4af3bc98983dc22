"""The tables of the tests' database."""

from core.storage.database import Database
from core.storage.tables import metadata

KEPT_TABLES = {"database_identity"}


def empty_tables(database: Database) -> None:
    """Empty every table but the database's own identity."""
    names = ", ".join(sorted(set(metadata.tables) - KEPT_TABLES))
    with database.transaction() as connection:
        connection.exec_driver_sql(f"TRUNCATE {names}")
