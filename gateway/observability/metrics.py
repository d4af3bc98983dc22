"""Prometheus metrics, right with any number of workers.

Requests, their latency and rare events are counted by prometheus_client; what the hot path counts
several times a request are plain numbers in shared memory (see `worker_files`). Both are in a file
as soon as they are counted: a worker that is killed takes nothing along.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from core.domain.counters import Counters
from gateway.observability import families, places
from gateway.observability.families import NumbersCollector
from gateway.observability.worker_files import Numbers, archive_database_files, locked

BUCKETS_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SAMPLE_SECONDS = 1.0


class Metrics:
    """The numbers of one application. `directory` is what its workers share, if there are any."""

    def __init__(self, directory: Path | None = None, *, build: Mapping[str, str] = {}) -> None:
        """Begin to count; `build` is shown as labels of `crm_gateway_build_info`."""
        self._directory = directory
        self._build = build
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "crm_gateway_requests",
            "Requests answered.",
            ("dialect", "route", "method", "status"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "crm_gateway_request_seconds",
            "Seconds from the first hook to the answer.",
            ("dialect", "route", "method"),
            buckets=BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._credential_failures = Counter(
            "crm_gateway_credential_failures",
            "Requests refused because of their credential.",
            ("reason",),
            registry=self._registry,
        )
        self._bound: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}
        self._numbers = Numbers(
            directory, counters=places.COUNTERS, size=places.SIZE, layout=families.LAYOUT
        )
        self._samples: list[tuple[int, Callable[[], int]]] = []

    @property
    def directory(self) -> Path | None:
        """What the workers share, if there are any."""
        return self._directory

    @property
    def counters(self) -> Counters:
        """The numbers of this worker: the core's counters, then those of `places`."""
        return self._numbers.own

    def count(self, dialect: str, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (dialect, route, method, status)
        bound = self._bound.get(key)
        if bound is None:
            # A client can invent methods; there must not be a series for each.
            known = method if method in METHODS else "other"
            bound = self._bound[(dialect, route, known, status)] = (
                self._requests.labels(dialect, route, known, status),
                self._latency.labels(dialect, route, known),
            )
        requests, latency = bound
        requests.inc()
        latency.observe(seconds)

    def count_credential_failure(self, reason: str) -> None:
        """Count a request refused because of its credential; `reason` is one of a few words."""
        self._credential_failures.labels(reason).inc()

    def sample(self, place: int, read: Callable[[], int]) -> None:
        """Have a level read when this worker is asked, and each second for the others."""
        self._samples.append((place, read))

    def begin_sampling(self) -> None:
        """Keep the levels that other workers show of this one no older than a second."""
        Thread(target=self._keep_sampling, name="metrics samples", daemon=True).start()

    def _keep_sampling(self) -> None:
        while True:
            time.sleep(SAMPLE_SECONDS)
            self._take_samples()

    def _take_samples(self) -> None:
        for place, read in self._samples:
            self._numbers.own[place] = read()

    def exposition(self, *collectors: Collector) -> bytes:
        """Return all numbers of all workers in Prometheus' text format, and what others collect."""
        with self._registered(collectors) as everything:
            return generate_latest(everything)

    def families(self) -> list[Metric]:
        """Return all numbers of all workers."""
        with self._registered(()) as everything:
            return list(everything.collect())

    @contextmanager
    def _registered(self, collectors: Iterable[Collector]) -> Iterator[CollectorRegistry]:
        """Give a registry of everything; no number moves into the archive while it is read."""
        self._take_samples()
        everything = CollectorRegistry()
        everything.register(NumbersCollector(self._numbers))
        everything.register(_Build(self._build))
        for collector in collectors:
            everything.register(collector)
        if self._directory is None:
            everything.register(self._registry)
            yield everything
            return
        MultiProcessCollector(everything, path=str(self._directory))
        with locked(self._directory):
            archive_database_files(self._directory)
            self._numbers.archive()
            yield everything


class _Build(Collector):
    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "crm_gateway_build_info", "What runs; always 1.", labels=list(self._labels)
        )
        family.add_metric(list(self._labels.values()), 1)
        return [family]
