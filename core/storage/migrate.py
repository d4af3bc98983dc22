"""Migrations: bring a database to the newest schema.

Alembic takes several MiB of memory: `database_identity` tells without it whether that was done.

A program serves a database that has migrations which it does not know: while a new version is
rolled out, the database is upgraded first, and old programs go on and may start anew.
"""

import time
from collections.abc import Sequence

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from core.domain.errors import DatabaseTimeout, Unavailable
from core.storage.connector import END_WITH_CLIENT
from core.storage.database import Database
from core.storage.database_identity import MIGRATIONS, is_ahead_of_program
from core.storage.distribution import distribute_empty

UPGRADE_LOCK = 7_308_604  # Any constant: whoever upgrades this database first makes others wait.
LOCK_TIMEOUT_MS = 500
"""So long a migration waits for a table, because whoever comes after it waits behind it."""
RETRY_SECONDS = 1.0
GIVE_UP_SECONDS = 300.0
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
        if is_ahead_of_program(connection):
            return []
        connection.execute(_LOCK_TIMEOUT, {"timeout": str(LOCK_TIMEOUT_MS)})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(_LOCK_TIMEOUT, {"timeout": "0"})
        return distribute_empty(connection)
