"""A whole service of one test's own: PostgreSQL, Redis, gateways and the callers of two tenants.

Nothing of it is shared with other tests, so that all of it may be frozen, killed and changed.
PostgreSQL commits to its files at once: what was acknowledged outlives a crash of the server.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.callers import JWT_SECRET
from support.fault_load import Load
from support.gateway_process import Gateway, make_keys, running
from support.own_servers import OwnServer
from support.write_log import WriteLog

from core.domain.model import Tenant
from core.storage import migrate
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from gateway.embedded.engines import start_postgres, start_redis

DURABLE = ("fsync=off", "synchronous_commit=on", "max_connections=100", "shared_buffers=16MB")
TENANTS = {"first": 501, "second": 502}
USER = 45


@dataclass(frozen=True)
class Scene:
    """What may break, and who is there to notice."""

    postgres: OwnServer
    redis: OwnServer
    gateways: Sequence[Gateway]
    log: WriteLog
    environ: Mapping[str, str]

    def load(self) -> Load:
        """Return a load on all gateways; it begins with the `with` statement."""
        return Load([gateway.port for gateway in self.gateways], self.log)


def environment(database_url: str, redis_url: str) -> dict[str, str]:
    """Return the environment of a gateway of a scene."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "warning",
    }


def fill(database_url: str) -> WriteLog:
    """Migrate a database and make two tenants; return an empty log with their keys."""
    database = Database(database_url)
    migrate.upgrade(database)
    for name, tenant_id in TENANTS.items():
        Tenants(database).create(Tenant(tenant_id, name, "UTC", "UTC"))
    database.close()
    keys = make_keys(database_url, user_id=USER, **TENANTS)
    return WriteLog({each["id"]: each["key"] for each in keys.values()})


@contextmanager
def scene(directory: Path, logs: Path, *, gateways: int = 2, workers: int = 1) -> Iterator[Scene]:
    """Give a scene whose servers keep their files in `directory`."""
    postgres = OwnServer(lambda: start_postgres(directory / "postgres", DURABLE))
    try:
        with scene_on(postgres, postgres.url, directory, logs, gateways, workers) as made:
            yield made
    finally:
        with suppress(OSError):
            postgres.thaw()
        postgres.stop()


@contextmanager
def scene_on(
    postgres: OwnServer, url: str, directory: Path, logs: Path, gateways: int = 2, workers: int = 1
) -> Iterator[Scene]:
    """Give a scene on a PostgreSQL that is there; the gateways reach it by the `url`."""
    redis = OwnServer(lambda: start_redis(directory / "redis"))
    log = fill(url)
    environ = environment(url, redis.url)
    with ExitStack() as stack:
        stack.callback(redis.stop)
        started = [
            stack.enter_context(running(environ, log=logs / f"gateway{number}", workers=workers))
            for number in range(gateways)
        ]
        yield Scene(postgres, redis, started, log, environ)
