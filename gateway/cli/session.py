"""What a command works with: the settings, and a database that is ready for it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from core.storage import migrate
from core.storage.database import Database
from gateway.embedded.lease import resolved_servers
from gateway.settings import NO_REDIS, Settings


class NotUpgraded(Exception):
    """The database lacks migrations, and upgrading it is its operator's decision."""


def without_redis(given: Settings) -> Settings:
    """Return settings that start no Redis: no command but `serve` has a use for one."""
    return replace(given, redis_url=given.redis_url or NO_REDIS)


@contextmanager
def connected(given: Settings) -> Iterator[tuple[Settings, Database]]:
    """Give the settings with the database named, and the database, whatever its state."""
    with (
        resolved_servers(without_redis(given)) as settings,
        closing(Database(settings.database_url or "")) as database,
    ):
        yield settings, database


@contextmanager
def ready() -> Iterator[tuple[Settings, Database]]:
    """Give the environment's settings, and a database that has every migration.

    An embedded database is brought there. Raises: NotUpgraded, SettingsError, EngineError,
    Unavailable.
    """
    given = Settings.from_env()
    with connected(given) as (settings, database):
        if not migrate.is_current(database):
            if given.database_url is not None:
                raise NotUpgraded("the database lacks migrations: run crm-gateway db upgrade")
            migrate.upgrade(database)
        yield settings, database
