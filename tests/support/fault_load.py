"""A load that is held while something breaks, and one row of what came of it.

    def test_...(scene: Scene, record_property):  # or `shared_scene`, of the module
        with scene.load() as load:
            load.hold(2)                    # quiet: nothing may fail
            load.begin_fault()
            scene.postgres.crash()          # what breaks
            load.hold(4)
            scene.postgres.start()
            load.end_fault()                # what broke is back
            load.hold(6)                    # within 5 s everything is well
        outcome = load.outcome("PostgreSQL crashed", scene.postgres.url)
        record_property("fault", outcome.row)   # a row of the table that `make test-faults` prints
        assert outcome.verdict.is_clean and outcome.recovery_seconds <= 5

Requests are sent when they are due, however slow the others are, in both dialects: 55 writes and
220 reads a second where the machine does nothing else, fewer in `make test`. A write that failed
is sent again, with its Idempotency-Key, after the `Retry-After` of its answer, in the place of a
new one. At the end of the `with` block no new ones are made, and those that failed are sent until
each is acknowledged. /health/live and /health/ready of each gateway are read five times a second.
"""

import asyncio
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from support.fault_wire import BUSY, Wire
from support.health_watch import HealthWatch
from support.write_log import Verdict, WriteLog

IS_LONG = os.environ.get("CRM_TEST_FAULTS") == "long"
"""Whether `make test-faults` runs, alone: faults last longer then, and the load is higher."""
WRITES_A_SECOND, READS_A_SECOND = (55, 220) if IS_LONG else (20, 80)
MOST_UNDER_WAY = 1_500
DRAIN_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: when it began, how long it took, and the kind of its failure, or ""."""

    began_at: float
    seconds: float
    is_write: bool
    failure: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load; instants are seconds of the monotonic clock."""

    fault: str
    sent: Sequence[Sent]
    verdict: Verdict
    watch: HealthWatch
    began_at: float
    fault_began_at: float
    fault_ended_at: float
    ended_at: float

    @property
    def failures(self) -> Counter[str]:
        """How many requests failed, by the kind of failure."""
        return Counter(one.failure for one in self.sent if one.failure)

    @property
    def longest_seconds(self) -> float:
        """The longest that any request waited for its answer."""
        return max(one.seconds for one in self.sent)

    @property
    def recovery_seconds(self) -> float:
        """How long after the end of the fault the last request began that failed."""
        failed = [one.began_at for one in self.sent if one.failure]
        return max([0.0, *(began_at - self.fault_ended_at for began_at in failed)])

    def refusal_seconds(self, *, after: float) -> float:
        """Return the median time of a 503 to a request so many seconds after the fault began."""
        since = self.fault_began_at + after
        known = [
            one.seconds
            for one in self.sent
            if one.failure == BUSY and since <= one.began_at < self.fault_ended_at
        ]
        return statistics.median(known) if known else 0.0

    def rate(self, *, is_write: bool) -> float:
        """Return how many requests a second were sent."""
        sent = sum(one.is_write == is_write for one in self.sent if one.began_at < self.ended_at)
        return sent / (self.ended_at - self.began_at)

    @property
    def row(self) -> str:
        """The row of the table: see `COLUMNS`."""
        failures = ", ".join(f"{count} x {kind}" for kind, count in self.failures.most_common())
        cells = (
            self.fault,
            f"{self.rate(is_write=True):.0f} w/s, {self.rate(is_write=False):.0f} r/s",
            len(self.sent),
            failures or "none",
            len(self.verdict.lost),
            len(self.verdict.doubled),
            f"{self.longest_seconds:.2f} s",
            f"{self.refusal_seconds(after=3) * 1000:.0f} ms",
            f"{self.recovery_seconds:.2f} s",
        )
        return " | ".join(map(str, cells))


COLUMNS = (
    "fault | load | requests | errors by kind | lost | doubled | longest | known 503 | recovery"
)


@dataclass
class Load:
    """Writes and reads on the gateways of some ports, from a thread with an event loop."""

    ports: Sequence[int]
    log: WriteLog
    writes_a_second: float = WRITES_A_SECOND
    reads_a_second: float = READS_A_SECOND
    _sent: list[Sent] = field(default_factory=list)
    _under_way: set["asyncio.Task[None]"] = field(default_factory=set)

    def __enter__(self) -> "Load":
        """Begin."""
        self.wire = Wire(self.ports)
        self._watch = HealthWatch(self.ports)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._began_at = self._ended_at = time.monotonic()
        self._fault_began_at = self._fault_ended_at = self._began_at
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Make no new requests, and have every write acknowledged."""
        self._ended_at = time.monotonic()
        self._stopping.set()
        self._thread.join()

    def hold(self, seconds: float) -> None:
        """Let it go on for a while."""
        time.sleep(seconds)

    def hold_until_refused(self, *, at_most: float = 60.0) -> None:
        """Let it go on until a request fails that began after the fault did, or so many seconds."""
        deadline = time.monotonic() + at_most
        while not self._is_felt() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _is_felt(self) -> bool:
        failed = (one.began_at for one in self._sent if one.failure)
        return any(began_at >= self._fault_began_at for began_at in failed)

    def begin_fault(self) -> None:
        """Note that something breaks now."""
        self._fault_began_at = time.monotonic()

    def end_fault(self) -> None:
        """Note that what broke is back."""
        self._fault_ended_at = time.monotonic()

    def outcome(self, fault: str, database_url: str) -> Outcome:
        """Return what came of it, and what is in the database now."""
        return Outcome(
            fault,
            self._sent,
            self.log.compare(database_url),
            self._watch,
            self._began_at,
            self._fault_began_at,
            self._fault_ended_at,
            self._ended_at,
        )

    async def _run(self) -> None:
        watching = asyncio.create_task(self._watch.run())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pace(self._write, self.writes_a_second))
            group.create_task(self._pace(self._read, self.reads_a_second))
        await self._drain()
        watching.cancel()
        self.wire.close()

    async def _pace(self, send: Callable[[], Awaitable[None]], rate: float) -> None:
        """Send so many requests a second, each when it is due."""
        due = time.monotonic()
        while not self._stopping.is_set():
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if len(self._under_way) < MOST_UNDER_WAY:
                task = asyncio.ensure_future(send())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _write(self) -> None:
        write, request = self.log.write(time.monotonic())
        answer = await self.wire.call(request)
        failure = self.log.settle(write, answer)
        self._sent.append(Sent(answer.began_at, answer.seconds, True, failure))

    async def _read(self) -> None:
        read = self.log.read()
        answer = await self.wire.call(read.request)
        failure = self.log.judge(read, answer)
        self._sent.append(Sent(answer.began_at, answer.seconds, False, failure))

    async def _drain(self) -> None:
        """Wait for what is under way, and send the writes that failed again."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while (self._under_way or self.log.pending) and time.monotonic() < deadline:
            now = time.monotonic()
            due = [each for each in self.log.pending if each.not_before <= now]
            async with asyncio.TaskGroup() as group:
                for _ in due[:50]:
                    group.create_task(self._write())
            await asyncio.sleep(0.05)
