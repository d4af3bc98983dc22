"""What one process caches of one tenant's directory, and which changes of it are known.

A snapshot is valid at its `version`. Its change log names every entity that changed after
`change_log_start`, with the version of its last change: an entity that was loaded at a version
since then is still valid if neither it nor anything that it shows changed later.
"""

from collections.abc import Iterable, Mapping, Set
from threading import Lock
from typing import Any

from core.domain.entity import OBJECT_BYTES, Entity, EntityRef, Related
from core.domain.model import Tenant
from core.storage.entity_store import EntityChange

MAX_CHANGES = 10_000
"""Entities that a change log names at most; with more, it starts anew at the present version."""

BEFORE_ALL = ("", 0)
LINK_KINDS = {"contact": "contact", "company": "company", "owner": "user"}


def links_of(fields: Mapping[str, Any]) -> dict[str, EntityRef]:
    """Return the entities that a deal names, under the names of `Entity.links`."""
    return {
        name: (kind, fields[f"{name}_id"])
        for name, kind in LINK_KINDS.items()
        if fields.get(f"{name}_id")
    }


def shown_by(entity: Entity) -> Iterable[EntityRef]:
    """Return every entity whose change would change what this one shows."""
    return ((entity.kind, entity.id), *entity.names)


class TenantSnapshot:
    """Cached entities of one tenant at `version`; `lock` guards every change of it.

    Rendering a response takes no lock. `entities` therefore never loses an entity while it is
    this snapshot's mapping: a changed entity becomes `stale` and stays until it is loaded anew.
    """

    def __init__(self, tenant: Tenant, version: int) -> None:
        """Begin empty, at a version that was read from the database."""
        self.lock = Lock()
        self.tenant = tenant
        self.version = version
        self.change_log_start = version
        self.entities: dict[EntityRef, Entity | None] = {}  # None: the directory has no such one.
        self.stale: set[EntityRef] = set()
        self.size_bytes = 0  # At least what the entities take.
        self.misses = 0
        self.read_ahead_from: EntityRef | None = BEFORE_ALL  # None: everything was read ahead.
        self._change_log: dict[EntityRef, int] = {}

    def advance(self, tenant: Tenant, version: int, changes: list[EntityChange]) -> None:
        """Move to a newer version, given what changed since the last one, newest first."""
        if len(changes) >= MAX_CHANGES or len(self._change_log) >= MAX_CHANGES:
            self.clear()
            self._change_log = {}
            self.change_log_start = version
        else:
            self._change_log.update(changes)
            self._invalidate({change.ref for change in changes})
        self.tenant, self.version = tenant, version

    def extend_change_log(self, since: int, changes: list[EntityChange]) -> None:
        """Add what changed since an earlier version, newest first."""
        for ref, version in changes:
            self._change_log.setdefault(ref, version)
        # Changes cut off at their limit are complete only above the oldest version among them.
        self.change_log_start = changes[-1].version if len(changes) >= MAX_CHANGES else since

    def is_valid_at(self, entity: Entity, loaded_at: int) -> bool:
        """Return whether an entity loaded at some version is the same at this one."""
        if not self.change_log_start <= loaded_at <= self.version:
            return False
        return all(self._change_log.get(ref, 0) <= loaded_at for ref in shown_by(entity))

    def find_all(self, refs: Set[EntityRef]) -> Related | None:
        """Return the cached entities if all these are valid ones; takes no lock.

        `clear` replaces `entities` before `stale`. Reading them in the opposite order never pairs
        old entities with a newer set of stale ones.
        """
        stale = self.stale
        entities = self.entities
        return entities if entities.keys() >= refs and stale.isdisjoint(refs) else None

    def find_valid(self, ref: EntityRef) -> Entity | None:
        """Return an entity that is cached and valid."""
        return None if ref in self.stale else self.entities.get(ref)

    def store(self, entities: Mapping[EntityRef, Entity | None], *, max_bytes: int) -> int:
        """Cache entities; where they would exceed the bound, all older ones are evicted first.

        Returns the bytes that they take, 0 if they do not fit alone.
        """
        added = sum(
            OBJECT_BYTES if entity is None else entity.size_bytes for entity in entities.values()
        )
        if self.size_bytes + added > max_bytes:
            self.clear()
        if added > max_bytes:
            return 0
        self.entities.update(entities)
        self.stale.difference_update(entities)
        self.size_bytes += added
        return added

    def clear(self) -> None:
        """Evict all entities."""
        self.entities = {}
        self.stale = set()
        self.size_bytes = 0

    def _invalidate(self, changed: Set[EntityRef]) -> None:
        self.stale |= changed & self.entities.keys()
        if any(kind != "deal" for kind, _ in changed):
            self.stale.update(
                ref
                for ref, deal in self.entities.items()
                if deal and deal.names and not changed.isdisjoint(deal.names)
            )
