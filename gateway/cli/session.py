"""What a command works with: the settings, and a database that is ready for it.

Every command names its database on standard error: otherwise nobody would notice that it works on
another one than the service that runs beside it.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import click

from core.storage import clock_zones, migrate, roles
from core.storage.database import Database
from core.storage.database_identity import is_current
from gateway.embedded import last_run, lease
from gateway.settings import NO_REDIS, Settings

UNGUARDED = (
    "GATEWAY_ROW_SECURITY is true, but the role of DATABASE_URL sees every tenant's rows: "
    f"let it be {roles.SERVICE}, which `crm-gateway db roles --apply` makes; none on Citus"
)


class NotUpgraded(Exception):
    """The database lacks migrations, and upgrading it is its operator's decision."""


def environment() -> Settings:
    """Return the environment's settings; embedded servers are by default the last run's."""
    given = Settings.from_env()
    return replace(given, data_dir=given.data_dir or last_run.data_directory())


@contextmanager
def connected(given: Settings) -> Iterator[tuple[Settings, Database]]:
    """Give the settings with the database named, and the database, whatever its state.

    No Redis is started: no command but `serve` has a use for one.
    """
    click.echo(f"Database: {description(given)}", err=True)
    with (
        lease.resolved_servers(replace(given, redis_url=given.redis_url or NO_REDIS)) as settings,
        closing(
            Database(settings.database_url or "", row_security=settings.row_security)
        ) as database,
    ):
        yield settings, database


@contextmanager
def ready(*, is_service: bool = False) -> Iterator[tuple[Settings, Database]]:
    """Give the environment's settings, and a database that has every migration.

    An embedded database is brought there. With `is_service` its directory is noted as that
    of the last run. Raises: NotUpgraded, SettingsError, EngineError, Unavailable.
    """
    given = Settings.from_env() if is_service else environment()
    with connected(given) as (settings, database):
        if not is_current(database):
            if given.database_url is not None:
                raise NotUpgraded("the database lacks migrations: run crm-gateway db upgrade")
            migrate.upgrade(database)
            clock_zones.rezone(database)
        if is_service and settings.row_security and not roles.hold_for(database):
            raise click.ClickException(UNGUARDED)
        if is_service and given.database_url is None:
            last_run.record(lease.data_directory(given))
        yield settings, database


def description(settings: Settings) -> str:
    """Return which database the settings mean, without user, password and options."""
    if settings.database_url is not None:
        parts = urlsplit(settings.database_url)
        hosts = parse_qs(parts.query).get("host", [])
        place = parts.netloc.rpartition("@")[2] or ",".join(hosts) or "localhost"
        return f"{parts.path.lstrip('/') or 'the default one'} on {place} (DATABASE_URL)"
    directory, last = lease.data_directory(settings), last_run.data_directory()
    is_other = last is not None and last != directory
    return f"embedded, in {directory}" + (f"; the service last ran on {last}" * is_other)
