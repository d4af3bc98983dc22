"""Entities in the cache that all workers share, each with the version it was loaded at.

Keys carry the database's identity and the tenant, in braces, so that all keys of a tenant share a
slot of a Redis Cluster and one call reads them. A value that this module did not write is a miss.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from core.caching.redis_cache import RedisCache
from core.caching.tenant_snapshot import links_of
from core.domain.entity import Entity, EntityRef


class SharedEntry(NamedTuple):
    """An entity, and the directory version at which it was loaded from the database."""

    entity: Entity
    loaded_at: int


class SharedEntityCache:
    """Reads and writes entities of one database in a shared cache."""

    def __init__(self, cache: RedisCache, read_identity: Callable[[], str]) -> None:
        """Use a cache; `read_identity` returns the database's name and is called once."""
        self._cache = cache
        self._read_identity = read_identity

    @cached_property
    def _identity(self) -> str:
        return self._read_identity()

    def read(self, tenant_id: int, refs: Iterable[EntityRef]) -> dict[EntityRef, SharedEntry]:
        """Return those of the entities that the cache has, in one call."""
        wanted = list(refs)
        keys = [self._key(tenant_id, ref) for ref in wanted]
        entries = zip(wanted, keys, self._cache.get_many(keys), strict=True)
        found = {ref: _decoded(ref, key, raw) for ref, key, raw in entries if raw}
        return {ref: loaded for ref, loaded in found.items() if loaded is not None}

    def write(self, tenant_id: int, loaded_at: int, entities: Iterable[Entity]) -> None:
        """Store entities that were loaded at this version, for all workers."""
        entries = {}
        for entity in entities:
            key = self._key(tenant_id, (entity.kind, entity.id))
            entries[key] = _encoded(key, entity, loaded_at)
        self._cache.set_many(entries)

    def _key(self, tenant_id: int, ref: EntityRef) -> str:
        kind, id_ = ref
        return f"crm:{{{self._identity}:{tenant_id}}}:{kind}:{id_}"


def _encoded(key: str, entity: Entity, loaded_at: int) -> bytes:
    links = {name: link.parse_fields() for name, link in entity.links.items()}
    return orjson.dumps(
        {"key": key, "at": loaded_at, "fields": entity.parse_fields(), "links": links}
    )


def _decoded(ref: EntityRef, key: str, raw: bytes) -> SharedEntry | None:
    """Return an entry, or None if it is not one that `_encoded` made under this key."""
    try:
        entry = orjson.loads(raw)
        fields, links, loaded_at = entry["fields"], entry["links"], entry["at"]
        is_ours = entry["key"] == key and isinstance(loaded_at, int) and isinstance(fields, dict)
        named = links_of(fields) if ref[0] == "deal" else {}
        linked = {name: Entity(*named[name], _text(link)) for name, link in links.items()}
        entity = Entity(*ref, _text(fields), linked, tuple(named.values()))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return SharedEntry(entity, loaded_at) if is_ours else None


def _text(fields: Any) -> str:
    return orjson.dumps(fields).decode()
