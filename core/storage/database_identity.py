"""What a database is: its name, which no other bears, and how new its schema."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from core.storage.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def newest_revision() -> str:
    """Return the revision of the last migration: each one's file begins with its own."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def is_current(database: Database) -> bool:
    """Return whether the database has every migration that this program knows.

    Raises: Unavailable.
    """
    with database.transaction() as connection:
        return _revision(connection) >= newest_revision()


def is_ahead(database: Database) -> bool:
    """Return whether the database has migrations that this program does not know, after its own.

    Raises: Unavailable.
    """
    with database.transaction() as connection:
        return is_ahead_of_program(connection)


def is_ahead_of_program(connection: Connection) -> bool:
    """Return the same inside of a transaction."""
    return _revision(connection) > newest_revision()  # They are numbers of equal length.


def _revision(connection: Connection) -> str:
    """Return the revision of the last migration that was applied; "" if none was."""
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
        return ""
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(found or "")


class DatabaseIdentity(NamedTuple):
    """A name of the database, when its server started, and the secret that signs cache entries.

    The first migration made the name's first part; a copy in the same server has another object
    id, and a server that was taken back in time another timeline. A backup that is restored on
    another server may have all of these: that server started at another moment.
    """

    name: str
    started_at: str
    cache_secret: bytes

    @property
    def cache_name(self) -> str:
        """What no other database bears, and this one until its server starts again."""
        return f"{self.name}-{self.started_at}"


def identity(database: Database) -> DatabaseIdentity:
    """Return what tells a database from all others, copies of it included. Raises: Unavailable."""
    with database.transaction() as connection:
        name, started_at, cache_secret = connection.exec_driver_sql(_IDENTITY).one()
    return DatabaseIdentity(name, started_at, bytes(cache_secret))


_IDENTITY = """
    SELECT identity || '-' || pg_database.oid || '-' || CASE
        WHEN pg_is_in_recovery() THEN 'replica'
        ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
        to_hex((extract(epoch FROM pg_postmaster_start_time()) * 1000000)::BIGINT), cache_secret
    FROM database_identity, pg_database WHERE datname = current_database()"""
