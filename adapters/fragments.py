"""Entities as fragments of JSON: rendered once each, and cached within one bound in bytes.

An entity never changes: a change of the directory makes a new one. The entity itself is therefore
the cache key, and an entry needs no version. Entries are kept in two generations. An entry that is
used moves to the recent one; when the recent one has grown to half of the bound, the older one is
dropped and takes its place. That is close to evicting the least recently used, and a hit costs no
more than one look-up.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

import orjson

from core.domain.entity import Entity

MAX_BYTES = 64 * 2**20
ENTRY_BYTES = 200
"""What an entry takes beside its JSON and the entity of its key: objects, a place in a table."""

Render = Callable[[Entity], dict[str, Any]]


class FragmentCache:
    """The fragments of one rendering function: called with an entity, it returns its fragment."""

    def __init__(self, render: Render, bound: "Bound") -> None:
        """Begin empty; `bound` is shared with other caches."""
        self._render = render
        self._bound = bound
        self._recent: dict[Entity, orjson.Fragment] = {}
        self._older: dict[Entity, orjson.Fragment] = {}

    def __call__(self, entity: Entity) -> orjson.Fragment:
        """Return the fragment of an entity, from the cache where it is there."""
        fragment = self._recent.get(entity)
        return self._find_older(entity) if fragment is None else fragment

    def _find_older(self, entity: Entity) -> orjson.Fragment:
        fragment = self._older.get(entity)
        if fragment is None:
            # A copy, because the bytes that orjson returns occupy 4 KiB each.
            body = bytes(memoryview(orjson.dumps(self._render(entity))))
            fragment = orjson.Fragment(body)
        self._recent[entity] = fragment
        self._bound.add(entity.size_bytes + ENTRY_BYTES + len(orjson.dumps(fragment)))
        return fragment

    def drop_older(self) -> None:
        """Drop the older generation; the recent one takes its place."""
        self._older, self._recent = self._recent, {}


class Bound:
    """How many bytes the recent generations of all its caches hold; evicts beyond half."""

    def __init__(self, max_bytes: int) -> None:
        """Begin with no caches."""
        self._max_recent_bytes = max_bytes // 2
        self._recent_bytes = 0
        self._caches: list[FragmentCache] = []
        self._lock = Lock()

    def cached(self, render: Render) -> FragmentCache:
        """Return a cache of what a function renders; use it as a decorator."""
        cache = FragmentCache(render, self)
        self._caches.append(cache)
        return cache

    def add(self, size: int) -> None:
        """Count an entry, and start a new generation when the recent one is full."""
        with self._lock:
            self._recent_bytes += size
            if self._recent_bytes > self._max_recent_bytes:
                self._recent_bytes = 0
                for cache in self._caches:
                    cache.drop_older()


cached_fragment = Bound(MAX_BYTES).cached
"""Decorates a function that renders an entity; all of a process share `MAX_BYTES`."""
