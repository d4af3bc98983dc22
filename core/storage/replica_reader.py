"""Reads on streaming replicas that see every write which was acknowledged before the request.

A replica shows the primary as it was some moments ago. Each read of activities on it also returns
the tenant's versions in its snapshot; the versions that the primary has now are read first, and an
answer that has lower ones is thrown away for the primary's own. The versions only grow and a
replica replays commits in their order, so an answer that has them lacks no commit of the tenant.
"""

import random
import time
from collections.abc import Callable, Sequence
from operator import ge
from threading import Lock
from typing import TypeVar

from core.domain.counters import REPLICA_FAILURES, REPLICA_READS, REPLICA_STALE
from core.domain.errors import Unavailable
from core.domain.model import Activity, Knows, Versions, Viewer
from core.domain.query import ActivityQuery
from core.storage.activity_reader import SELECT_VERSIONS, ActivityReader, Rows
from core.storage.database import Database

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 30.0
VersionedActivity = tuple[Versions, Activity]
Result = TypeVar("Result", Rows, VersionedActivity | None)
_VERSIONS = SELECT_VERSIONS.decode().replace("$1", "%(tenant_id)s")


class Replica:
    """One replica, and whether it may be asked: a circuit breaker with backoff."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with trust."""
        self.reader = ActivityReader(database)
        self.close = database.close
        self._clock = clock
        self._lock = Lock()
        self._closed_until = 0.0
        self._backoff_seconds = 0.0

    def may_be_read(self) -> bool:
        """Return whether to try it; after a failure one caller does so at a time."""
        with self._lock:
            if not self._backoff_seconds:
                return True
            now = self._clock()
            if now < self._closed_until:
                return False
            self._closed_until = now + self._backoff_seconds
            return True

    def succeeded(self) -> None:
        """Trust it again."""
        self._backoff_seconds = 0.0

    def failed(self) -> None:
        """Leave it alone for a while, longer each time."""
        with self._lock:
            doubled = max(FIRST_BACKOFF_SECONDS, 2 * self._backoff_seconds)
            self._backoff_seconds = min(doubled, MAX_BACKOFF_SECONDS)
            self._closed_until = self._clock() + self._backoff_seconds


class ReplicaReader(ActivityReader):
    """Reads pages and single activities on replicas, and on the primary where those cannot."""

    def __init__(self, database: Database, replicas: Sequence[Replica]) -> None:
        """Read on `replicas` of the primary `database`."""
        super().__init__(database)
        self._replicas = replicas
        self._counters = database.counters

    def find(self, tenant_id: int, activity_id: int, viewer: Viewer) -> VersionedActivity | None:
        """Return an activity as the primary would; the primary says what cannot be found."""

        def read(reader: ActivityReader) -> VersionedActivity | None:
            return ActivityReader.find(reader, tenant_id, activity_id, viewer)

        return self._read(tenant_id, read)

    def page(
        self,
        tenant_id: int,
        viewer: Viewer,
        query: ActivityQuery,
        *,
        count: bool,
        is_rare: bool = False,
        knows: Knows | None = None,
    ) -> Rows:
        """Return a page as the primary would."""

        def read(reader: ActivityReader) -> Rows:
            return ActivityReader.page(
                reader, tenant_id, viewer, query, count=count, is_rare=is_rare, knows=knows
            )

        return self._read(tenant_id, read)

    def _read(self, tenant_id: int, read: Callable[[ActivityReader], Result]) -> Result:
        replica = next(filter(Replica.may_be_read, self._shuffled()), None)
        if replica is None:
            return read(self)
        found = self._database.read(_VERSIONS, {"tenant_id": tenant_id})
        needed = (found[0][0] or 0, found[0][1]) if found else (0, 0)
        result = self._read_on(replica, read)
        if result is not None and all(map(ge, _versions_of(result), needed)):
            self._counters[REPLICA_READS] += 1
            return result
        self._counters[REPLICA_STALE] += result is not None
        return read(self)

    def _read_on(self, replica: Replica, read: Callable[[ActivityReader], Result]) -> Result | None:
        try:
            found = read(replica.reader)
        except Unavailable:
            self._counters[REPLICA_FAILURES] += 1
            replica.failed()
            return None
        replica.succeeded()
        return found

    def _shuffled(self) -> list[Replica]:
        return random.sample(self._replicas, len(self._replicas))


def _versions_of(result: Rows | VersionedActivity) -> tuple[int, int]:
    if isinstance(result, Rows):
        return result.version, result.directory_version
    return result[0]
