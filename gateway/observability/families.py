"""What the numbers of the workers are called in Prometheus, and how they become its metrics.

The core's counters come first, then the gateway's own counters, then levels: what is true now,
summed over the workers that live, or the largest of them.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from core.domain import counters as core
from gateway.observability import places
from gateway.observability.worker_files import Numbers

Combine = Callable[[Iterable[int]], int]


class Series(NamedTuple):
    """One number: its metric without the prefix, its help, its labels and where it stands."""

    metric: str
    help: str
    place: int
    labels: Mapping[str, str] = {}
    unit: float = 1
    combine: Combine = sum


def _labelled(metric: str, text: str, label: str, places: Mapping[str, int]) -> list[Series]:
    return [Series(metric, text, place, {label: name}) for name, place in places.items()]


def _lookups() -> list[Series]:
    layers = {
        ("response", "hit"): core.RESPONSE_HITS,
        ("response", "miss"): core.RESPONSE_MISSES,
        ("response", "stale"): core.RESPONSE_STALE,
        ("entities", "hit"): core.ENTITY_HITS,
        ("entities", "miss"): core.ENTITY_MISSES,
        ("redis", "hit"): core.REDIS_HITS,
        ("redis", "miss"): core.REDIS_MISSES,
        ("totals", "hit"): core.COUNT_HITS,
        ("totals", "miss"): core.COUNT_MISSES,
    }
    text = "Look-ups of a cache: of whole responses, of entities in memory or Redis, of totals."
    return [
        Series("cache_lookups", text, place, {"layer": layer, "result": result})
        for (layer, result), place in layers.items()
    ]


SERIES: Sequence[Series] = (
    *_labelled(
        "statements",
        "SQL statements sent, by the pool that they went through.",
        "pool",
        {"read": core.READ_STATEMENTS, "transaction": core.TRANSACTION_STATEMENTS},
    ),
    Series(
        "database_failures",
        "Statements and transactions that the database did not carry out.",
        core.DATABASE_FAILURES,
    ),
    Series("pool_waits", "Reads that had to wait for a connection.", core.POOL_WAITS),
    Series(
        "pool_wait_seconds",
        "Seconds that reads waited for a connection.",
        core.POOL_WAIT_MICROSECONDS,
        unit=1e-6,
    ),
    Series("pool_timeouts", "Requests that got no connection in time.", core.POOL_TIMEOUTS),
    *_labelled(
        "replica_reads",
        "Reads tried on a replica; stale and failed ones were answered by the primary.",
        "result",
        {
            "fresh": core.REPLICA_READS,
            "stale": core.REPLICA_STALE,
            "failed": core.REPLICA_FAILURES,
        },
    ),
    *_lookups(),
    Series("redis_failures", "Calls that Redis did not answer in time.", core.REDIS_FAILURES),
    Series(
        "directory_refreshes",
        "Times that a worker read what changed in a tenant's directory.",
        core.SNAPSHOT_REFRESHES,
    ),
    Series(
        "imported_records",
        "Records written through /directory and the console.",
        core.IMPORTED_RECORDS,
    ),
    Series(
        "log_lines_dropped", "Log lines dropped because nobody read them.", places.LOG_LINES_DROPPED
    ),
    Series("connections_opened", "Connections of clients accepted.", places.CONNECTIONS_OPENED),
    *_labelled(
        "connections_closed",
        "Connections closed without an answer: silent, unread or without TLS, or to make room.",
        "reason",
        {
            "silent": places.CLOSED_SILENT,
            "unread": places.CLOSED_UNREAD,
            "full": places.CLOSED_FULL,
            "memory": places.CLOSED_MEMORY,
            "tls": places.CLOSED_TLS,
        },
    ),
    Series(
        "requests_refused",
        "Requests that the server itself refused: malformed, too long or too slow.",
        places.REQUESTS_REFUSED,
    ),
    Series(
        "requests_shed", "Requests answered 503 because the queue was full.", places.REQUESTS_SHED
    ),
    Series("requests_in_flight", "Requests being answered now.", places.REQUESTS_IN_FLIGHT),
    *_labelled(
        "connections",
        "Connections of clients open now, by what they do.",
        "state",
        {
            "idle": places.CONNECTIONS_IDLE,
            "reading": places.CONNECTIONS_READING,
            "waiting": places.CONNECTIONS_WAITING,
            "writing": places.CONNECTIONS_WRITING,
        },
    ),
    *_labelled(
        "pool_connections",
        "Connections to the database, open and of these in use.",
        "state",
        {"open": places.POOL_OPEN, "in_use": places.POOL_IN_USE},
    ),
    Series(
        "cache_bytes", "Bytes that a cache holds.", places.RESPONSE_BYTES, {"layer": "response"}
    ),
    *_labelled(
        "cache_entries",
        "Entries that a cache holds.",
        "layer",
        {
            "response": places.RESPONSE_ENTRIES,
            "entities": places.ENTITY_ENTRIES,
            "totals": places.COUNT_ENTRIES,
        },
    ),
    Series(
        "directory_check_age_seconds",
        "Seconds since a read last compared its directory version, of the idlest worker.",
        places.CHECK_AGE_MILLISECONDS,
        unit=1e-3,
        combine=max,
    ),
)
LAYOUT = f"{zlib.crc32(repr(SERIES).encode()):08x}"
PREFIX = "crm_gateway_"


class NumbersCollector(Collector):
    """Turns the numbers of all workers into metrics, when Prometheus asks."""

    def __init__(self, numbers: Numbers) -> None:
        """Collect these."""
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """Give every metric with all its series."""
        workers = self._numbers.of_workers()
        archived = self._numbers.archived()
        for metric, group in groupby(SERIES, key=lambda series: series.metric):
            yield _family(metric, list(group), workers, archived)
        yield GaugeMetricFamily(f"{PREFIX}workers", "Worker processes.", value=len(workers))


def _family(
    metric: str, group: list[Series], workers: list[Sequence[int]], archived: Sequence[int]
) -> Metric:
    first = group[0]
    make = CounterMetricFamily if first.place < places.COUNTERS else GaugeMetricFamily
    family = make(f"{PREFIX}{metric}", first.help, labels=list(first.labels))
    for series in group:
        place = series.place
        alive = series.combine([numbers[place] for numbers in workers] or [0])
        value = (alive + archived[place]) * series.unit
        family.add_metric(list(series.labels.values()), value)
    return family
