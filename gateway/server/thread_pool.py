"""ThreadPool: few threads while jobs are quick, more while they wait for something else.

Two threads run Python at once; more only fight over the interpreter. But a job that waits, for a
slow statement or for a lock, runs nothing. So a thread that takes no time of the processor while
others wait is taken to be blocked and no longer counts, and another one takes the next job: never
more than the limit. Nor can a job be interrupted: whoever has nothing under way does not wait for
long ones of others to end.
"""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from gateway.server.fair_queue import MAX_BYTES, FairQueue, IsBehind, Job

RUNNING_JOBS = 2
EXPRESS_JOBS = 2
"""Beyond these two, for owners with nothing under way while all that run have run for long."""
LONG_SECONDS = WATCH_SECONDS = 0.01
BUSY_SHARE = 0.03
"""Of a processor; a thread that took less since it was last looked at did not run."""
BLOCKED_LOOKS = 5
QUEUED_JOBS = 512
REFUSED_AT_ONCE = 20

NOTHING = Job(b"", lambda: None)
CallLater = Callable[[float, Callable[[], None]], Any]


class ThreadPool:
    """Runs jobs on at most `max_threads` threads, at most half of them for one owner."""

    def __init__(
        self,
        max_threads: int,
        *,
        call_later: CallLater,
        max_bytes: int = MAX_BYTES,
        is_behind: IsBehind = lambda _owner: False,
    ) -> None:
        """Start no thread yet; `call_later` is the event loop's, on which jobs are submitted.

        Of waiting jobs at most `max_bytes` are kept; those of an owner that `is_behind` wait.
        """
        self._max_threads = max_threads
        self._call_later = call_later
        self._queue = FairQueue(
            size=QUEUED_JOBS,
            share=max(1, max_threads // 2),
            running=RUNNING_JOBS,
            max_bytes=max_bytes,
            is_behind=is_behind,
        )
        self._lock = Lock()
        self._idle: list[_Thread] = []
        self._threads = 0
        self._under_way: set[_Thread] = set()
        self._blocked = 0
        self._is_watched = False
        self._hopeless: deque[Job] = deque()
        self._is_refusing = False

    def submit(self, job: Job) -> bool:
        """Have a job run as soon as may be; False if too many wait already."""
        with self._lock:
            if not self._queue.put(job):
                return False
            self._start_jobs()
            is_waiting = len(self._queue) > 0
        if is_waiting and not self._is_watched:
            self._is_watched = True
            self._call_later(WATCH_SECONDS, self._watch)
        return True

    def refuse_hopeless(self, before: float, *, is_stuck: IsBehind = lambda _owner: False) -> None:
        """Refuse the jobs that wait since an earlier moment, or for an owner that is stuck.

        Some at a time: every other connection waits meanwhile.
        """
        with self._lock:
            self._hopeless += self._queue.take_hopeless(before, is_stuck=is_stuck)
        if self._hopeless and not self._is_refusing:
            self._refuse_some()

    def _refuse_some(self) -> None:
        for _ in range(min(REFUSED_AT_ONCE, len(self._hopeless))):
            self._hopeless.popleft().refuse()
        self._is_refusing = bool(self._hopeless)
        if self._is_refusing:
            self._call_later(WATCH_SECONDS, self._refuse_some)

    def _watch(self) -> None:
        """While jobs wait, let those that are blocked keep nobody from running."""
        with self._lock:
            for thread in self._under_way:
                was_blocked, thread.is_blocked = thread.is_blocked, thread.looks_blocked()
                if thread.is_blocked != was_blocked:
                    self._queue.note_blocked(thread.job, is_blocked=thread.is_blocked)
                    self._blocked += 1 if thread.is_blocked else -1
            self._start_jobs()
            self._start_express()
            self._is_watched = len(self._queue) > 0
        if self._is_watched:
            self._call_later(WATCH_SECONDS, self._watch)

    def _start_jobs(self) -> None:
        """Hand jobs to threads, as long as there are some and it is sensible."""
        while self._idle or self._threads < self._max_threads:
            job = self._next()
            if job is None:
                return
            self._start(job)

    def _start_express(self) -> None:
        running = [thread for thread in self._under_way if not thread.is_blocked]
        before = time.monotonic() - LONG_SECONDS
        are_long = all(thread.began_at <= before for thread in running)
        has_room = len(running) < RUNNING_JOBS + EXPRESS_JOBS
        if are_long and has_room and (self._idle or self._threads < self._max_threads):
            job = self._queue.take_first()
            if job is not None:
                self._start(job)

    def _start(self, job: Job) -> None:
        if not self._idle:
            self._threads += 1
            self._idle.append(_Thread(self._after))
        thread = self._idle.pop()
        self._under_way.add(thread)
        thread.begin(job)

    def adopt(self, owner: bytes, *, former: bytes) -> None:
        """Have waiting jobs be their owner's that were submitted before it was known."""
        with self._lock:
            self._queue.adopt(owner, former=former)

    def _next(self) -> Job | None:
        is_full = len(self._under_way) - self._blocked >= RUNNING_JOBS
        return None if is_full else self._queue.take()

    def _after(self, thread: "_Thread", job: Job) -> Job | None:
        """Take note that a thread ended a job; return its next, or let it rest."""
        with self._lock:
            self._queue.release(job, was_blocked=thread.is_blocked)
            self._under_way.discard(thread)
            self._blocked -= thread.is_blocked
            thread.begin_anew()
            following = self._next()
            if following is None:
                self._idle.append(thread)
            else:
                thread.job, thread.began_at = following, time.monotonic()
                self._under_way.add(thread)
            return following


class _Thread:
    """A thread that rests until it is given a job. As a daemon it keeps no process from ending."""

    def __init__(self, after: Callable[["_Thread", Job], Job | None]) -> None:
        self._after = after
        self.job = NOTHING
        self.began_at = 0.0
        self._wake = Lock()
        self._wake.acquire()
        self.begin_anew()
        self._thread = Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    def begin(self, job: Job) -> None:
        self.job, self.began_at = job, time.monotonic()
        self._wake.release()

    def begin_anew(self) -> None:
        """Forget what was seen of the last job."""
        self.is_blocked = False
        self._seen = (0.0, 0.0)
        self._looks = -1

    def looks_blocked(self) -> bool:
        """Return whether it has not run at some looks in a row, the present one included."""
        clock = time.pthread_getcpuclockid(self._thread.ident or 0)
        then, before = self._seen
        self._seen = now, spent = time.monotonic(), time.clock_gettime(clock)
        did_run = spent - before > BUSY_SHARE * (now - then)
        self._looks = 0 if did_run else self._looks + 1
        return self._looks >= BLOCKED_LOOKS

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            job: Job | None = self.job
            while job is not None:
                if not job.is_cancelled:
                    job.run()
                job = self._after(self, job)
