"""FairQueue: jobs that wait for a thread, of whom no owner can crowd out the others."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Job:
    """Something to run; `owner` is on whose account. `ran_at` is set when it begins."""

    owner: bytes
    run: Callable[[], Any]
    began_at: float = 0.0
    is_cancelled: bool = False
    is_blocked: bool = False


class FairQueue:
    """At most `size` jobs, half of them one owner's, taken in turn from all owners.

    An owner with `share` jobs under way gets no further one until `release`. Not for several
    threads at once: its user holds a lock.
    """

    def __init__(self, *, size: int, share: int) -> None:
        """Begin empty."""
        self._size = size
        self._share = share
        self._waiting: dict[bytes, deque[Job]] = {}
        self._running: Counter[bytes] = Counter()
        self._length = 0

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return self._length

    def put(self, job: Job) -> bool:
        """Let a job wait; False if there is no place for it."""
        jobs = self._waiting.get(job.owner)
        if self._length >= self._size or (jobs and len(jobs) >= self._size // 2):
            return False
        if jobs is None:
            jobs = self._waiting[job.owner] = deque()
        jobs.append(job)
        self._length += 1
        return True

    def take(self) -> Job | None:
        """Return the next job of the next owner who may have one more under way."""
        for owner in self._waiting:
            if self._running[owner] < self._share:
                return self._take_from(owner)
        return None

    def _take_from(self, owner: bytes) -> Job:
        jobs = self._waiting.pop(owner)
        job = jobs.popleft()
        self._length -= 1
        if jobs:
            self._waiting[owner] = jobs  # At the end: the others come first.
        self._running[owner] += 1
        return job

    def release(self, job: Job) -> None:
        """Note that a job that was taken has ended."""
        left = self._running[job.owner] - 1
        if left:
            self._running[job.owner] = left
        else:
            del self._running[job.owner]
