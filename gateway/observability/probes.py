"""Probes: ask a server for a heartbeat, and never wait for it longer than a deadline.

A frozen server lets its caller hang for as long as it stays frozen. Every attempt therefore runs
in a thread of its own, at most one at a time, and the caller waits only until a deadline.
"""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import NamedTuple

FRESH_SECONDS = 0.5
"""An outcome this young is reused, so that frequent probing costs little."""


class Outcome(NamedTuple):
    """What came of an attempt; `failure` is None if there was an answer in time."""

    failure: str | None
    latency_seconds: float
    age_seconds: float


class Probe:
    """One server: `check` returns if it lives, and otherwise raises one of `failures`."""

    def __init__(
        self,
        check: Callable[[], object],
        *,
        failures: tuple[type[Exception], ...],
        deadline_seconds: float,
    ) -> None:
        """Check nothing yet."""
        self.deadline_seconds = deadline_seconds
        self._check = check
        self._failures = failures
        self._lock = Lock()
        self._attempt: _Attempt | None = None

    def begin(self) -> "_Attempt":
        """Return the attempt that is under way or fresh, or else a new one, already begun."""
        with self._lock:
            if self._attempt is None or self._attempt.is_stale():
                self._attempt = _Attempt(self._check, self._failures, self.deadline_seconds)
            return self._attempt


class _Attempt:
    def __init__(
        self,
        check: Callable[[], object],
        failures: tuple[type[Exception], ...],
        deadline_seconds: float,
    ) -> None:
        self._check = check
        self._failures = failures
        self._deadline_seconds = deadline_seconds
        self._failure: str | None = None
        self._begun_at = time.monotonic()
        self._ended_at = 0.0
        self._ended = Event()
        # A daemon, because a process must be able to end while a server is frozen.
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._check()
        except self._failures as error:
            self._failure = str(error).partition("\n")[0] or type(error).__name__
        self._ended_at = time.monotonic()
        self._ended.set()

    def is_stale(self) -> bool:
        return self._ended.is_set() and time.monotonic() - self._ended_at > FRESH_SECONDS

    def outcome(self) -> Outcome:
        """Return what came of it, waiting until its deadline at the most."""
        left = self._begun_at + self._deadline_seconds - time.monotonic()
        if not self._ended.wait(max(0.0, left)):
            return Outcome("no answer in time", time.monotonic() - self._begun_at, 0.0)
        latency = self._ended_at - self._begun_at
        return Outcome(self._failure, latency, time.monotonic() - self._ended_at)
