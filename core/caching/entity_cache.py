"""Many related entities in one call: from memory, then the shared cache, then one SELECT.

Every read of activities brings the tenant's directory version along. A shelf holds what this
process remembers of one tenant; when the version has moved, the shelf first learns which entities
changed and forgets those. Nothing is ever trusted for a time: an acknowledged write has moved the
version already, and an entry of the shared cache counts only if nothing that it shows changed
since it was loaded. A cache that comes back with old entries can therefore do no harm.
"""

from collections.abc import Iterable, Mapping, Set
from threading import Lock

from core.caching.shared_entity_cache import SharedEntities
from core.caching.tenant_snapshot import MAX_CHANGES, Shelf, links_of
from core.domain.entity import Entity, EntityRef, Reference, Related
from core.domain.model import Activity, Tenant
from core.storage.entity_store import EntityStore

MAX_SHELVES = 10_000
READ_AHEAD_AFTER = 500
"""Entities of a tenant that were missed one by one, until the others are read ahead."""
READ_AHEAD = 250
"""Entities read ahead with each miss from then on."""


def references(activities: Iterable[Activity]) -> set[EntityRef]:
    """Return every entity that the activities name."""
    refs: set[EntityRef] = set()
    for activity in activities:
        refs.update([EntityRef("user", user_id) for user_id in activity.assignee_ids])
        refs.update([EntityRef("contact", contact_id) for contact_id in activity.contact_ids])
        refs.update([EntityRef("company", company_id) for company_id in activity.company_ids])
        if activity.deal_id:
            refs.add(EntityRef("deal", activity.deal_id))
        refs.add(EntityRef("user", activity.owner_id))
        refs.add(EntityRef("user", activity.created_by))
    return refs


