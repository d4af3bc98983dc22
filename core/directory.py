"""Many related entities in one call: from memory, then the shared cache, then one SELECT.

Every read of activities brings the tenant's directory version along. A shelf holds what this
process remembers of one tenant; when the version has moved, the shelf first learns which entities
changed and forgets those. Nothing is ever trusted for a time: an acknowledged write has moved the
version already, and an entry of the shared cache counts only if nothing that it shows changed
since it was loaded. A cache that comes back with old entries can therefore do no harm.
"""

from collections.abc import Iterable, Set
from threading import Lock

from core.entities import EntityStore
from core.model import Activity, Entity, EntityRef, Tenant
from core.shared import SharedEntities
from core.shelf import MAX_CHANGES, Shelf, links_of

MAX_SHELVES = 10_000


def references(activity: Activity) -> set[EntityRef]:
    """Return every entity that an activity names."""
    refs = {EntityRef("user", user_id) for user_id in activity.assignee_ids}
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

    def lookup(self, tenant_id: int, version: int, refs: Set[EntityRef]) -> dict[EntityRef, Entity]:
        """Return those of the entities that are known, at this directory version or later.

        However many refs: at most one call of the shared cache and two statements; usually none.
        Raises: Unavailable.
        """
        shelf = self._shelf(tenant_id, version)
        if not refs:
            return {}
        remembered = shelf.entities
        try:
            found = {ref: remembered[ref] for ref in refs}
        except KeyError:
            found = self._filled(shelf, refs)
        return {ref: entity for ref, entity in found.items() if entity is not None}

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

    def _filled(self, shelf: Shelf, refs: Set[EntityRef]) -> dict[EntityRef, Entity | None]:
        """Look up all the refs, loading those that memory lacks.

        One thread at a time loads for a tenant, so that a herd on one entity asks once.
        """
        with shelf.lock:
            found = {ref: shelf.entities[ref] for ref in refs if ref in shelf.entities}
            missing = refs - found.keys()
            if missing:
                loaded = self._loaded(shelf, missing)
                shelf.keep(loaded, capacity=self._capacity)
                self._make_room(shelf, len(loaded))
                found.update(loaded)
        return found

    def _make_room(self, shelf: Shelf, added: int) -> None:
        """Keep what all shelves hold within the capacity; the others are emptied for this one."""
        self._remembered += added
        if self._remembered > self._capacity:
            for other in list(self._shelves.values()):
                if other is not shelf:
                    other.entities = {}
            self._remembered = len(shelf.entities)

    def _loaded(self, shelf: Shelf, refs: Set[EntityRef]) -> dict[EntityRef, Entity | None]:
        if self._shared is None:
            return self._read(shelf.tenant.id, refs)
        found = self._still_right(shelf, self._shared, refs)
        missing = refs - found.keys()
        if missing:
            read = self._read(shelf.tenant.id, missing)
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

    def _read(self, tenant_id: int, refs: Iterable[EntityRef]) -> dict[EntityRef, Entity | None]:
        """Read entities from the database, and then what the deals among them name."""
        read = {ref: Entity(*ref, text) for ref, text in self._store.read(tenant_id, refs).items()}
        links = {ref: links_of(deal.fields) for ref, deal in read.items() if ref.kind == "deal"}
        named = {link for names in links.values() for link in names.values()} - read.keys()
        texts = self._store.read(tenant_id, named) if named else {}
        plain = read | {ref: Entity(*ref, text) for ref, text in texts.items()}
        for ref, names in links.items():
            known = {name: plain[link] for name, link in names.items() if link in plain}
            read[ref] = Entity(*ref, read[ref].fields, known)
        return {ref: read.get(ref) for ref in refs}
