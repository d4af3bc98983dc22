"""Totals of filtered lists: counted exactly, and remembered while the tenant's version stands."""

from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from core.conditions import EVERYTHING, ActivityQuery, Condition
from core.repository import DEEP_OFFSET, ActivityRepository, Rows, Viewer

MAX_TOTALS = 10_000


class _Total(NamedTuple):
    matches: int
    version: int


class CountedPages:
    """Pages with their totals; `capacity` bounds the totals remembered, 0 counts every time."""

    def __init__(self, repository: ActivityRepository, *, capacity: int = MAX_TOTALS) -> None:
        """Begin with nothing counted."""
        self._repository = repository
        self._lock = Lock()
        self._totals: LRUCache[tuple[int, Viewer, Condition], _Total] = LRUCache(capacity)

    def page(self, tenant_id: int, viewer: Viewer, query: ActivityQuery) -> Rows:
        """Return a page and its total, both of one snapshot. Raises: Unavailable."""
        if query.where == EVERYTHING or query.offset >= DEEP_OFFSET or not self._totals.maxsize:
            return self._repository.page(tenant_id, viewer, query, count=True)
        key = (tenant_id, viewer, query.where)
        with self._lock:
            known = self._totals.get(key)
        if known is not None:
            rows = self._repository.page(tenant_id, viewer, query, count=False)
            if rows.version == known.version:
                return rows._replace(total=known.matches)
        rows = self._repository.page(tenant_id, viewer, query, count=True)
        with self._lock:
            self._totals[key] = _Total(rows.total or 0, rows.version)
        return rows