class EntityDirectory:
    """Looks entities up; shared by the threads of a process.

    `capacity` bounds the entities remembered, of all tenants; 0 remembers nothing. Without a
    `shared` cache what is not in memory is read from the database at once.
    """

    def __init__(
        self,
        store: EntityStore,
        shared: SharedEntities | None = None,
        *,
        capacity: int = 100_000,
    ) -> None:
        """Begin with empty shelves."""
        self._store = store
        self._shared = shared
        self._capacity = capacity
        self._lock = Lock()
        self._shelves: dict[int, Shelf] = {}
        self._remembered = 0  # No fewer than the shelves hold.

    def tenant(self, tenant_id: int, version: int) -> Tenant:
        """Return a tenant as it is at this directory version or later."""
        return self._shelf(tenant_id, version).tenant

    def lookup(self, tenant_id: int, version: int, refs: Set[Reference]) -> Related:
        """Return these entities and perhaps others, at this directory version or later.

        However many refs: at most one call of the shared cache and two statements; usually none.
        Raises: Unavailable.
        """
        shelf = self._shelf(tenant_id, version)
        remembered = shelf.all_of(refs)
        return self._filled(shelf, refs) if remembered is None else remembered

    def remembered(self, tenant_id: int) -> int:
        """Return how many entities of a tenant are in memory."""
        shelf = self._shelves.get(tenant_id)
        return len(shelf.entities) if shelf else 0

    def _shelf(self, tenant_id: int, version: int) -> Shelf:
        shelf = self._shelves.get(tenant_id)
        if shelf is None or shelf.version < version:
            shelf = self._moved_shelf(tenant_id, version)
        return shelf

    def _moved_shelf(self, tenant_id: int, version: int) -> Shelf:
        """Bring a tenant's shelf to this version or a later one, or begin a new shelf."""
        row = self._store.tenant_row(tenant_id)
        if row is None:
            raise LookupError(tenant_id)
        seen, *names = row
        tenant = Tenant(tenant_id, *names)
        with self._lock:
            if tenant_id not in self._shelves and len(self._shelves) >= MAX_SHELVES:
                self._shelves.clear()
            shelf = self._shelves.setdefault(tenant_id, Shelf(tenant, seen))
        with shelf.lock:
            if shelf.version < seen:
                since = shelf.version
                changes = self._store.changes(tenant_id, since=since, limit=MAX_CHANGES)
                shelf.advance(tenant, seen, changes)
        return shelf

    def _filled(self, shelf: Shelf, refs: Set[Reference]) -> Related:
        """Look up all the refs, loading those that memory lacks.

        One thread at a time loads for a tenant, so that a herd on one entity asks once.
        """
        with shelf.lock:
            remembered = shelf.entities
            missing = {
                EntityRef(*ref) for ref in refs if ref not in remembered or ref in shelf.stale
            }
            loaded = self._loaded(shelf, missing) if missing else {}
            found = {EntityRef(*ref): remembered.get(EntityRef(*ref)) for ref in refs} | loaded
            unseen = sum(ref not in remembered for ref in missing)
            self._keep(shelf, loaded)
            shelf.misses += unseen
            if unseen and shelf.misses > READ_AHEAD_AFTER:
                self._read_ahead(shelf)
        return found

    def _read_ahead(self, shelf: Shelf) -> None:
        """Remember the next entities of a tenant, while there is room for them.

        Whoever meets one entity after the other is soon asked for all of them, and many at once
        cost a twentieth of what they cost one by one.
        """
        begin = shelf.read_up_to
        if begin is None or self._remembered + READ_AHEAD > self._capacity:
            return
        texts = self._store.after(shelf.tenant.id, begin, limit=READ_AHEAD)
        shelf.read_up_to = max(texts) if len(texts) == READ_AHEAD else None
        new = {ref: text for ref, text in texts.items() if ref not in shelf.entities}
        self._keep(shelf, self._linked(shelf, new))

    def _keep(self, shelf: Shelf, loaded: Mapping[EntityRef, Entity | None]) -> None:
        """Remember entities, all shelves together within the capacity; others make room."""
        shelf.keep(loaded, capacity=self._capacity)
        with self._lock:
            self._remembered += len(loaded)
            if self._remembered > self._capacity:
                shelves = list(self._shelves.values())
                self._remembered = sum(len(each.entities) for each in shelves)
                if self._remembered > self._capacity:
                    for other in shelves:
                        if other is not shelf:
                            other.empty()
                    self._remembered = len(shelf.entities)

    def _loaded(self, shelf: Shelf, refs: Set[EntityRef]) -> dict[EntityRef, Entity | None]:
        if self._shared is None:
            return self._read(shelf, refs)
        found = self._still_right(shelf, self._shared, refs)
        missing = refs - found.keys()
        if missing:
            read = self._read(shelf, missing)
            known = [entity for entity in read.values() if entity is not None]
            self._shared.write(shelf.tenant.id, shelf.version, known)
            found.update(read)
        return found

    def _still_right(
        self, shelf: Shelf, shared: SharedEntities, refs: Set[EntityRef]
    ) -> dict[EntityRef, Entity | None]:
        """Return those entries of the shared cache that no later change contradicts."""
        entries = shared.read(shelf.tenant.id, refs)
        oldest = min((entry.loaded_at for entry in entries.values()), default=shelf.version)
        if oldest < shelf.journal_from:
            changes = self._store.changes(shelf.tenant.id, since=oldest, limit=MAX_CHANGES)
            shelf.extend_journal(oldest, changes)
        return {
            ref: entry.entity
            for ref, entry in entries.items()
            if shelf.is_right(entry.entity, entry.loaded_at)
        }

    def _read(self, shelf: Shelf, refs: Iterable[EntityRef]) -> dict[EntityRef, Entity | None]:
        """Read entities from the database; those that are not known are None."""
        known = self._linked(shelf, self._store.read(shelf.tenant.id, refs))
        return {ref: known.get(ref) for ref in refs}

    def _linked(self, shelf: Shelf, texts: Mapping[EntityRef, str]) -> dict[EntityRef, Entity]:
        """Return entities of these texts, the deals with what they name."""
        made = {ref: Entity(*ref, text) for ref, text in texts.items()}
        links = {ref: links_of(deal.fields) for ref, deal in made.items() if ref.kind == "deal"}
        named = {link for names in links.values() for link in names.values()} - made.keys()
        others = {ref: entity for ref in named if (entity := shelf.trusted(ref))}
        missing = named - others.keys()
        read = self._store.read(shelf.tenant.id, missing) if missing else {}
        plain = made | others | {ref: Entity(*ref, text) for ref, text in read.items()}
        for ref, names in links.items():
            known = {name: plain[link] for name, link in names.items() if link in plain}
            made[ref] = Entity(*ref, texts[ref], known, tuple(names.values()))
        return made
