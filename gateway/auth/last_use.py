"""When keys were last used: noted by requests, written by a thread that ends when it is done."""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

from core.domain.clock import Clock
from core.domain.errors import Unavailable
from core.storage.credential_store import USE_STEP, Credentials

BATCH_SECONDS = 1.0
MAX_NOTED = 20_000
Key = tuple[int, str]


class LastUses:
    """Writes the use of each key at most once in `USE_STEP`, in no request's time.

    A use that cannot be written is forgotten, and the next one is tried a step later.
    """

    def __init__(self, credentials: Credentials, *, clock: Clock) -> None:
        """Write to `credentials`, which should have a database connection of their own."""
        self._credentials = credentials
        self._clock = clock
        self._lock = Lock()
        self._closed = Event()
        self._due_at: dict[Key, float] = {}
        self._pending: dict[Key, Callable[[], None]] = {}

    def note(self, tenant_id: int, key_id: str) -> None:
        """Have the use of a key written within a second or two, unless one was lately."""
        key, now = (tenant_id, key_id), time.monotonic()
        if now < self._due_at.get(key, 0.0):
            return
        with self._lock:
            if len(self._due_at) >= MAX_NOTED:
                self._due_at.clear()
            self._due_at[key] = now + USE_STEP.total_seconds()
            is_first = not self._pending
            used_at = self._clock()
            self._pending[key] = lambda: self._credentials.record_use(tenant_id, key_id, used_at)
        if is_first:
            Thread(target=self._write, name="last uses", daemon=True).start()

    def close(self) -> None:
        """Write nothing more."""
        self._closed.set()

    def _write(self) -> None:
        self._closed.wait(BATCH_SECONDS)
        with self._lock:
            writes, self._pending = list(self._pending.values()), {}
        for write in writes:
            if self._closed.is_set():
                return
            with suppress(Unavailable):
                write()
