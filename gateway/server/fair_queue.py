"""FairQueue: jobs that wait for a thread, of whom no owner can crowd out the others."""

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

IsBehind = Callable[[bytes], bool]

MAX_BYTES = 2**24
ALONE_SECONDS = 1.0
"""After so long without another's job an owner is taken to be the only one."""


@dataclass(slots=True, eq=False)
class Job:
    """Something to run, on the account of its `owner`: a known `credential`, or everybody else."""

    owner: bytes
    run: Callable[[], Any]
    credential: bytes = b""
    size: int = 0
    """The bytes that it keeps in memory."""
    refuse: Callable[[], Any] = lambda: None
    """Called instead of `run` if it waited for too long."""
    queued_at: float = 0.0
    is_cancelled: bool = False


class FairQueue:
    """At most `size` jobs, half of them one owner's; who has the fewest under way is next.

    The same holds for their `max_bytes`. A job of an owner that `is_behind` does not begin: its
    clients have not taken in what was made for them before. An owner has at most `share` jobs under
    way, and of those `running` that are not blocked only half while there are other owners: a job
    cannot be interrupted, and theirs may be quick. Not for several threads at once: its user holds
    a lock.
    """

    def __init__(
        self,
        *,
        size: int,
        share: int,
        running: int,
        max_bytes: int = MAX_BYTES,
        is_behind: IsBehind = lambda _owner: False,
    ) -> None:
        """Begin empty."""
        self._size = size
        self._max_bytes = max_bytes
        self._is_behind = is_behind
        self._bytes = 0
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
        if job.size and self._is_full_of_bytes(job, jobs or ()):
            return False
        if jobs is None:
            jobs = self._waiting[owner] = deque()
        job.queued_at = time.monotonic()
        jobs.append(job)
        self._length += 1
        self._bytes += job.size
        if owner != self._last_owner:
            self._last_owner = owner
            self._alone_since = time.monotonic()
        return True

    def _is_full_of_bytes(self, job: Job, own: Collection[Job]) -> bool:
        """Return whether a job is too large beside those that wait; alone it never is."""
        own_bytes = sum(waiting.size for waiting in own)
        is_too_much_for_all = self._bytes + job.size > self._max_bytes
        is_too_much_for_one = own_bytes + job.size > self._max_bytes // 2
        return bool(self._bytes and is_too_much_for_all) or bool(own_bytes and is_too_much_for_one)

    def take_hopeless(self, before: float, *, is_stuck: IsBehind) -> list[Job]:
        """Return the jobs that wait since an earlier moment, or for an owner that is stuck.

        Those that were cancelled are dropped.
        """
        hopeless = []
        for owner, jobs in list(self._waiting.items()):
            since = float("inf") if is_stuck(owner) else before
            gone = [job for job in jobs if job.is_cancelled or job.queued_at < since]
            if gone:
                self._length -= len(gone)
                self._bytes -= sum(job.size for job in gone)
                hopeless += [job for job in gone if not job.is_cancelled]
                left = [job for job in jobs if not (job.is_cancelled or job.queued_at < since)]
                self._set_waiting(owner, deque(left))
        return hopeless

    def _set_waiting(self, owner: bytes, jobs: deque[Job]) -> None:
        if jobs:
            self._waiting[owner] = jobs
        else:
            self._waiting.pop(owner, None)

    def take(self) -> Job | None:
        """Return the next job that may begin, and have it under way; in turn among equals."""
        is_alone = time.monotonic() - self._alone_since >= ALONE_SECONDS
        most_running = self._most_running if is_alone else max(1, self._most_running // 2)
        least, chosen = self._share, None
        for owner in self._waiting:
            number = self._under_way.get(owner, 0)
            may_run = number - self._blocked.get(owner, 0) < most_running
            if number < least and may_run and not self._is_behind(owner):
                least, chosen = number, owner
            if not least:
                break
        return None if chosen is None else self._take_from(chosen)

    def take_first(self) -> Job | None:
        """Return the next job of an owner who has nothing under way."""
        for owner in self._waiting:
            if owner not in self._under_way and not self._is_behind(owner):
                return self._take_from(owner)
        return None

    def adopt(self, owner: bytes, *, former: bytes) -> None:
        """Move the jobs that show an owner's credential to it from a former owner."""
        jobs = self._waiting.pop(former, ())
        moved = deque(job for job in jobs if job.credential == owner)
        left = deque(job for job in jobs if job.credential != owner)
        for job in moved:
            job.owner = owner
        self._set_waiting(former, left)
        self._set_waiting(owner, self._waiting.pop(owner, deque()) + moved)

    def _take_from(self, owner: bytes) -> Job:
        jobs = self._waiting.pop(owner)
        job = jobs.popleft()
        self._length -= 1
        self._bytes -= job.size
        self._set_waiting(owner, jobs)  # At the end: the others come first.
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
