"""Many related entities in one call: from memory, then the shared cache, then one SELECT.

Every statement that reads activities also returns the tenant's directory version. A snapshot
holds what this process caches of one tenant; when a newer version arrives, the snapshot first
learns which entities changed and invalidates those. No entry is trusted for a length of time: an
acknowledged write has moved the version already, and an entry of the shared cache is used only if
nothing that it shows changed since it was loaded. A cache that returns old entries does no harm.
"""

import time
from collections.abc import Iterable, Mapping, Set
from threading import Lock

from core.caching.shared_entity_cache import SharedEntityCache
from core.caching.tenant_snapshot import MAX_CHANGES, TenantSnapshot, links_of
from core.domain.counters import (
    ENTITY_HITS,
    ENTITY_MISSES,
    SNAPSHOT_REFRESHES,
    Counters,
    new_counters,
)
from core.domain.entity import Entity, EntityRef, Related
from core.domain.errors import AnswerTooLarge
from core.domain.model import Tenant
from core.storage.entity_store import EntityStore

MAX_SNAPSHOTS = 10_000
READ_AHEAD_AFTER = 500
"""Misses of one tenant after which the rest of its directory is read ahead."""
READ_AHEAD = 250
"""Entities read ahead with each miss from then on."""
USUAL_BYTES = 800
"""What an entity usually takes: nothing is read ahead where so many more might not fit."""


