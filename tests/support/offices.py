"""Workers of one tenant, each with its own directory in memory."""

from collections.abc import Callable, Mapping
from typing import Any

from core.caching.entity_cache import EntityCache
from core.caching.redis_cache import RedisCache
from core.caching.shared_entity_cache import SharedEntityCache
from core.domain.entity import EntityRef
from core.storage.database import Database
from core.storage.database_identity import identity
from core.storage.entity_store import EntityStore, put_entities, remove_entity

USER = ("user", 5)
CONTACT = ("contact", 7)
DEAL = ("deal", 9)
ENTITIES: dict[EntityRef, dict[str, Any]] = {
    USER: {"first_name": "Ada"},
    CONTACT: {"name": "Grace"},
    DEAL: {"name": "Big order", "contact_id": 7, "owner_id": 5},
}
Worker = Callable[[EntityRef], dict[str, Any] | None]


class Office:
    """One tenant's directory, and workers that each have a cache of it."""

    def __init__(self, database: Database, tenant_id: int, redis_url: str) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.redis_url = redis_url
        self.put(ENTITIES)

    def put(self, entities: Mapping[EntityRef, Mapping[str, Any]]) -> None:
        with self.database.transaction() as connection:
            put_entities(connection, self.tenant_id, entities)

    def remove(self, ref: EntityRef) -> None:
        with self.database.transaction() as connection:
            assert remove_entity(connection, self.tenant_id, ref)

    def version(self) -> int:
        row = EntityStore(self.database).tenant_row(self.tenant_id)
        assert row is not None
        return row[0]

    def cache(self, **options: int) -> EntityCache:
        redis = RedisCache(self.redis_url, deadline_ms=200)
        shared = SharedEntityCache(redis, lambda: identity(self.database))
        return EntityCache(EntityStore(self.database), shared, **options)

    def worker(self) -> Worker:
        cache = self.cache()

        def look(ref: EntityRef) -> dict[str, Any] | None:
            found = cache.lookup(self.tenant_id, self.version(), {ref}).get(ref)
            if found is None:
                return None
            links = {name: link.parse_fields() for name, link in found.links.items()}
            return {**found.parse_fields(), **({"links": links} if links else {})}

        return look


def cached_count(cache: EntityCache, office: Office) -> int:
    return len(cache._snapshots[office.tenant_id].entities)
