"""Whoever can write to Redis can slow the service down, and not lie to it."""

import statistics
import time
from collections.abc import Callable, Iterator

import orjson
import pytest
from flask import Flask
from redis import Redis
from support.callers import Home
from support.offices import CONTACT, ENTITIES, Office
from werkzeug.test import TestResponse

from core.caching.shared_entity_cache import DIGEST_BYTES, _Names
from core.storage.database import Database
from core.storage.entity_store import put_entities

PATH = "/v1/crm/activities"
PAGES = 100
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


@pytest.fixture
def cold_page(
    make_app: Callable[..., Flask], database: Database, tenant: Home
) -> Callable[[], TestResponse]:
    """Give what reads a page of ten, with thirty entities of which the process remembers none."""
    entities = {
        (kind, number): {"first_name" if kind == "user" else "name": "Ada Lovelace", "phone": "1"}
        for kind in ("contact", "company", "user")
        for number in range(1, 11)
    }
    with database.transaction() as connection:
        put_entities(connection, tenant.id, entities)
    cold = {"answer_cache_bytes": 0, "record_cache_bytes": 0, "directory_cache_bytes": 0}
    client, headers = make_app(**cold).test_client(), {"x-access-token": tenant.caller(1).key}
    for number in range(1, 11):
        ids = {f"{key}_ids": [number] for key in ("contact", "organization", "assignee")}
        made = client.post(PATH, json={"name": "n", "owner_id": number, **ids}, headers=headers)
        assert made.status_code == 201
    client.get(PATH, headers=headers)
    return lambda: client.get(PATH, headers=headers)


def test_digests_cost_little_of_a_cold_page(
    cold_page: Callable[[], TestResponse], monkeypatch: pytest.MonkeyPatch
):
    """Page and digests are measured in turn, so that a busy machine slows both."""
    digest, signed = _Names.digest, []

    def noted(names: _Names, key: str, text: bytes) -> bytes:
        signed.append((names, key, text))
        return digest(names, key, text)

    with monkeypatch.context() as patch:
        patch.setattr(_Names, "digest", noted)
        assert len(cold_page().json["data"]) == 10
    assert len(signed) == 30
    shares = []
    for _ in range(PAGES):
        begun = time.perf_counter()
        cold_page()
        read_at = time.perf_counter()
        for one in signed:
            digest(*one)
        shares.append((time.perf_counter() - read_at) / (read_at - begun))
    assert statistics.median(shares) < 0.02
