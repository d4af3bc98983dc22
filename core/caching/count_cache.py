"""Totals of filtered lists: counted exactly, and remembered while the tenant's version stands."""

from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from core.domain.model import Viewer
from core.domain.query import EVERYTHING, ActivityQuery, Condition, names_members
from core.storage.activity_reader import DEEP_OFFSET, ActivityReader, Rows

MAX_TOTALS = 10_000
RARE = 1000
"""Matches that are sooner fetched and sorted than met on a walk through a sorted index.

A walk meets ten of r among n after 10 * n / r rows: of a million, 1000 matches are the break-even.
"""
_Key = tuple[int, Viewer, Condition]


class _Totals(NamedTuple):
    matches: int
    visible: int
    version: int


class CountedPages:
    """Pages with their totals; `capacity` bounds the totals remembered, 0 counts every time."""

    def __init__(self, reader: ActivityReader, *, capacity: int = MAX_TOTALS) -> None:
        """Begin with nothing counted."""
        self._reader = reader
        self._lock = Lock()
        self._totals: LRUCache[_Key, _Totals] = LRUCache(capacity)

    def page(self, tenant_id: int, viewer: Viewer, query: ActivityQuery) -> Rows:
        """Return a page and its totals, all of one snapshot. Raises: Unavailable."""
        if query.offset >= DEEP_OFFSET or not self._totals.maxsize:
            return self._reader.page(tenant_id, viewer, query, count=True)
        key = (tenant_id, viewer, query.where)
        by_member = names_members(query.where)
        with self._lock:
            known = self._totals.get(key)
        if known is None and by_member:
            known = self._count(key, query)
        if known is None:
            return self._counted(key, query)
        is_rare = by_member and known.matches <= RARE
        rows = self._reader.page(tenant_id, viewer, query, count=False, is_rare=is_rare)
        if rows.version == known.version:
            return rows._replace(total=known.matches, visible_total=known.visible)
        if query.where != EVERYTHING:
            return self._counted(key, query, is_rare=is_rare)
        if rows.total is not None:
            return rows
        version, visible_private = self._reader.count_visible_private(tenant_id, viewer)
        if version != rows.version:  # Written to in between.
            return self._counted(key, query)
        visible = rows.shared + visible_private
        rows = rows._replace(total=visible, visible_total=visible)
        self._remember(key, rows)
        return rows

    def _count(self, key: _Key, query: ActivityQuery) -> _Totals:
        """Count before a page is looked for: how to look depends on how many there are."""
        return self._remember(key, self._page(key, query._replace(limit=0)))

    def _counted(self, key: _Key, query: ActivityQuery, *, is_rare: bool = False) -> Rows:
        rows = self._page(key, query, is_rare=is_rare)
        self._remember(key, rows)
        return rows

    def _page(self, key: _Key, query: ActivityQuery, *, is_rare: bool = False) -> Rows:
        tenant_id, viewer, _ = key
        return self._reader.page(tenant_id, viewer, query, count=True, is_rare=is_rare)

    def _remember(self, key: _Key, rows: Rows) -> _Totals:
        totals = _Totals(rows.total or 0, rows.visible_total or 0, rows.version)
        with self._lock:
            self._totals[key] = totals
        return totals
