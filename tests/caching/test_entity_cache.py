"""Related entities: fresh at once on every worker, whatever the shared cache does meanwhile."""

import threading

import pytest
from redis import Redis
from support.callers import Home
from support.offices import CONTACT, DEAL, ENTITIES, USER, Office, cached_count
from support.own_servers import OwnServer

from core.caching.entity_cache import EntityCache
from core.caching.redis_cache import RedisCache
from core.caching.shared_entity_cache import SharedEntityCache
from core.domain.entity import Entity
from core.storage.database import Database
from core.storage.database_identity import identity
from core.storage.entity_store import EntityStore
from core.storage.tenant_store import Tenants

ENTITY_BYTES = Entity("contact", 100, '{"name": "100"}').size_bytes


@pytest.fixture
def office(database: Database, tenant: Home, own_redis: OwnServer) -> Office:
    return Office(database, tenant.id, own_redis.url)


def test_lookup_finds_known_and_omits_unknown(office: Office) -> None:
    unknown = ("company", 404)
    found = office.cache().lookup(office.tenant_id, office.version(), {USER, unknown})
    user = found[USER]
    assert user is not None
    assert user.parse_fields() == ENTITIES[USER]
    assert found.get(unknown) is None


def test_deal_comes_with_what_it_names(office: Office) -> None:
    links = {"contact": {"name": "Grace"}, "owner": {"first_name": "Ada"}}
    assert office.worker()(DEAL) == {**ENTITIES[DEAL], "links": links}


def test_change_shows_at_once_everywhere(office: Office) -> None:
    workers = [office.worker() for _ in range(3)]
    for worker in workers:
        worker(CONTACT)
    office.put({CONTACT: {"name": "Hopper"}})
    assert [worker(CONTACT) for worker in workers] == [{"name": "Hopper"}] * 3


def test_change_shows_inside_deals(office: Office) -> None:
    worker = office.worker()
    worker(DEAL)
    office.put({CONTACT: {"name": "Hopper"}})
    shown = worker(DEAL)
    assert shown is not None
    assert shown["links"]["contact"] == {"name": "Hopper"}


def test_removal_shows_at_once(office: Office) -> None:
    worker = office.worker()
    worker(USER)
    office.remove(USER)
    assert worker(USER) is None
    assert office.worker()(USER) is None


def test_arrival_of_unknown_shows_at_once(office: Office) -> None:
    worker, late = office.worker(), ("company", 8)
    assert worker(late) is None
    office.put({late: {"name": "Late"}})
    assert worker(late) == {"name": "Late"}


def test_frozen_redis_cannot_bring_old_back(office: Office, own_redis: OwnServer) -> None:
    office.worker()(CONTACT)
    own_redis.freeze()
    office.put({CONTACT: {"name": "Hopper"}})
    own_redis.thaw()
    assert office.worker()(CONTACT) == {"name": "Hopper"}


def test_late_writer_cannot_overwrite_newer(office: Office) -> None:
    """A worker that loaded before the change leaves its entry in Redis after the change."""
    old = EntityStore(office.database).read(office.tenant_id, [CONTACT])[CONTACT]
    before = office.version()
    office.put({CONTACT: {"name": "Hopper"}})
    shared = SharedEntityCache(RedisCache(office.redis_url), lambda: identity(office.database))
    late = office.cache()
    late.lookup(office.tenant_id, office.version(), {CONTACT})
    entity = late.lookup(office.tenant_id, office.version(), {CONTACT})[CONTACT]
    shared.write(office.tenant_id, before, [type(entity)("contact", 7, old)])
    assert office.worker()(CONTACT) == {"name": "Hopper"}


def test_garbage_in_redis_is_no_entity(office: Office) -> None:
    office.worker()(CONTACT)
    redis = Redis.from_url(office.redis_url)
    keys = redis.keys("crm:*")
    assert keys
    for key, garbage in zip(keys, [b"\xff", b"[]", b"{}", b'"x"', b"7"] * len(keys), strict=False):
        redis.set(key, garbage)
    assert office.worker()(CONTACT) == ENTITIES[CONTACT]


def test_entry_under_another_key_is_no_entity(office: Office) -> None:
    office.worker()(CONTACT)
    office.worker()(USER)
    redis = Redis.from_url(office.redis_url)
    contact, user = sorted(redis.keys("crm:*"))
    redis.set(contact, redis.get(user))
    assert office.worker()(CONTACT) == ENTITIES[CONTACT]


def test_wiped_redis_is_only_slower(office: Office) -> None:
    worker = office.worker()
    worker(USER)
    Redis.from_url(office.redis_url).flushall()
    assert worker(CONTACT) == ENTITIES[CONTACT]


def test_dead_redis_is_only_slower(office: Office, own_redis: OwnServer) -> None:
    own_redis.kill()
    assert office.worker()(DEAL) is not None


def test_second_worker_reads_redis_only(office: Office, statements: list[str]) -> None:
    office.worker()(DEAL)
    second, version = office.cache(), office.version()
    second.lookup(office.tenant_id, version, {CONTACT})
    statements.clear()
    second.lookup(office.tenant_id, version, {DEAL})
    assert statements == []


