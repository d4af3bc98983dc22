"""FairQueue: jobs that wait for a thread, of whom no owner can crowd out the others."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ALONE_SECONDS = 1.0
"""After so long without another's job an owner is taken to be the only one."""


@dataclass(slots=True, eq=False)
class Job:
    """Something to run, on the account of its `owner`: a known `credential`, or everybody else."""

    owner: bytes
    run: Callable[[], Any]
    credential: bytes = b""
    is_cancelled: bool = False


class FairQueue:
    """At most `size` jobs, half of them one owner's; who has the fewest under way is next.

    An owner has at most `share` jobs under way, and of those `running` that are not blocked only
    half while there are other owners: a job cannot be interrupted, and theirs may be quick. Not for
    several threads at once: its user holds a lock.
    """

    def __init__(self, *, size: int, share: int, running: int) -> None:
        """Begin empty."""
        self._size = size
        self._share = share
        self._most_running = running
        self._waiting: dict[bytes, deque[Job]] = {}
        self._under_way: dict[bytes, int] = {}
        self._blocked: dict[bytes, int] = {}
        self._length = 0
        self._last_owner = b""
        self._alone_since = 0.0

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return self._length

    def put(self, job: Job) -> bool:
        """Let a job wait; False if there is no place for it."""
        owner = job.owner
        jobs = self._waiting.get(owner)
        if self._length >= self._size or (jobs and len(jobs) >= self._size // 2):
            return False
        if jobs is None:
            jobs = self._waiting[owner] = deque()
        jobs.append(job)
        self._length += 1
        if owner != self._last_owner:
            self._last_owner = owner
            self._alone_since = time.monotonic()
        return True

    def take(self) -> Job | None:
        """Return the next job that may begin, and have it under way; in turn among equals."""
        is_alone = time.monotonic() - self._alone_since >= ALONE_SECONDS
        most_running = self._most_running if is_alone else max(1, self._most_running // 2)
        least, chosen = self._share, None
        for owner in self._waiting:
            number = self._under_way.get(owner, 0)
            if number < least and number - self._blocked.get(owner, 0) < most_running:
                least, chosen = number, owner
            if not least:
                break
        return None if chosen is None else self._take_from(chosen)

    def take_first(self) -> Job | None:
        """Return the next job of an owner who has nothing under way."""
        for owner in self._waiting:
            if owner not in self._under_way:
                return self._take_from(owner)
        return None

    def adopt(self, owner: bytes, *, former: bytes) -> None:
        """Move the jobs that show an owner's credential to it from a former owner."""
        jobs = self._waiting.pop(former, ())
        moved = deque(job for job in jobs if job.credential == owner)
        left = deque(job for job in jobs if job.credential != owner)
        for job in moved:
            job.owner = owner
        for name, some in ((former, left), (owner, self._waiting.pop(owner, deque()) + moved)):
            if some:
                self._waiting[name] = some

    def _take_from(self, owner: bytes) -> Job:
        jobs = self._waiting.pop(owner)
        job = jobs.popleft()
        self._length -= 1
        if jobs:
            self._waiting[owner] = jobs  # At the end: the others come first.
        self._under_way[owner] = self._under_way.get(owner, 0) + 1
        return job

    def note_blocked(self, job: Job, *, is_blocked: bool) -> None:
        """Note that a job that is under way does not run, or runs again."""
        if is_blocked:
            self._blocked[job.owner] = self._blocked.get(job.owner, 0) + 1
        else:
            _decrease(self._blocked, job.owner)

    def release(self, job: Job, *, was_blocked: bool) -> None:
        """Note that a job that was under way has ended."""
        _decrease(self._under_way, job.owner)
        if was_blocked:
            _decrease(self._blocked, job.owner)


def _decrease(numbers: dict[bytes, int], owner: bytes) -> None:
    left = numbers[owner] - 1
    if left:
        numbers[owner] = left
    else:
        del numbers[owner]
