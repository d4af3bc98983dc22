"""Migrations: bring a database to the newest schema, and tell whether it is there.

A program serves a database that has migrations which it does not know: while a new version is
rolled out, the database is upgraded first, and old programs go on and may start anew.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from core.domain.errors import DatabaseTimeout, Unavailable
from core.storage.database import Database
from core.storage.distribution import distribute_empty

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_308_604  # Any constant: whoever upgrades this database first makes others wait.
LOCK_TIMEOUT_MS = 500
"""So long a migration waits for a table, because whoever comes after it waits behind it."""
RETRY_SECONDS = 1.0
GIVE_UP_SECONDS = 300.0
END_WITH_CLIENT = "SELECT set_config('client_connection_check_interval', '1000', true)"
"""Lets a transaction end within a second of its program's death, whatever it is doing."""
_LOCK_TIMEOUT = text("SELECT set_config('lock_timeout', :timeout, true)")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def upgrade(database: Database) -> Sequence[str]:
    """Apply every migration that is missing, in one transaction; safe when several start at once.

    Beside traffic it waits for tables only so long as nobody notices, and tries again, for minutes
    if need be. A database that is ahead of this program is left alone. On a Citus cluster the
    tables are distributed then. Returns those that are not, because they have rows already:
    `distribute` does it. Raises: Unavailable.
    """
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        try:
            return _upgrade(database)
        except DatabaseTimeout as error:
            if time.monotonic() > deadline:
                detail = f"a transaction keeps a table for itself; see pg_stat_activity ({error})"
                raise Unavailable(detail=detail) from error
        time.sleep(RETRY_SECONDS)


def _upgrade(database: Database) -> Sequence[str]:
    config = _config()
    with database.transaction() as connection:
        connection.exec_driver_sql(END_WITH_CLIENT)
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        if _is_ahead(connection):
            return []
        connection.execute(_LOCK_TIMEOUT, {"timeout": str(LOCK_TIMEOUT_MS)})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(_LOCK_TIMEOUT, {"timeout": "0"})
        return distribute_empty(connection)


def is_current(database: Database) -> bool:
    """Return whether the database has every migration that this program knows.

    Raises: Unavailable.
    """
    with database.transaction() as connection:
        return _revision(connection) == _head() or _is_ahead(connection)


def is_ahead(database: Database) -> bool:
    """Return whether the database has migrations that this program does not know, after its own.

    Raises: Unavailable.
    """
    with database.transaction() as connection:
        return _is_ahead(connection)


def _is_ahead(connection: Connection) -> bool:
    return (_revision(connection) or "") > _head()  # They are numbers of equal length.


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _head() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


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
