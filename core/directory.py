"""Many related entities in one call, from memory where memory is known to be right.

Every read of activities brings the tenant's directory version along. A shelf holds what this
process remembers of one tenant; when the version has moved, the shelf first learns which entities
changed and forgets those. Nothing is ever trusted for a time: what is on a shelf is right at the
version that the shelf has seen, and an acknowledged write has moved the version already.
"""

from collections.abc import Iterable
from threading import Lock
from typing import Any

from core.entities import EntityChange, EntityStore
from core.model import Activity, Entity, EntityRef, Tenant

MAX_CHANGES = 10_000
"""More changes than this between two looks: the whole shelf is dropped instead."""

LINK_FIELDS = {"contact_id": "contact", "company_id": "company", "owner_id": "user"}
LINK_NAMES = {"contact": "contact", "company": "company", "user": "owner"}


def links_of(fields: dict[str, Any]) -> dict[str, EntityRef]:
    """Return the entities that a deal names, under the names of `Entity.links`."""
    return {
        LINK_NAMES[kind]: EntityRef(kind, fields[name])
        for name, kind in LINK_FIELDS.items()
        if fields.get(name)
    }


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


class Shelf:
    """What one process remembers of one tenant's directory at one version of it."""

    def __init__(self, tenant: Tenant, version: int) -> None:
        self.lock = Lock()
        self.tenant = tenant
        self.version = version
        self.entities: dict[EntityRef, Entity | None] = {}  # None: known to be unknown.

    def forget(self, changes: Iterable[EntityChange]) -> None:
        """Drop changed entities, and the deals that show one of them."""
        changed = {change.ref for change in changes}
        for ref in changed:
            self.entities.pop(ref, None)
        if any(ref.kind != "deal" for ref in changed):
            for ref, deal in list(self.entities.items()):
                if ref.kind == "deal" and deal and _links_one_of(deal, changed):
                    del self.entities[ref]


def _links_one_of(deal: Entity, changed: set[EntityRef]) -> bool:
    return not changed.isdisjoint(links_of(dict(deal.fields)).values())


class EntityDirectory:
    """Looks entities up; shared by the threads of a process.

    `capacity` bounds the entities remembered for one tenant; 0 remembers nothing.
    """

    def __init__(self, store: EntityStore, *, capacity: int = 100_000) -> None:
        self._store = store
        self._capacity = capacity
        self._shelves: dict[int, Shelf] = {}

    def tenant(self, tenant_id: int, version: int) -> Tenant:
        """Return a tenant as it is at this directory version or later."""
        return self._shelf(tenant_id, version).tenant

    def lookup(self, tenant_id: int, version: int, refs: set[EntityRef]) -> dict[EntityRef, Entity]:
        """Return those of the entities that are known, at this directory version or later.

        At most two statements, whatever the number of refs; usually none.
        """
        shelf = self._shelf(tenant_id, version)
        remembered = shelf.entities
        found: dict[EntityRef, Entity] = {}
        missing = []
        for ref in refs:
            try:
                entity = remembered[ref]
            except KeyError:
                missing.append(ref)
                continue
            if entity is not None:
                found[ref] = entity
        if missing:
            found.update(self._fill(shelf, missing))
        return found

    def _shelf(self, tenant_id: int, version: int) -> Shelf:
        shelf = self._shelves.get(tenant_id)
        if shelf is None or shelf.version < version:
            shelf = self._refreshed(tenant_id, version)
        return shelf

    def _refreshed(self, tenant_id: int, version: int) -> Shelf:
        """Bring a tenant's shelf to this version or a later one, or begin a new shelf."""
        row = self._store.tenant_row(tenant_id)
        if row is None:
            raise LookupError(tenant_id)
        seen, *names = row
        tenant = Tenant(tenant_id, *names)
        shelf = self._shelves.get(tenant_id)
        if shelf is None:
            return self._shelves.setdefault(tenant_id, Shelf(tenant, seen))
        with shelf.lock:
            if shelf.version >= version:
                return shelf
            changes = self._store.changes(tenant_id, since=shelf.version, limit=MAX_CHANGES)
            if len(changes) == MAX_CHANGES:
                shelf.entities = {}
            shelf.forget(changes)
            shelf.tenant, shelf.version = tenant, seen
        return shelf

    def _fill(self, shelf: Shelf, missing: list[EntityRef]) -> dict[EntityRef, Entity]:
        """Load entities, one thread at a time for a tenant, so that a herd asks once."""
        with shelf.lock:
            loaded = self._load(
                shelf.tenant.id, [ref for ref in missing if ref not in shelf.entities]
            )
            if len(shelf.entities) + len(loaded) > self._capacity:
                shelf.entities = {}
            found = {ref: loaded.get(ref, shelf.entities.get(ref)) for ref in missing}
            if self._capacity:
                shelf.entities.update(loaded)
        return {ref: entity for ref, entity in found.items() if entity is not None}

    def _load(self, tenant_id: int, refs: list[EntityRef]) -> dict[EntityRef, Entity | None]:
        if not refs:
            return {}
        fields = self._store.read(tenant_id, refs)
        deals = {ref: links_of(found) for ref, found in fields.items() if ref.kind == "deal"}
        linked = {ref for links in deals.values() for ref in links.values()} - fields.keys()
        fields_linked = self._store.read(tenant_id, linked) if linked else {}
        plain = {
            ref: Entity(ref.kind, ref.id, found)
            for ref, found in {**fields_linked, **fields}.items()
        }
        loaded: dict[EntityRef, Entity | None] = {ref: plain.get(ref) for ref in refs}
        for ref, links in deals.items():
            known = {name: plain[link] for name, link in links.items() if link in plain}
            loaded[ref] = Entity(ref.kind, ref.id, fields[ref], known)
        return loaded
