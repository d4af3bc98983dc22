"""Figures: what the samples of the metrics say, as rates, percentiles and shares."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from gateway.observability.history import Counts, Sample

RATE_SECONDS = 60.0
"""Rates and percentiles that are "now" are those of so many seconds."""

QUANTILES = (0.5, 0.95, 0.99)
NAMES = {
    "": "no route",
    "achieveapex": "AchieveApex",
    "console": "console",
    "deskera": "Deskera",
    "directory": "directory",
    "docs": "pages",
    "ops": "probes",
}
SERVER_ERRORS = "5"


class DialectRow(NamedTuple):
    """The requests of one dialect: each second now, by status in all samples, and over time.

    `quantiles` are milliseconds of the requests of the last minute, by `QUANTILES`, or None each
    where there were none.
    """

    name: str
    rate: float
    statuses: list[tuple[str, int]]
    quantiles: tuple[float | None, ...]
    rates: list[float]


class CacheRow(NamedTuple):
    """One layer of the caches: its share of hits, of all look-ups that the samples saw."""

    name: str
    share: float | None
    hits: int
    lookups: int
    shares: list[float | None]


class Totals(NamedTuple):
    """All requests together: each second, failed ones, and the 95th percentile in milliseconds."""

    rates: list[float]
    errors: list[float]
    quantiles: list[float | None]
    error_count: int


def dialect_rows(samples: Sequence[Sample]) -> list[DialectRow]:
    """Return a row for each dialect that had requests, by name."""
    names = sorted({name for sample in samples for name in sample.requests})
    rows = [_dialect_row(samples, name) for name in names]
    return [row for row in rows if row.statuses]


def _dialect_row(samples: Sequence[Sample], name: str) -> DialectRow:
    def requests(sample: Sample) -> Counts:
        return sample.requests.get(name, {})

    recent = _recent(samples)
    grown = growth(requests(samples[0]), requests(samples[-1]))
    statuses = [(status, round(count)) for status, count in sorted(grown.items()) if count]
    buckets = growth(recent[0].buckets.get(name, {}), recent[-1].buckets.get(name, {}))
    return DialectRow(
        NAMES.get(name, name),
        _rate(recent[0], recent[-1], requests),
        statuses,
        tuple(quantile(buckets, share) for share in QUANTILES),
        [_rate(one, other, requests) for one, other in pairwise(samples)],
    )


def cache_rows(samples: Sequence[Sample]) -> list[CacheRow]:
    """Return a row for each layer of the caches."""
    return [_cache_row(samples, layer) for layer in samples[-1].lookups]


def _cache_row(samples: Sequence[Sample], layer: str) -> CacheRow:
    def lookups(one: Sample, other: Sample) -> Counts:
        return growth(one.lookups.get(layer, {}), other.lookups.get(layer, {}))

    grown = lookups(samples[0], samples[-1])
    return CacheRow(
        layer,
        _share(grown),
        round(grown.get("hit", 0)),
        round(sum(grown.values())),
        [_share(lookups(one, other)) for one, other in pairwise(samples)],
    )


def _share(lookups: Counts) -> float | None:
    total = sum(lookups.values())
    return lookups.get("hit", 0) / total if total else None


def totals(samples: Sequence[Sample]) -> Totals:
    """Return the course of all requests together."""
    pairs = list(pairwise(samples))
    first, last = _errors(samples[0]), _errors(samples[-1])
    return Totals(
        [_rate(one, other, _all_requests) for one, other in pairs],
        [_rate(one, other, _errors) for one, other in pairs],
        [quantile(growth(_all_buckets(one), _all_buckets(other)), 0.95) for one, other in pairs],
        round(sum(growth(first, last).values())),
    )


def _all_requests(sample: Sample) -> Counts:
    return _together(sample.requests)


def _all_buckets(sample: Sample) -> Counts:
    return _together(sample.buckets)


def _together(groups: Mapping[str, Counts]) -> Counts:
    summed: Counts = {}
    for counts in groups.values():
        for name, count in counts.items():
            summed[name] = summed.get(name, 0) + count
    return summed


def _errors(sample: Sample) -> Counts:
    every = _all_requests(sample)
    return {name: count for name, count in every.items() if name.startswith(SERVER_ERRORS)}


def _recent(samples: Sequence[Sample]) -> Sequence[Sample]:
    since = samples[-1].at - RATE_SECONDS
    return [sample for sample in samples if sample.at >= since] or samples[-1:]


def _rate(one: Sample, other: Sample, read: Callable[[Sample], Counts]) -> float:
    seconds = other.at - one.at
    return sum(growth(read(one), read(other)).values()) / seconds if seconds > 0 else 0.0


def growth(before: Counts, after: Counts) -> Counts:
    """Return how much each counter grew; one that fell has begun anew, and is taken whole."""
    return {
        name: count - before.get(name, 0) if count >= before.get(name, 0) else count
        for name, count in after.items()
    }


def quantile(buckets: Counts, share: float) -> float | None:
    """Return the milliseconds within which this share of requests was answered, or None.

    Interpolated within a bucket, as Prometheus does; beyond the last bound it is that bound.
    """
    bounds = sorted((float(bound), count) for bound, count in buckets.items())
    wanted = share * bounds[-1][1] if bounds else 0
    if not wanted:
        return None
    lower, below = 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted:
            inside = (wanted - below) / (count - below)
            seconds = lower if bound == float("inf") else lower + (bound - lower) * inside
            return seconds * 1000
        lower, below = bound, count
    return lower * 1000