class EntityCache:
    """Looks entities up; shared by the threads of a process.

    `max_bytes` bounds the cached entities of all tenants together; 0 caches nothing. Without a
    `shared` cache every miss in memory is read from the database.
    """

    def __init__(
        self,
        store: EntityStore,
        shared: SharedEntityCache | None = None,
        *,
        max_bytes: int = 64 * 2**20,
        counters: Counters | None = None,
    ) -> None:
        """Begin without snapshots."""
        self._counters = new_counters() if counters is None else counters
        self._checked_at = time.monotonic()
        self._store = store
        self._shared = shared
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._snapshots: dict[int, TenantSnapshot] = {}
        self._bytes = 0  # At least what the entities in the snapshots take.

    def tenant(self, tenant_id: int, version: int) -> Tenant:
        """Return a tenant as it is at this directory version or later."""
        return self._snapshot(tenant_id, version).tenant

    def lookup(self, tenant_id: int, version: int, refs: Set[EntityRef]) -> Related:
        """Return these entities and perhaps others, at this directory version or later.

        However many refs: at most one call of the shared cache and two statements; usually none.
        Raises: Unavailable; AnswerTooLarge, if they are more than one answer may show.
        """
        self._checked_at = time.monotonic()
        snapshot = self._snapshot(tenant_id, version)
        cached = snapshot.find_all(refs)
        if cached is None:
            self._counters[ENTITY_MISSES] += 1
            return self._load_missing(snapshot, refs)
        self._counters[ENTITY_HITS] += 1
        return cached

    def seconds_since_check(self) -> float:
        """Return how long ago a read last compared its tenant's directory version."""
        return time.monotonic() - self._checked_at

    def __len__(self) -> int:
        """Return how many entities are cached, of all tenants."""
        with self._lock:
            return sum(len(each.entities) for each in self._snapshots.values())

    def _snapshot(self, tenant_id: int, version: int) -> TenantSnapshot:
        snapshot = self._snapshots.get(tenant_id)
        if snapshot is None or snapshot.version < version:
            snapshot = self._advance_snapshot(tenant_id)
        return snapshot

    def _advance_snapshot(self, tenant_id: int) -> TenantSnapshot:
        """Bring a tenant's snapshot to the version in the database, or begin a new snapshot."""
        row = self._store.tenant_row(tenant_id)
        if row is None:
            raise LookupError(tenant_id)
        self._counters[SNAPSHOT_REFRESHES] += 1
        present, *names = row
        tenant = Tenant(tenant_id, *names)
        with self._lock:
            if tenant_id not in self._snapshots and len(self._snapshots) >= MAX_SNAPSHOTS:
                self._snapshots.clear()
            snapshot = self._snapshots.setdefault(tenant_id, TenantSnapshot(tenant, present))
        with snapshot.lock:
            if snapshot.version < present:
                since = snapshot.version
                changes = self._store.changes(tenant_id, since=since, limit=MAX_CHANGES)
                snapshot.advance(tenant, present, changes)
        return snapshot

    def _load_missing(self, snapshot: TenantSnapshot, refs: Set[EntityRef]) -> Related:
        """Return all the refs, loading those that are not cached or stale.

        One thread at a time loads for a tenant, so that many requests for one entity load it once.
        """
        with snapshot.lock:
            cached = snapshot.entities
            missing = {ref for ref in refs if ref not in cached or ref in snapshot.stale}
            loaded = self._load(snapshot, missing) if missing else {}
            found = {ref: cached.get(ref) for ref in refs} | loaded
            new = sum(ref not in cached for ref in missing)
            self._keep(snapshot, loaded)
            snapshot.misses += new
            if new and snapshot.misses > READ_AHEAD_AFTER:
                self._read_ahead(snapshot)
        return found

    def _read_ahead(self, snapshot: TenantSnapshot) -> None:
        """Cache the next entities of a tenant, while there is room for them.

        A tenant that misses one entity after the other soon needs all of them, and reading many at
        once costs a twentieth of reading them one by one.
        """
        begin = snapshot.read_ahead_from
        if begin is None or self._bytes + READ_AHEAD * USUAL_BYTES > self._max_bytes:
            return
        texts = self._store.after(snapshot.tenant.id, begin, limit=READ_AHEAD)
        snapshot.read_ahead_from = max(texts) if len(texts) == READ_AHEAD else None
        new = {ref: text for ref, text in texts.items() if ref not in snapshot.entities}
        try:
            self._keep(snapshot, self._with_links(snapshot, new))
        except AnswerTooLarge:  # Entities so large are read when they are asked for.
            snapshot.read_ahead_from = None

    def _keep(self, snapshot: TenantSnapshot, loaded: Mapping[EntityRef, Entity | None]) -> None:
        """Cache entities; where all snapshots exceed the bound, the other ones are evicted."""
        added = snapshot.store(loaded, max_bytes=self._max_bytes)
        with self._lock:
            self._bytes += added
            if self._bytes > self._max_bytes:
                snapshots = list(self._snapshots.values())
                self._bytes = sum(each.size_bytes for each in snapshots)
                if self._bytes > self._max_bytes:
                    for other in snapshots:
                        if other is not snapshot:
                            other.clear()
                    self._bytes = snapshot.size_bytes

    def _load(
        self, snapshot: TenantSnapshot, refs: Set[EntityRef]
    ) -> dict[EntityRef, Entity | None]:
        if self._shared is None:
            return self._read(snapshot, refs)
        found = self._read_shared(snapshot, self._shared, refs)
        missing = refs - found.keys()
        if missing:
            read = self._read(snapshot, missing)
            known = [entity for entity in read.values() if entity is not None]
            self._shared.write(snapshot.tenant.id, snapshot.version, known)
            found.update(read)
        return found

    def _read_shared(
        self, snapshot: TenantSnapshot, shared: SharedEntityCache, refs: Set[EntityRef]
    ) -> dict[EntityRef, Entity | None]:
        """Return those entries of the shared cache that are still valid by the change log."""
        entries = shared.read(snapshot.tenant.id, refs)
        oldest = min((entry.loaded_at for entry in entries.values()), default=snapshot.version)
        if oldest < snapshot.change_log_start:
            changes = self._store.changes(snapshot.tenant.id, since=oldest, limit=MAX_CHANGES)
            snapshot.extend_change_log(oldest, changes)
        return {
            ref: entry.entity
            for ref, entry in entries.items()
            if snapshot.is_valid_at(entry.entity, entry.loaded_at)
        }

    def _read(
        self, snapshot: TenantSnapshot, refs: Iterable[EntityRef]
    ) -> dict[EntityRef, Entity | None]:
        """Read entities from the database; those that it does not have are None."""
        known = self._with_links(snapshot, self._store.read(snapshot.tenant.id, refs))
        return {ref: known.get(ref) for ref in refs}

    def _with_links(
        self, snapshot: TenantSnapshot, texts: Mapping[EntityRef, str]
    ) -> dict[EntityRef, Entity]:
        """Return entities of these texts, the deals with the entities that they name."""
        made = {ref: Entity(*ref, text) for ref, text in texts.items()}
        links = {
            ref: links_of(deal.parse_fields()) for ref, deal in made.items() if ref[0] == "deal"
        }
        named = {link for names in links.values() for link in names.values()} - made.keys()
        cached = {ref: entity for ref in named if (entity := snapshot.find_valid(ref))}
        missing = named - cached.keys()
        read = self._store.read(snapshot.tenant.id, missing) if missing else {}
        plain = made | cached | {ref: Entity(*ref, text) for ref, text in read.items()}
        for ref, names in links.items():
            known = {name: plain[link] for name, link in names.items() if link in plain}
            made[ref] = Entity(*ref, texts[ref], known, tuple(names.values()))
        return made
