"""What one process remembers of one tenant's directory, and which of its changes it knows of.

A shelf is right at the version that it has seen. Its journal names every entity that changed
after `journal_from`, with the version of its last change: what was loaded at some version since
then is still right if none of the entities that it shows changed later.
"""

from collections.abc import Iterable, Mapping, Set
from threading import Lock
from typing import Any

from core.domain.entity import Entity, EntityRef, Reference, Related
from core.domain.model import Tenant
from core.storage.entity_store import EntityChange

MAX_CHANGES = 10_000
"""Entities named by a journal at the most; an older past counts as unknown."""

BEFORE_ALL = EntityRef("", 0)
LINK_KINDS = {"contact": "contact", "company": "company", "owner": "user"}


def links_of(fields: Mapping[str, Any]) -> dict[str, EntityRef]:
    """Return the entities that a deal names, under the names of `Entity.links`."""
    return {
        name: EntityRef(kind, fields[f"{name}_id"])
        for name, kind in LINK_KINDS.items()
        if fields.get(f"{name}_id")
    }


def shown_by(entity: Entity) -> Iterable[EntityRef]:
    """Return every entity whose change would change what this one shows."""
    return (EntityRef(entity.kind, entity.id), *entity.names)


class Shelf:
    """Entities of one tenant at `version`; `lock` guards every change of it.

    Who shows an answer holds no lock. `entities` therefore never loses an entity while it is the
    shelf's: one that changed is `stale`, and stays in its place until it is loaded anew.
    """

    def __init__(self, tenant: Tenant, version: int) -> None:
        """Begin empty, at a version that was read from the database."""
        self.lock = Lock()
        self.tenant = tenant
        self.version = version
        self.journal_from = version
        self.entities: dict[EntityRef, Entity | None] = {}  # None: known to be unknown.
        self.stale: set[EntityRef] = set()
        self.misses = 0
        self.read_up_to: EntityRef | None = BEFORE_ALL  # None: there is nothing more to read.
        self._changed_at: dict[EntityRef, int] = {}

    def advance(self, tenant: Tenant, version: int, changes: list[EntityChange]) -> None:
        """Move to a newer version, given what changed since the last one, newest first."""
        if len(changes) >= MAX_CHANGES or len(self._changed_at) >= MAX_CHANGES:
            self.empty()
            self._changed_at = {}
            self.journal_from = version
        else:
            self._changed_at.update(changes)
            self._distrust({change.ref for change in changes})
        self.tenant, self.version = tenant, version

    def extend_journal(self, since: int, changes: list[EntityChange]) -> None:
        """Take in what changed since an earlier version, newest first."""
        for ref, version in changes:
            self._changed_at.setdefault(ref, version)
        # A journal cut off at its limit is complete only above the oldest version it names.
        self.journal_from = changes[-1].version if len(changes) >= MAX_CHANGES else since

    def is_right(self, entity: Entity, loaded_at: int) -> bool:
        """Return whether an entity loaded at some version is the same at this shelf's version."""
        if not self.journal_from <= loaded_at <= self.version:
            return False
        return all(self._changed_at.get(ref, 0) <= loaded_at for ref in shown_by(entity))

    def all_of(self, refs: Set[Reference]) -> Related | None:
        """Return what is remembered, if all these are in it and right; without the lock.

        Whoever empties the shelf meanwhile changes `entities` first: read last, it is never older
        than the marks that it is held against.
        """
        stale = self.stale
        entities = self.entities
        return entities if entities.keys() >= refs and stale.isdisjoint(refs) else None

    def trusted(self, ref: EntityRef) -> Entity | None:
        """Return an entity that is remembered and right."""
        return None if ref in self.stale else self.entities.get(ref)

    def keep(self, entities: Mapping[EntityRef, Entity | None], *, capacity: int) -> None:
        """Remember entities; beyond the capacity everything older is forgotten first."""
        if len(self.entities) + len(entities) > capacity:
            self.empty()
        if len(entities) <= capacity:
            self.entities.update(entities)
            self.stale.difference_update(entities)

    def empty(self) -> None:
        """Forget all entities."""
        self.entities = {}
        self.stale = set()

    def _distrust(self, changed: Set[EntityRef]) -> None:
        self.stale |= changed & self.entities.keys()
        if any(ref.kind != "deal" for ref in changed):
            self.stale.update(
                ref
                for ref, deal in self.entities.items()
                if deal and deal.names and not changed.isdisjoint(deal.names)
            )
