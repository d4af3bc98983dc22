"""Caches that may lose everything at any moment: slower then, never wrong.

An entry is bytes under a text key. Nobody here judges whether an entry is still right: readers
keep in it the version that it was made from, and compare. Both engines behave alike, and so does
a Redis that is slow, frozen, wiped or gone: it remembers nothing.
"""

import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

from cachetools import LRUCache
from redis import Redis, RedisCluster, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, SlotNotCoveredError
from redis.retry import Retry

FAILURES = (RedisError, RedisClusterException, SlotNotCoveredError, OSError)
RETRY_SECONDS = 1.0
"""How long a Redis that failed is left alone; it is used again soon after its return."""


class Cache(Protocol):
    """Many entries in one call, in and out."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the entries in the order of their keys, None where there is none."""

    def set_many(self, entries: Mapping[str, bytes]) -> None:
        """Keep the entries for a while."""


class MemoryCache:
    """Entries of this process, the least recently used dropped beyond `max_bytes` in all."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._entries: LRUCache[str, bytes] = LRUCache(max_bytes, getsizeof=len)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the entries in the order of their keys, None where there is none."""
        with self._lock:
            return [self._entries.get(key) for key in keys]

    def set_many(self, entries: Mapping[str, bytes]) -> None:
        """Keep the entries, but none that is larger than all there may be."""
        with self._lock:
            for key, entry in entries.items():
                if len(entry) <= self._max_bytes:
                    self._entries[key] = entry


class RedisCache:
    """Entries that all workers on all machines share.

    Every call has a deadline. After a failure the server is left alone for a second, so that a
    dead Redis costs nothing per request; then one caller tries again while the others still pass.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline_ms: int = 50,
        ttl_seconds: int = 86_400,
        is_cluster: bool = False,
    ) -> None:
        """Prepare a client of the server, or of the cluster that it belongs to.

        Nothing is connected yet. `ttl_seconds` only bounds the memory used on the server.
        """
        self._url = url
        self._ttl_seconds = ttl_seconds
        self._is_cluster = is_cluster
        self._options: dict[str, Any] = {
            "socket_timeout": deadline_ms / 1000,
            "socket_connect_timeout": deadline_ms / 1000,
            "protocol": 2,
        }
        self._client: Redis | RedisCluster | None = None
        self._lock = Lock()
        self._left_alone_until = 0.0

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the entries in the order of their keys; none at all if Redis does not answer.

        All keys of one call must share a slot of the cluster.
        """
        if not keys or not self._may_try():
            return [None] * len(keys)
        try:
            found: list[bytes | None] = self._connected().mget(keys)
        except FAILURES:
            self._leave_alone()
            return [None] * len(keys)
        self._left_alone_until = 0.0
        return found

    def set_many(self, entries: Mapping[str, bytes]) -> None:
        """Keep the entries, if Redis answers."""
        if not entries or not self._may_try():
            return
        try:
            pipeline = self._connected().pipeline(transaction=False)
            for key, entry in entries.items():
                pipeline.set(key, entry, ex=self._ttl_seconds)
            pipeline.execute()
        except FAILURES:
            self._leave_alone()
        else:
            self._left_alone_until = 0.0

    def ping(self) -> None:
        """Ask for a sign of life. Raises: one of `FAILURES`, if there is none in time."""
        self._connected().ping()

    def _may_try(self) -> bool:
        """Return whether to call now; of several callers after a failure, one is let through."""
        until = self._left_alone_until
        if not until:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._left_alone_until:
                return False
            self._left_alone_until = now + RETRY_SECONDS
        return True

    def _leave_alone(self) -> None:
        self._left_alone_until = time.monotonic() + RETRY_SECONDS

    def _connected(self) -> Any:
        """Return the client; a cluster's asks the cluster for its nodes when it is made."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._connect()
        return self._client

    def _connect(self) -> "Redis | RedisCluster":
        if self._is_cluster:
            # One more try, because a node that moved is only learnt of by failing.
            return RedisCluster.from_url(self._url, retry=Retry(NoBackoff(), 1), **self._options)
        return Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), **self._options)
