"""The cache that all workers share: it may lose everything at any moment, and only time is lost.

An entry is bytes under a text key. This module does not know whether an entry is still valid: its
readers put the version into it and compare. A Redis that is slow, frozen, wiped or gone is a cache
in which every key is a miss.
"""

import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from redis import Redis, RedisCluster, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, SlotNotCoveredError
from redis.retry import Retry

from core.domain.counters import (
    REDIS_FAILURES,
    REDIS_HITS,
    REDIS_MISSES,
    Counters,
    new_counters,
)

FAILURES = (RedisError, RedisClusterException, SlotNotCoveredError, OSError)
RETRY_SECONDS = 1.0
"""How long the circuit stays open after a failure; Redis is used again soon after its return."""


class RedisCache:
    """Entries that all workers on all machines share.

    Every call has a deadline. A failure opens the circuit for a second, so that a dead Redis costs
    a request nothing; then one caller tries again, while for all others the circuit stays open.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline_ms: int = 50,
        ttl_seconds: int = 86_400,
        is_cluster: bool = False,
        counters: Counters | None = None,
    ) -> None:
        """Prepare a client of the server, or of the cluster that it belongs to.

        Nothing is connected yet. `ttl_seconds` only bounds the memory used on the server.
        """
        self._counters = new_counters() if counters is None else counters
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
        self._circuit_open_until = 0.0

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the entries in the order of their keys; none at all if Redis does not answer.

        All keys of one call must share a slot of the cluster.
        """
        if not keys or not self._circuit_allows():
            return [None] * len(keys)
        try:
            found: list[bytes | None] = self._connected().mget(keys)
        except FAILURES:
            self._open_circuit()
            return [None] * len(keys)
        self._circuit_open_until = 0.0
        misses = found.count(None)
        self._counters[REDIS_MISSES] += misses
        self._counters[REDIS_HITS] += len(found) - misses
        return found

    def set_many(self, entries: Mapping[str, bytes]) -> None:
        """Store the entries, if Redis answers."""
        if not entries or not self._circuit_allows():
            return
        try:
            pipeline = self._connected().pipeline(transaction=False)
            for key, entry in entries.items():
                pipeline.set(key, entry, ex=self._ttl_seconds)
            pipeline.execute()
        except FAILURES:
            self._open_circuit()
        else:
            self._circuit_open_until = 0.0

    def ping(self) -> None:
        """Send a heartbeat. Raises: one of `FAILURES`, if there is no answer in time."""
        self._connected().ping()

    def server_facts(self) -> Mapping[str, Any]:
        """Return what the server says of itself. Raises: one of `FAILURES`."""
        client = self._connected()
        facts: Mapping[str, Any] = client.info()
        return next(iter(facts.values())) if self._is_cluster else facts

    def _circuit_allows(self) -> bool:
        """Return whether to call now; a second after a failure one caller may try again."""
        until = self._circuit_open_until
        if not until:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._circuit_open_until:
                return False
            self._circuit_open_until = now + RETRY_SECONDS
        return True

    def _open_circuit(self) -> None:
        self._counters[REDIS_FAILURES] += 1
        self._circuit_open_until = time.monotonic() + RETRY_SECONDS

    def _connected(self) -> Any:
        """Return the client; a cluster's asks the cluster for its nodes when it is made."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._connect()
        return self._client

    def _connect(self) -> "Redis | RedisCluster":
        if self._is_cluster:
            # One more try, because only a failed call tells the client that a node moved.
            return RedisCluster.from_url(self._url, retry=Retry(NoBackoff(), 1), **self._options)
        return Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), **self._options)
