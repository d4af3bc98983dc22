"""Two gateways, writers and readers: a read shows all that was acknowledged before it began."""

import os
from collections.abc import Iterator

import pytest
from support.callers import JWT_SECRET
from support.gateway_process import make_keys, served
from support.own_servers import OwnServer
from support.read_after_write import WRITTEN_PART, play

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants

TENANT = 1303
READS = int(os.environ.get("CHECKED_READS", "1500"))
"""For each state of Redis; the long form is 40,000."""

Gateways = tuple[list[int], str]


@pytest.fixture
def gateways(
    database_url: str, own_redis: OwnServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateways]:
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": own_redis.url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "warning",
    }
    database = Database(database_url)
    Tenants(database).create(Tenant(TENANT, "Truth", "UTC", "UTC"))
    database.close()
    key = make_keys(database_url, user_id=7, truth=TENANT)["truth"]["key"]
    logs = tmp_path_factory.mktemp("truth")
    with (
        served(environ, log=logs / "one", workers=1) as one,
        served(environ, log=logs / "two", workers=1) as two,
    ):
        yield [one, two], key


def test_no_read_shows_less_than_was_written(gateways: Gateways, own_redis: OwnServer) -> None:
    ports, key = gateways
    for disturb in (lambda: None, own_redis.freeze, own_redis.kill):
        disturb()
        history = play(ports, key, reads=READS, seconds=60 + READS / 100)
        assert (history.stale, history.failures) == ([], [])
        assert history.reads >= READS
        assert history.writes >= READS // WRITTEN_PART
