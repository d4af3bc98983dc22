"""Migrations: bring a database to the newest schema, and tell whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_308_604  # Any constant: whoever upgrades this database first makes others wait.


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def upgrade(database: Database) -> None:
    """Apply every migration that is missing, in one transaction; safe when several start at once.

    Raises: Unavailable.
    """
    config = _config()
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Return whether the database has every migration that this program knows.

    Raises: Unavailable.
    """
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.transaction() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def identity(database: Database) -> str:
    """Return the name that the first migration gave this database.

    A second or a restored-and-upgraded database has another, so that shared caches never mix them.
    """
    with database.transaction() as connection:
        return str(connection.execute(text("SELECT identity FROM database_identity")).scalar_one())
