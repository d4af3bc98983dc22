"""Entities in the cache that all workers share, each with the version it was loaded at.

Keys carry the database's identity and the tenant, in braces, so that all keys of a tenant share a
slot of a Redis Cluster and one call reads them. Whoever can write to Redis cannot make an entry:
each begins with a digest of its key and its text under a secret that only the database has. What
this module did not write is a miss; what it wrote earlier is judged by its version.
"""

import hmac
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from core.caching.redis_cache import RedisCache
from core.caching.tenant_snapshot import links_of
from core.domain.entity import Entity, EntityRef
from core.storage.database_identity import DatabaseIdentity

DIGEST_BYTES = 16
IDENTITY_SECONDS = 10.0
MAX_ENTRY_BYTES = 8192
"""Larger entities are read from the database: one call may name thousands."""


class SharedEntry(NamedTuple):
    """An entity, and the directory version at which it was loaded from the database."""

    entity: Entity
    loaded_at: int


class SharedEntityCache:
    """Reads and writes entities of one database in a shared cache."""

    def __init__(self, cache: RedisCache, read_identity: Callable[[], DatabaseIdentity]) -> None:
        """Use a cache; `read_identity` returns the database's own, and is called now and then."""
        self._cache = cache
        self._read_identity = read_identity
        self._last_identity: DatabaseIdentity | None = None
        self._identity_until = 0.0

    @property
    def _identity(self) -> DatabaseIdentity:
        """The database's identity, read anew so that workers share entries after its restart."""
        identity, now = self._last_identity, time.monotonic()
        if identity is None or now > self._identity_until:
            identity = self._last_identity = self._read_identity()
            self._identity_until = now + IDENTITY_SECONDS
        return identity

    def read(self, tenant_id: int, refs: Iterable[EntityRef]) -> dict[EntityRef, SharedEntry]:
        """Return those of the entities that the cache has, in one call."""
        wanted = list(refs)
        if not wanted:
            return {}
        names = _Names(self._identity, tenant_id)
        keys = [names.key(ref) for ref in wanted]
        entries = zip(wanted, keys, self._cache.get_many(keys), strict=True)
        found = {ref: _decoded(ref, names.checked(key, raw)) for ref, key, raw in entries if raw}
        return {ref: loaded for ref, loaded in found.items() if loaded is not None}

    def write(self, tenant_id: int, loaded_at: int, entities: Iterable[Entity]) -> None:
        """Store entities that were loaded at this version, for all workers."""
        given = list(entities)
        if not given:
            return
        entries, names = {}, _Names(self._identity, tenant_id)
        for entity in given:
            key = names.key((entity.kind, entity.id))
            text = _encoded(entity, loaded_at)
            if len(text) <= MAX_ENTRY_BYTES:
                entries[key] = names.digest(key, text) + text
        self._cache.set_many(entries)


class _Names:
    """The keys and the digests of one tenant's entries; the secret is read once for all."""

    def __init__(self, identity: DatabaseIdentity, tenant_id: int) -> None:
        self._prefix = f"crm:{{{identity.cache_name}:{tenant_id}}}"
        self._keyed = blake2b(digest_size=DIGEST_BYTES, key=identity.cache_secret)

    def key(self, ref: EntityRef) -> str:
        kind, id_ = ref
        return f"{self._prefix}:{kind}:{id_}"

    def digest(self, key: str, text: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(key.encode() + b"\0" + text)
        return keyed.digest()

    def checked(self, key: str, raw: bytes) -> bytes:
        """Return the text of an entry; b"" if it was not written under this key by a gateway."""
        text = raw[DIGEST_BYTES:]
        is_ours = hmac.compare_digest(raw[:DIGEST_BYTES], self.digest(key, text))
        return text if is_ours else b""


def _encoded(entity: Entity, loaded_at: int) -> bytes:
    links = {name: link.parse_fields() for name, link in entity.links.items()}
    return orjson.dumps({"at": loaded_at, "fields": entity.parse_fields(), "links": links})


def _decoded(ref: EntityRef, text: bytes) -> SharedEntry | None:
    """Return an entry, or None if it is not of the form that `_encoded` gives it."""
    try:
        entry = orjson.loads(text)
        fields, links, loaded_at = entry["fields"], entry["links"], entry["at"]
        is_whole = isinstance(loaded_at, int) and isinstance(fields, dict)
        named = links_of(fields) if ref[0] == "deal" else {}
        linked = {name: Entity(*named[name], _text(link)) for name, link in links.items()}
        entity = Entity(*ref, _text(fields), linked, tuple(named.values()))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return SharedEntry(entity, loaded_at) if is_whole else None


def _text(fields: Any) -> str:
    return orjson.dumps(fields).decode()
