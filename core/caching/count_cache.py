"""Totals of lists: counted exactly, and cached until the tenant's version moves."""

from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from core.domain.counters import COUNT_HITS, COUNT_MISSES, Counters, new_counters
from core.domain.memory import MAX_KEY_BYTES, memory_bytes
from core.domain.model import Knows, Viewer
from core.domain.query import EVERYTHING, ActivityQuery, Condition, names_members
from core.storage.activity_reader import DEEP_OFFSET, ActivityReader, Rows

MAX_BYTES = 8 * 2**20
ENTRY_BYTES = 300
"""What an entry takes beside its key."""
MAX_RARE = 1000
"""Up to so many matches, fetching and sorting all is faster than walking a sorted index.

A walk meets ten of r among n after 10 * n / r rows: of a million, 1000 matches are the break-even.
"""
_Key = tuple[int, Viewer, Condition]


class _Counts(NamedTuple):
    matches: int
    visible: int
    version: int
    size_bytes: int


class CountCache:
    """Pages with their totals, of which `max_bytes` are cached with their keys; 0 caches none.

    Totals of long conditions are not cached, because the condition is part of the key.
    """

    def __init__(
        self,
        reader: ActivityReader,
        *,
        max_bytes: int = MAX_BYTES,
        counters: Counters | None = None,
    ) -> None:
        """Begin with nothing counted."""
        self._counters = new_counters() if counters is None else counters
        self._reader = reader
        self._lock = Lock()
        self._counts: LRUCache[_Key, _Counts] = LRUCache(
            max_bytes, getsizeof=lambda counts: counts.size_bytes
        )

    def page(
        self, tenant_id: int, viewer: Viewer, query: ActivityQuery, knows: Knows | None = None
    ) -> Rows:
        """Return a page and its totals, all of one snapshot; see `ActivityReader.page`.

        Raises: Unavailable.
        """
        if query.offset >= DEEP_OFFSET or not self._counts.maxsize:
            return self._reader.page(tenant_id, viewer, query, count=True)
        key = (tenant_id, viewer, query.where)
        by_member = names_members(query.where)
        with self._lock:
            cached = self._counts.get(key)
        if cached is None and by_member:
            cached = self._count(key, query)
        if cached is None:
            return self._read_counted(key, query)
        is_rare = by_member and cached.matches <= MAX_RARE
        rows = self._reader.page(
            tenant_id, viewer, query, count=False, is_rare=is_rare, knows=knows
        )
        if rows.version == cached.version:
            self._counters[COUNT_HITS] += 1
            return rows._replace(total=cached.matches, visible_total=cached.visible)
        if query.where != EVERYTHING:
            return self._read_counted(key, query, is_rare=is_rare)
        if rows.total is not None:
            return rows
        version, visible_private = self._reader.count_visible_private(tenant_id, viewer)
        if version != rows.version:  # A write was committed in between.
            return self._read_counted(key, query)
        visible = rows.shared + visible_private
        rows = rows._replace(total=visible, visible_total=visible)
        self._store(key, rows)
        return rows

    def _count(self, key: _Key, query: ActivityQuery) -> _Counts:
        """Count before the page is read: the number of matches decides how to read it."""
        return self._store(key, self._read(key, query._replace(limit=0)))

    def _read_counted(self, key: _Key, query: ActivityQuery, *, is_rare: bool = False) -> Rows:
        rows = self._read(key, query, is_rare=is_rare)
        self._store(key, rows)
        return rows

    def __len__(self) -> int:
        """Return how many totals are cached."""
        return len(self._counts)

    def _read(self, key: _Key, query: ActivityQuery, *, is_rare: bool = False) -> Rows:
        self._counters[COUNT_MISSES] += 1
        tenant_id, viewer, _ = key
        return self._reader.page(tenant_id, viewer, query, count=True, is_rare=is_rare)

    def _store(self, key: _Key, rows: Rows) -> _Counts:
        size = memory_bytes(key)
        counts = _Counts(rows.total or 0, rows.visible_total or 0, rows.version, ENTRY_BYTES + size)
        if size <= MAX_KEY_BYTES:
            with self._lock:
                self._counts[key] = counts
        return counts
