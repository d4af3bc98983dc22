"""Totals of filtered lists: counted exactly, and remembered while the tenant's version stands."""

from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from core.conditions import EVERYTHING, ActivityQuery, Condition
from core.repository import DEEP_OFFSET, ActivityRepository, Rows, Viewer

MAX_TOTALS = 10_000


class _Totals(NamedTuple):
    matches: int
    visible: int
    version: int


class CountedPages:
    """Pages with their totals; `capacity` bounds the totals remembered, 0 counts every time."""

    def __init__(self, repository: ActivityRepository, *, capacity: int = MAX_TOTALS) -> None:
        """Begin with nothing counted."""
        self._repository = repository
        self._lock = Lock()
        self._totals: LRUCache[tuple[int, Viewer, Condition], _Totals] = LRUCache(capacity)

    def page(self, tenant_id: int, viewer: Viewer, query: ActivityQuery) -> Rows:
        """Return a page and its totals, all of one snapshot. Raises: Unavailable."""
        if query.offset >= DEEP_OFFSET or not self._totals.maxsize:
            return self._repository.page(tenant_id, viewer, query, count=True)
        key = (tenant_id, viewer, query.where)
        with self._lock:
            known = self._totals.get(key)
        if known is None:
            return self._counted(key, query)
        rows = self._repository.page(tenant_id, viewer, query, count=False)
        if rows.version == known.version:
            return rows._replace(total=known.matches, visible_total=known.visible)
        if query.where != EVERYTHING:
            return self._counted(key, query)
        if rows.total is not None:
            return rows
        version, concerning = self._repository.concerning(tenant_id, viewer)
        if version != rows.version:  # Written to in between.
            return self._counted(key, query)
        visible = rows.shared + concerning
        return self._remembered(key, rows._replace(total=visible, visible_total=visible))

    def _counted(self, key: tuple[int, Viewer, Condition], query: ActivityQuery) -> Rows:
        tenant_id, viewer, _ = key
        return self._remembered(key, self._repository.page(tenant_id, viewer, query, count=True))

    def _remembered(self, key: tuple[int, Viewer, Condition], rows: Rows) -> Rows:
        with self._lock:
            self._totals[key] = _Totals(rows.total or 0, rows.visible_total or 0, rows.version)
        return rows
