"""Threads are few while jobs are quick, more while they wait, and nobody's alone."""

import time
from collections.abc import Callable, Iterator
from threading import Event, Timer
from threading import enumerate as all_threads

import pytest

from gateway.server.fair_queue import FairQueue, Job
from gateway.server.thread_pool import QUEUED_JOBS, REFUSED_AT_ONCE, RUNNING_JOBS, ThreadPool

MAX_THREADS = 8
SHARE = MAX_THREADS // 2


def call_later(seconds: float, function: Callable[[], None]) -> None:
    """Call a function later, as the event loop would."""
    timer = Timer(seconds, function)
    timer.daemon = True
    timer.start()


class Work:
    """Jobs that wait until they are let go, and what became of them."""

    def __init__(self) -> None:
        """Begin with a pool of its own."""
        self.pool = ThreadPool(MAX_THREADS, call_later=call_later)
        self.gate = Event()
        self.begun: list[bytes] = []

    def submit(self, owner: bytes, *, quick: bool = False) -> bool:
        """Submit a job that waits for the gate, or one that ends at once."""

        def run() -> None:
            self.begun.append(owner)
            if not quick:
                self.gate.wait(10)

        return self.pool.submit(Job(owner, run))

    def wait_for(self, number: int) -> list[bytes]:
        """Return who has begun, once that many have; or fail."""
        deadline = time.monotonic() + 5
        while len(self.begun) < number and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.begun) >= number, self.begun
        return self.begun


@pytest.fixture
def work() -> Iterator[Work]:
    """Give jobs and a pool; all are let go at the end."""
    work = Work()
    yield work
    work.gate.set()


def threads() -> int:
    """Return how many request threads there are."""
    return sum(thread.name == "requests" for thread in all_threads())


def test_quick_jobs_need_few_threads(work: Work):
    before = threads()
    for number in range(200):
        assert work.submit(b"%d" % number, quick=True)
    work.wait_for(200)
    assert threads() - before <= RUNNING_JOBS


def test_blocked_jobs_let_others_run(work: Work):
    for _ in range(RUNNING_JOBS):
        work.submit(b"slow")
    work.wait_for(RUNNING_JOBS)
    began = time.monotonic()
    work.submit(b"other", quick=True)
    assert b"other" in work.wait_for(RUNNING_JOBS + 1)
    assert time.monotonic() - began < 1


def test_one_owner_has_half_the_threads(work: Work):
    for _ in range(3 * MAX_THREADS):
        work.submit(b"greedy")
    work.wait_for(SHARE)
    time.sleep(0.1)
    assert work.begun == [b"greedy"] * SHARE
    work.submit(b"modest", quick=True)
    assert work.wait_for(SHARE + 1)[-1] == b"modest"


def test_threads_are_bounded(work: Work):
    before = threads()
    for number in range(3 * MAX_THREADS):
        work.submit(b"%d" % number)
    work.wait_for(MAX_THREADS)
    time.sleep(0.1)
    assert (len(work.begun), threads() - before) == (MAX_THREADS, MAX_THREADS)


def test_one_owner_has_half_the_queue(work: Work):
    accepted = [work.submit(b"greedy") for _ in range(QUEUED_JOBS)]
    assert RUNNING_JOBS < accepted.count(True) <= QUEUED_JOBS // 2 + SHARE
    assert work.submit(b"modest")


def test_full_queue_refuses_everybody(work: Work):
    accepted = [work.submit(b"%d" % (number % 50)) for number in range(2 * QUEUED_JOBS)]
    assert accepted.count(True) <= QUEUED_JOBS + MAX_THREADS
    assert not work.submit(b"late")


def test_cancelled_jobs_are_passed_over(work: Work):
    for _ in range(RUNNING_JOBS):
        work.submit(b"slow")
    cancelled = Job(b"gone", lambda: work.begun.append(b"gone"))
    work.pool.submit(cancelled)
    cancelled.is_cancelled = True
    work.submit(b"last", quick=True)
    assert b"gone" not in work.wait_for(RUNNING_JOBS + 1)


def test_owner_that_is_behind_waits():
    behind = {b"one"}
    queue = FairQueue(size=9, share=9, running=9, is_behind=behind.__contains__)
    for owner in (b"one", b"other"):
        assert queue.put(Job(owner, lambda: None))
    taken = [queue.take(), queue.take(), queue.take_first()]
    assert [job and job.owner for job in taken] == [b"other", None, None]
    behind.clear()
    assert queue.take()


def test_waiting_bytes_are_bounded():
    queue = FairQueue(size=99, share=9, running=9, max_bytes=100)
    assert queue.put(Job(b"one", lambda: None, size=500))  # Alone it may be as large as it is.
    assert queue.take()
    sizes = [(b"one", 50), (b"one", 1), (b"two", 40), (b"three", 20), (b"three", 0)]
    put = [queue.put(Job(owner, lambda: None, size=size)) for owner, size in sizes]
    assert put == [True, False, True, False, True]


def test_overdue_jobs_are_refused(work: Work):
    for _ in range(MAX_THREADS):
        work.submit(b"one")
    refused: list[str] = []
    work.pool.submit(Job(b"one", lambda: None, refuse=lambda: refused.append("late")))
    gone = Job(b"one", lambda: None, refuse=lambda: refused.append("gone"), is_cancelled=True)
    work.pool.submit(gone)
    work.pool.refuse_hopeless(time.monotonic() - 60)
    work.pool.refuse_hopeless(time.monotonic() - 60, is_stuck=lambda owner: owner == b"two")
    assert refused == []
    work.pool.refuse_hopeless(time.monotonic() + 60)
    assert refused == ["late"]


def test_stuck_owners_are_refused_some_at_a_time(work: Work):
    for _ in range(RUNNING_JOBS):
        work.submit(b"one")
    work.wait_for(RUNNING_JOBS)
    refused: list[str] = []
    for _ in range(3 * REFUSED_AT_ONCE):
        work.pool.submit(Job(b"one", lambda: None, refuse=lambda: refused.append("stuck")))
    work.pool.refuse_hopeless(0.0, is_stuck=lambda owner: owner == b"one")
    assert len(refused) == REFUSED_AT_ONCE
    deadline = time.monotonic() + 5
    while len(refused) < 3 * REFUSED_AT_ONCE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(refused) == 3 * REFUSED_AT_ONCE


def test_owners_take_turns():
    queue = FairQueue(size=100, share=100, running=100)
    for owner in (b"a", b"a", b"a", b"b", b"c"):
        assert queue.put(Job(owner, lambda: None))
    taken = [queue.take() for _ in range(5)]
    assert [job.owner for job in taken if job] == [b"a", b"b", b"c", b"a", b"a"]
    assert (queue.take(), len(queue)) == (None, 0)


def test_newcomers_pass_long_jobs(work: Work):
    spinning = Event()

    def spin() -> None:
        until = time.monotonic() + 4
        while time.monotonic() < until and not spinning.is_set():
            sum(range(1000))

    for owner in (b"a", b"b"):
        work.pool.submit(Job(owner, spin))
    began = time.monotonic()
    work.submit(b"newcomer", quick=True)
    work.wait_for(1)
    spinning.set()
    assert time.monotonic() - began < 2


def test_waiting_jobs_find_their_owner():
    queue = FairQueue(size=100, share=100, running=100)
    for credential in (b"x", b"y", b"x"):
        queue.put(Job(b"", lambda: None, credential))
    queue.adopt(b"x", former=b"")
    taken = [queue.take() for _ in range(3)]
    assert [job.owner for job in taken if job] == [b"", b"x", b"x"]
