"""Prometheus metrics: requests and their latency, right with any number of workers.

Under gunicorn every worker keeps its numbers in files of one directory, and whichever worker is
asked adds them up. What workers that ended left goes into an archive, so that totals never fall
and files do not pile up.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LOCK = "lock"


class Metrics:
    """The numbers of one application. `directory` is what its workers share, if there are any."""

    def __init__(self, directory: Path | None = None) -> None:
        """Begin to count."""
        self._directory = directory
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
        self._bound: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}

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

    def exposition(self) -> bytes:
        """Return all numbers of all workers in Prometheus' text format."""
        if self._directory is None:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone, path=str(self._directory))
        with _locked(self._directory):
            _archive(self._directory)
            return generate_latest(everyone)


def _archive(directory: Path) -> None:
    """Add the numbers of workers that ended to the archive, and remove their files."""
    for file in directory.glob("*.db"):
        kind, _, pid = file.stem.partition("_")
        if pid.isdigit() and not _lives(int(pid)):
            _add(file, to=directory / f"{kind}_archive.db")
            file.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # Another account's has the number by now.
        return False
    return True


def _add(left: Path, *, to: Path) -> None:
    total = MmapedDict(str(to))
    # A worker that was killed while it made its file leaves one that cannot be read to the end.
    with suppress(RuntimeError, struct.error):
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(left)):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
    total.close()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