def test_herd_on_one_entity_loads_once(office: Office, statements: list[str]) -> None:
    cache, version = office.cache(), office.version()
    cache.lookup(office.tenant_id, version, {CONTACT})
    Redis.from_url(office.redis_url).flushall()
    statements.clear()
    herd = [
        threading.Thread(target=cache.lookup, args=(office.tenant_id, version, {USER}))
        for _ in range(16)
    ]
    for thread in herd:
        thread.start()
    for thread in herd:
        thread.join()
    assert len(statements) == 1


def test_tenants_never_meet(office: Office, database: Database) -> None:
    other = office.tenant_id + 500_000
    with database.transaction() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO tenants (tenant_id, name) VALUES ({other}, 'Other')"
        )
    office.worker()(USER)
    stranger = Office(database, other, office.redis_url)
    stranger.remove(USER)
    assert stranger.worker()(USER) is None
    assert office.worker()(USER) == ENTITIES[USER]


def test_changed_tenant_shows_at_once(office: Office, database: Database) -> None:
    cache = office.cache()
    tenant = cache.tenant(office.tenant_id, office.version())
    Tenants(database).put(tenant._replace(deskera_timezone="Asia/Kolkata"))
    assert cache.tenant(office.tenant_id, office.version()).deskera_timezone == "Asia/Kolkata"


def test_memory_is_bounded_in_bytes(office: Office) -> None:
    cache = office.cache(max_bytes=10 * ENTITY_BYTES)
    refs = {("contact", number): {"name": str(number)} for number in range(100, 200)}
    office.put(refs)
    for ref in refs:
        cache.lookup(office.tenant_id, office.version(), {ref})
    assert cached_count(cache, office) <= 10


def test_others_are_read_ahead_after_many_misses(
    office: Office, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.caching.entity_cache.READ_AHEAD_AFTER", 2)
    monkeypatch.setattr("core.caching.entity_cache.READ_AHEAD", 20)
    contacts = {("contact", number): {"name": str(number)} for number in range(20, 60)}
    deals = {("deal", number): {"name": "D", "owner_id": 5} for number in range(20, 25)}
    office.put(contacts | deals)
    cache, version = office.cache(), office.version()
    for number in range(900, 906):  # None of them is known: each is a miss.
        cache.lookup(office.tenant_id, version, {("company", number)})
    statements.clear()
    found = cache.lookup(office.tenant_id, version, {*contacts, *deals, USER, CONTACT, DEAL})
    assert statements == []
    owners = [deal.links["owner"].parse_fields() for ref in deals if (deal := found[ref])]
    assert owners == [ENTITIES[USER]] * len(deals)
    office.put({("contact", 59): {"name": "changed"}})
    changed = ("contact", 59)
    cache.lookup(office.tenant_id, version, {("company", 907)})
    version = office.version()
    cache.tenant(office.tenant_id, version)
    statements.clear()
    after = cache.lookup(office.tenant_id, version, {changed})[changed]
    assert after is not None
    assert after.parse_fields() == {"name": "changed"}
    assert len(statements) == 1  # What changed is no reason to read ahead.


def test_reading_ahead_stops_at_the_bound(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.caching.entity_cache.READ_AHEAD_AFTER", 0)
    monkeypatch.setattr("core.caching.entity_cache.READ_AHEAD", 10)
    monkeypatch.setattr("core.caching.entity_cache.USUAL_BYTES", ENTITY_BYTES)
    refs = {("contact", number): {"name": str(number)} for number in range(100, 200)}
    office.put(refs)
    cache, version = office.cache(max_bytes=25 * ENTITY_BYTES), office.version()
    for number in range(900, 910):
        cache.lookup(office.tenant_id, version, {("company", number)})
    assert 20 <= cached_count(cache, office) <= 25


def test_change_keeps_entities_being_rendered(office: Office) -> None:
    cache = office.cache()
    shown = cache.lookup(office.tenant_id, office.version(), {USER, CONTACT, DEAL})
    shown = cache.lookup(office.tenant_id, office.version(), {USER, CONTACT, DEAL})
    office.put({CONTACT: {"name": "Hopper"}})
    cache.lookup(office.tenant_id, office.version(), {USER})
    assert None not in (shown.get(USER), shown.get(CONTACT), shown.get(DEAL))


def test_capacity_zero_caches_nothing(office: Office, statements: list[str]) -> None:
    cache = EntityCache(EntityStore(office.database), max_bytes=0)
    version = office.version()
    cache.lookup(office.tenant_id, version, {USER})
    statements.clear()
    cache.lookup(office.tenant_id, version, {USER})
    assert len(statements) == 1


def test_more_changes_than_the_log_holds(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.caching.entity_cache.MAX_CHANGES", 3)
    monkeypatch.setattr("core.caching.tenant_snapshot.MAX_CHANGES", 3)
    worker = office.worker()
    worker(CONTACT)
    for number in range(20, 30):
        office.put({("user", number): {"first_name": "New"}})
    office.put({CONTACT: {"name": "Hopper"}})
    assert worker(CONTACT) == {"name": "Hopper"}
    assert office.worker()(CONTACT) == {"name": "Hopper"}
