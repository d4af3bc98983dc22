"""History: the metrics of the last ten minutes, one sample each five seconds.

Whichever worker is the first to find that a sample is due takes it, of all workers, and leaves it
in a file that all of them read: together they take one sample at a time, however many they are.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread

import orjson
from prometheus_client import Metric
from prometheus_client.samples import Sample as Number

from gateway.observability.families import PREFIX
from gateway.observability.metrics import Metrics

STEP_SECONDS = 5.0
SAMPLES = 120
FILE, LOCK = "history.json", "history.lock"

Counts = dict[str, float]


@dataclass(slots=True)
class Sample:
    """What the counters and levels were at one moment, in seconds since 1970.

    `requests` are by dialect and status, `buckets` the latency's by dialect and upper bound in
    seconds, `lookups` by layer of cache and result; all of them counted from the start.
    """

    at: float
    requests: dict[str, Counts] = field(default_factory=dict)
    buckets: dict[str, Counts] = field(default_factory=dict)
    lookups: dict[str, Counts] = field(default_factory=dict)
    levels: Counts = field(default_factory=dict)


class History:
    """Takes samples when they are due, and tells the last ones."""

    def __init__(self, metrics: Metrics, *, now: Callable[[], float] = time.time) -> None:
        """Take none yet."""
        self._metrics = metrics
        self._now = now
        self._directory = metrics.directory
        self._own: list[Sample] = []
        self._lock = Lock()

    def begin_sampling(self) -> None:
        """Take samples from now on, in a thread that lives as long as the process."""
        Thread(target=self._keep_sampling, name="metrics history", daemon=True).start()

    def _keep_sampling(self) -> None:
        while True:
            with suppress(OSError):  # The files go when the master ends.
                self.samples()
            time.sleep(STEP_SECONDS / 2)

    def samples(self) -> list[Sample]:
        """Return the samples of the last minutes, oldest first; one is taken now if it is due."""
        known = self._read()
        if self._is_due(known):
            with self._locked() as is_mine:
                known = self._read()
                if is_mine and self._is_due(known):
                    known = [*known, sample_of(self._metrics.families(), self._now())][-SAMPLES:]
                    self._write(known)
        return known

    def _is_due(self, known: list[Sample]) -> bool:
        return not known or abs(self._now() - known[-1].at) >= STEP_SECONDS

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Tell whether nobody else takes a sample now."""
        if self._directory is None:
            with self._lock:
                yield True
            return
        descriptor = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _lock_at_once(descriptor)
        finally:
            os.close(descriptor)

    def _read(self) -> list[Sample]:
        if self._directory is None:
            return self._own
        try:
            return [Sample(**each) for each in orjson.loads((self._directory / FILE).read_bytes())]
        except FileNotFoundError:
            return []

    def _write(self, samples: list[Sample]) -> None:
        if self._directory is None:
            self._own = samples
            return
        _replace(self._directory / FILE, orjson.dumps(samples))


def _lock_at_once(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another, so that readers see one of the two whole."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(content)
    unfinished.chmod(0o600)
    unfinished.replace(path)


def sample_of(families: list[Metric], at: float) -> Sample:
    """Return the sample of metrics as they are now."""
    sample = Sample(at)
    for family in families:
        for number in family.samples:
            _add(sample, number)
    return sample


def _add(sample: Sample, number: Number) -> None:
    labels, value = number.labels, number.value
    match number.name.removeprefix(PREFIX):
        case "requests_total":
            _count(sample.requests, labels["dialect"], labels["status"], value)
        case "request_seconds_bucket":
            _count(sample.buckets, labels["dialect"], labels["le"], value)
        case "cache_lookups_total":
            _count(sample.lookups, labels["layer"], labels["result"], value)
        case name if not name.endswith(("_total", "_bucket", "_count", "_sum", "_created")):
            sample.levels[" ".join((name, *labels.values()))] = value


def _count(groups: dict[str, Counts], group: str, name: str, value: float) -> None:
    counts = groups.setdefault(group, {})
    counts[name] = counts.get(name, 0) + value
