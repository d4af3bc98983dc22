"""Probes: ask a server for a heartbeat, and never wait for it longer than a deadline.

A frozen server lets its caller hang for as long as it stays frozen. Every attempt therefore runs
in a thread of its own, at most one at a time, and the caller waits only until a deadline.
"""

import time
from _thread import start_new_thread
from collections.abc import Callable
from threading import Event, Lock
from typing import NamedTuple

FRESH_SECONDS = 0.5
"""An outcome this young is reused, so that frequent probing costs little."""
LATE = "no answer in time"
UNREACHABLE = "unreachable"


class Outcome(NamedTuple):
    """What came of an attempt; `failure` is None if there was an answer in time.

    `detail` is the driver's own text, which may name hosts and sockets: not for strangers.
    `warning` says what a server that answered cannot do now.
    """

    failure: str | None
    latency_seconds: float
    age_seconds: float
    detail: str | None = None
    warning: str | None = None


class Probe:
    """One server: `check` returns if it lives, and otherwise raises one of `failures`.

    What it returns is a warning for everybody, or None.

    The texts of the failures among `public` may be shown to everybody.
    """

    def __init__(
        self,
        check: Callable[[], str | None],
        *,
        failures: tuple[type[Exception], ...],
        deadline_seconds: float,
        public: tuple[type[Exception], ...] = (),
    ) -> None:
        """Check nothing yet."""
        self.deadline_seconds = deadline_seconds
        self._check = check
        self._failures = failures
        self._public = public
        self._lock = Lock()
        self._attempt: _Attempt | None = None
        self._last: _Attempt | None = None

    def begin(self) -> "_Attempt":
        """Return the attempt that is under way or fresh, or else a new one, already begun."""
        return self._begin(FRESH_SECONDS)

    def _begin(self, fresh_seconds: float) -> "_Attempt":
        with self._lock:
            if self._attempt is None or self._attempt.is_older_than(fresh_seconds):
                self._last = self._attempt
                self._attempt = _Attempt(self)
            return self._attempt

    def peek(self, max_age_seconds: float) -> Outcome | None:
        """Return an outcome no older than that, without waiting; None if there is none yet.

        Then an attempt is under way, and its deadline is an outcome too.
        """
        attempt = self._begin(max_age_seconds)
        if attempt.is_due():
            return attempt.outcome()
        last = self._last
        return None if last is None or last.is_older_than(max_age_seconds) else last.outcome()

    def attempt(self) -> tuple[str | None, str | None, str | None]:
        """Check; return the failure for everybody and in detail, if it is one, and the warning."""
        try:
            warning = self._check()
        except self._failures as error:
            detail = str(error).partition("\n")[0] or type(error).__name__
            return detail if isinstance(error, self._public) else UNREACHABLE, detail, None
        return None, None, warning


class _Attempt:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._failure: str | None = None
        self._detail: str | None = None
        self._warning: str | None = None
        self._begun_at = time.monotonic()
        self._ended_at = 0.0
        self._ended = Event()
        # Not by `Thread`: whoever starts one sleeps until it runs, and here that is the event loop.
        # A process ends without it, as it must be able to while a server is frozen.
        start_new_thread(self._run, ())

    def _run(self) -> None:
        self._failure, self._detail, self._warning = self._probe.attempt()
        self._ended_at = time.monotonic()
        self._ended.set()

    def is_older_than(self, seconds: float) -> bool:
        return self._ended.is_set() and time.monotonic() - self._ended_at > seconds

    def is_due(self) -> bool:
        return self._ended.is_set() or self._left() <= 0

    def _left(self) -> float:
        return self._begun_at + self._probe.deadline_seconds - time.monotonic()

    def outcome(self) -> Outcome:
        """Return what came of it, waiting until its deadline at the most."""
        if not self._ended.wait(max(0.0, self._left())):
            return Outcome(LATE, time.monotonic() - self._begun_at, 0.0, LATE)
        latency = self._ended_at - self._begun_at
        age = time.monotonic() - self._ended_at
        return Outcome(self._failure, latency, age, self._detail, self._warning)
