"""Rendered responses, cached while they are right and where caching pays.

A response is stored under the tenant's two versions, both of which PostgreSQL moves in the writing
transaction itself. Before a cached response is used, the versions are read again: there is no
moment at which a worker sends a response older than an acknowledged write, and nothing to repair
when a process or a cache dies. A response is stored only after it was requested twice between two
writes; a tenant whose stored responses are seldom hit is mostly bypassed, so that versions are not
read in vain.
"""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from core.domain.counters import (
    RESPONSE_HITS,
    RESPONSE_MISSES,
    RESPONSE_STALE,
    Counters,
    new_counters,
)
from core.domain.memory import memory_bytes
from core.domain.model import Versions

MAX_CACHE_KEYS = 20_000
ENTRY_BYTES = 500
"""What an entry takes beside its body and its key."""
HIT_WINDOW = 64
"""Stored responses of one tenant after which its past counts half."""
MIN_HIT_RATE = 0.5
"""Hits for each stored response, on average, below which a tenant is bypassed."""
SAMPLE_EVERY = 16
"""Of the responses of a bypassed tenant one in so many is stored, to see if that changed."""


class CachedResponse(NamedTuple):
    """A body, and the versions of activities and directory that it shows."""

    body: bytes
    versions: Versions


class _Entry(NamedTuple):
    response: CachedResponse
    size_bytes: int


class HitRate:
    """How often the stored responses of one tenant were used."""

    def __init__(self) -> None:
        """Begin without a past."""
        self.stored = 0.0
        self.hits = 0.0
        self.bypassed = 0

    def admit(self) -> bool:
        """Return whether to store a response now, and count it."""
        if self.stored >= HIT_WINDOW:
            self.stored, self.hits = self.stored / 2, self.hits / 2
        if self.stored >= SAMPLE_EVERY and self.hits < MIN_HIT_RATE * self.stored:
            self.bypassed += 1
            if self.bypassed % SAMPLE_EVERY:
                return False
        self.stored += 1
        return True


class ResponseCache:
    """Responses of this process, at most `max_bytes` with their keys; 0 stores none."""

    def __init__(self, *, max_bytes: int, counters: Counters | None = None) -> None:
        """Prepare an empty cache."""
        self._counters = new_counters() if counters is None else counters
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._responses: LRUCache[Hashable, _Entry] = LRUCache(
            max(1, max_bytes), getsizeof=lambda entry: entry.size_bytes
        )
        # By the hash of a key: the key may be long, and a confused one is only stored too soon.
        self._last_versions: LRUCache[int, Versions] = LRUCache(MAX_CACHE_KEYS)
        self._hit_rates: LRUCache[int, HitRate] = LRUCache(MAX_CACHE_KEYS)

    @property
    def size(self) -> int:
        """The bytes of all stored responses and their keys."""
        return int(self._responses.currsize)

    def __len__(self) -> int:
        """Return how many responses are stored."""
        return len(self._responses)

    def respond(
        self,
        tenant_id: int,
        cache_key: Hashable,
        *,
        read_versions: Callable[[], Versions],
        render: Callable[[], CachedResponse],
    ) -> bytes:
        """Return the stored body under a key if it is right now, else render it.

        `cache_key` must name everything that the body depends on beside the tenant's data: the
        dialect, the user, and what was requested.
        """
        if not self._max_bytes:
            return render().body
        key = (tenant_id, cache_key)
        with self._lock:  # Looking up moves an entry to the front.
            stored = self._responses.get(key)
        if stored is not None:
            if stored.response.versions == read_versions():
                with self._lock:
                    self._hit_rate(tenant_id).hits += 1
                self._counters[RESPONSE_HITS] += 1
                return stored.response.body
            with self._lock:
                self._responses.pop(key, None)
        self._counters[RESPONSE_MISSES if stored is None else RESPONSE_STALE] += 1
        rendered = render()
        self._consider(tenant_id, key, rendered)
        return rendered.body

    def _consider(self, tenant_id: int, key: Hashable, rendered: CachedResponse) -> None:
        """Store a response that was the same when it was last requested."""
        entry = _Entry(rendered, ENTRY_BYTES + len(rendered.body) + memory_bytes(key))
        with self._lock:
            is_repeated = self._last_versions.get(hash(key)) == rendered.versions
            self._last_versions[hash(key)] = rendered.versions
            fits = entry.size_bytes <= self._max_bytes
            if is_repeated and fits and self._hit_rate(tenant_id).admit():
                self._responses[key] = entry

    def _hit_rate(self, tenant_id: int) -> HitRate:
        """Return a tenant's hit rate; the lock is held, as looking up moves an entry."""
        rate = self._hit_rates.get(tenant_id)
        if rate is None:
            rate = self._hit_rates[tenant_id] = HitRate()
        return rate
