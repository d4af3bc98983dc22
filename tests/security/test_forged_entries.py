"""Whoever can write to Redis can slow the service down, and not lie to it."""

import timeit
from collections.abc import Callable, Iterator

import orjson
import pytest
from redis import Redis
from support.callers import Home
from support.offices import CONTACT, ENTITIES, Office

from core.caching.shared_entity_cache import DIGEST_BYTES
from core.storage.database import Database

Forgery = Callable[[bytes], bytes]


@pytest.fixture
def office(database: Database, tenant: Home, redis_url: str) -> Iterator[Office]:
    """Give a tenant's directory whose entries nobody has cached yet."""
    redis = Redis.from_url(redis_url)
    redis.flushall()
    yield Office(database, tenant.id, redis_url)
    redis.close()


def changed(raw: bytes) -> bytes:
    """Return an entry with another name in it, under the digest that it had."""
    return raw.replace(b"Grace", b"Mallory")


def unsigned(raw: bytes) -> bytes:
    """Return an entry as it would be without any digest."""
    return changed(raw)[DIGEST_BYTES:]


def newer(raw: bytes) -> bytes:
    """Return an entry that claims to be of a later version."""
    entry = orjson.loads(raw[DIGEST_BYTES:])
    return raw[:DIGEST_BYTES] + orjson.dumps(entry | {"at": entry["at"] + 1000})


@pytest.mark.parametrize(
    "forge",
    [changed, unsigned, newer, lambda raw: b"\0" * DIGEST_BYTES + changed(raw)[DIGEST_BYTES:]],
    ids=["changed", "unsigned", "newer", "zeros"],
)
def test_forged_entry_is_a_miss(office: Office, statements: list[str], forge: Forgery):
    office.worker()(CONTACT)
    redis = Redis.from_url(office.redis_url)
    (key,) = redis.keys("crm:*")
    redis.set(key, forge(redis.get(key) or b""))
    statements.clear()
    assert office.worker()(CONTACT) == ENTITIES[CONTACT]
    assert any("JOIN entities" in sql for sql in statements)


def test_digest_is_bound_to_its_database(office: Office, database: Database):
    with database.transaction() as connection:
        secret = connection.exec_driver_sql("SELECT cache_secret FROM database_identity").scalar()
        assert len(bytes(secret)) == 32
        keys = "SELECT count(DISTINCT cache_secret) FROM database_identity"
        assert connection.exec_driver_sql(keys).scalar() == 1
    office.worker()(CONTACT)
    redis = Redis.from_url(office.redis_url)
    (key,) = redis.keys("crm:*")
    assert bytes(secret) not in (redis.get(key) or b"")


def test_digests_cost_little(office: Office):
    """A page of ten shows about thirty entities, and takes about 900 microseconds when cold."""
    shared = office.cache()._shared
    entry = b"x" * 500
    seconds = min(timeit.repeat(lambda: shared._digest("k" * 40, entry), number=1000, repeat=5))
    assert 30 * seconds / 1000 < 0.02 * 900e-6 * 4  # Four times the bound: CI's machines are slow.
