"""ThreadPool: few threads while jobs are quick, more while they wait for something else.

Two threads run Python at once; more only fight over the interpreter. But a job that waits, for a
slow statement or for a lock, runs nothing. So a job that takes longer than `BLOCKED_SECONDS` no
longer counts, and while others wait another thread takes the next one: never more than the limit.
"""

import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from gateway.server.fair_queue import FairQueue, Job

RUNNING_JOBS = 2
BLOCKED_SECONDS = 0.02
QUEUED_JOBS = 512

CallLater = Callable[[float, Callable[[], None]], Any]


class ThreadPool:
    """Runs jobs on at most `max_threads` threads, at most half of them for one owner."""

    def __init__(self, max_threads: int, *, call_later: CallLater) -> None:
        """Start no thread yet; `call_later` is the event loop's, on which jobs are submitted."""
        self._max_threads = max_threads
        self._call_later = call_later
        self._queue = FairQueue(size=QUEUED_JOBS, share=max(1, max_threads // 2))
        self._lock = Lock()
        self._idle: list[_Thread] = []
        self._threads = 0
        self._under_way: dict[Job, None] = {}
        self._blocked = 0
        self._is_watched = False

    def submit(self, job: Job) -> bool:
        """Have a job run as soon as may be; False if too many wait already."""
        with self._lock:
            if not self._queue.put(job):
                return False
            self._start_jobs()
            is_waiting = len(self._queue) > 0
        if is_waiting and not self._is_watched:
            self._is_watched = True
            self._call_later(BLOCKED_SECONDS, self._watch)
        return True

    def _watch(self) -> None:
        """While jobs wait, let those that are blocked keep nobody from running."""
        with self._lock:
            before = time.monotonic() - BLOCKED_SECONDS
            for job in self._under_way:
                if not job.is_blocked and job.began_at <= before:
                    job.is_blocked = True
                    self._blocked += 1
            self._start_jobs()
            self._is_watched = len(self._queue) > 0
        if self._is_watched:
            self._call_later(BLOCKED_SECONDS, self._watch)

    def _start_jobs(self) -> None:
        """Hand jobs to threads, as long as there are some and it is sensible."""
        while self._idle or self._threads < self._max_threads:
            job = self._next()
            if job is None:
                return
            if not self._idle:
                self._threads += 1
                self._idle.append(_Thread(self._after))
            self._idle.pop().begin(job)

    def _next(self) -> Job | None:
        if len(self._under_way) - self._blocked >= RUNNING_JOBS:
            return None
        job = self._queue.take()
        if job is not None:
            job.began_at = time.monotonic()
            self._under_way[job] = None
        return job

    def _after(self, thread: "_Thread", job: Job) -> Job | None:
        """Take note that a thread ended a job; return its next, or let it rest."""
        with self._lock:
            self._queue.release(job)
            del self._under_way[job]
            self._blocked -= job.is_blocked
            following = self._next()
            if following is None:
                self._idle.append(thread)
            return following


class _Thread:
    """A thread that rests until it is given a job. As a daemon it keeps no process from ending."""

    def __init__(self, after: Callable[["_Thread", Job], Job | None]) -> None:
        self._after = after
        self._job: Job | None = None
        self._wake = Lock()
        self._wake.acquire()
        Thread(target=self._run, name="requests", daemon=True).start()

    def begin(self, job: Job) -> None:
        self._job = job
        self._wake.release()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            job = self._job
            while job is not None:
                if not job.is_cancelled:
                    job.run()
                job = self._after(self, job)
