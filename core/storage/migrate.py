"""Migrations: bring a database to the newest schema, and tell whether it is there."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.storage.database import Database
from core.storage.distribution import distribute_empty

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_308_604  # Any constant: whoever upgrades this database first makes others wait.


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def upgrade(database: Database) -> Sequence[str]:
    """Apply every migration that is missing, in one transaction; safe when several start at once.

    On a Citus cluster the tables are distributed then. Returns those that are not, because they
    have rows already: `distribute` does it. Raises: Unavailable.
    """
    config = _config()
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return distribute_empty(connection)


def is_current(database: Database) -> bool:
    """Return whether the database has every migration that this program knows.

    Raises: Unavailable.
    """
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.transaction() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


class DatabaseIdentity(NamedTuple):
    """A name that no other database bears, and the secret that signs what is cached of it."""

    name: str
    cache_secret: bytes


def identity(database: Database) -> DatabaseIdentity:
    """Return the name and the secret of a database; the name differs in a restored copy.

    The first migration made its first part; a copy has another object id, and a server that was
    taken back in time another timeline. Raises: Unavailable.
    """
    with database.transaction() as connection:
        name, cache_secret = connection.exec_driver_sql(_IDENTITY).one()
    return DatabaseIdentity(name, bytes(cache_secret))


_IDENTITY = """
    SELECT identity || '-' || pg_database.oid || '-' || CASE
        WHEN pg_is_in_recovery() THEN 'replica'
        ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END, cache_secret
    FROM database_identity, pg_database WHERE datname = current_database()"""
