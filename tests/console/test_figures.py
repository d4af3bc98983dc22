"""Rates, percentiles and shares from samples, the file that workers share, and the lines drawn."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from gateway.console.charts import HEIGHT, WIDTH, sparkline
from gateway.console.figures import cache_rows, dialect_rows, growth, quantile, totals
from gateway.observability.history import SAMPLES, STEP_SECONDS, History, Sample
from gateway.observability.metrics import Metrics


class Time:
    """A clock of seconds that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    """Give the clock of the history."""
    return Time()


def sample(
    at: float, *, ok: float, failed: float = 0, hits: float = 0, misses: float = 0
) -> Sample:
    """Return a sample of one dialect, whose requests all took between 10 and 20 ms."""
    total = ok + failed
    return Sample(
        at,
        {"deskera": {"200": ok, "500": failed}},
        {"deskera": {"0.01": 0.0, "0.02": total, "+Inf": total}},
        {"response": {"hit": hits, "miss": misses}},
    )


def test_rates_are_of_the_last_minute():
    samples = [sample(0, ok=0), sample(100, ok=1000), sample(130, ok=1000), sample(160, ok=1060)]
    (row,) = dialect_rows(samples)
    assert row.rate == 1.0
    assert row.rates == [10.0, 0.0, 2.0]
    assert row.statuses == [("200", 1060)]
    assert row.quantiles == pytest.approx((15.0, 19.5, 19.9))


def test_errors_are_counted_apart():
    found = totals([sample(0, ok=5, failed=1), sample(10, ok=15, failed=6)])
    assert found.error_count == 5
    assert found.errors == [0.5]
    assert found.rates == [1.5]
    assert found.quantiles == pytest.approx([19.5])


def test_idle_dialects_have_no_row():
    assert dialect_rows([sample(0, ok=5), sample(10, ok=5)]) == []


@pytest.mark.parametrize(
    ("buckets", "share", "milliseconds"),
    [
        ({}, 0.5, None),
        ({"0.01": 0, "+Inf": 0}, 0.5, None),
        ({"0.01": 10, "+Inf": 10}, 0.5, 5.0),
        ({"0.01": 50, "0.02": 100, "+Inf": 100}, 0.95, 19.0),
        ({"0.01": 50, "+Inf": 100}, 0.95, 10.0),
    ],
)
def test_percentiles_are_interpolated(
    buckets: dict[str, float], share: float, milliseconds: float | None
):
    assert quantile(buckets, share) == pytest.approx(milliseconds)


def test_counters_that_fell_began_anew():
    assert growth({"200": 90, "404": 5}, {"200": 10, "404": 7, "500": 1}) == {
        "200": 10,
        "404": 2,
        "500": 1,
    }


def test_share_of_hits_has_gaps():
    samples = [sample(at, ok=0, hits=hits, misses=1) for at, hits in ((0, 0), (5, 0), (10, 3))]
    (row,) = cache_rows([*samples, sample(15, ok=0, hits=3, misses=2)])
    assert (row.share, row.hits, row.lookups) == (0.75, 3, 4)
    assert row.shares == [None, 1.0, 0.0]


def test_lines_stay_within_their_chart():
    drawn = ElementTree.fromstring(sparkline([0, 5, None, 2, None, 9], 'the "rate" & more'))
    assert drawn.get("aria-label") == 'the "rate" & more'
    lines = [each.get("points", "") for each in drawn.iter("polyline")]
    assert len(lines) == 3
    places = [tuple(map(float, place.split(","))) for line in lines for place in line.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_empty_lines_are_drawn_too():
    for values in ([], [None], [0.0]):
        assert ElementTree.fromstring(sparkline(values, "nothing")).get("role") == "img"


def test_workers_take_one_sample_together(tmp_path: Path, time: Time):
    metrics = Metrics(tmp_path)
    workers = [History(metrics, now=time) for _ in range(2)]
    for worker in workers:
        assert [each.at for each in worker.samples()] == [1000.0]
    time.now += STEP_SECONDS
    assert [len(worker.samples()) for worker in workers] == [2, 2]
    assert (tmp_path / "history.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("is_shared", [True, False])
def test_history_is_bounded(tmp_path: Path, time: Time, is_shared: bool):
    metrics = Metrics(tmp_path if is_shared else None)
    history = History(metrics, now=time)
    for _ in range(SAMPLES + 10):
        time.now += STEP_SECONDS
        found = history.samples()
    assert len(found) == SAMPLES
    assert found[-1].at == time.now


def test_samples_hold_what_metrics_say(make_app: Callable[..., Flask], time: Time):
    app = make_app(console=True)
    app.test_client().get("/version")
    (found,) = History(app.extensions["metrics"], now=time).samples()
    assert found.requests == {"ops": {"200": 1.0}}
    assert found.buckets["ops"]["+Inf"] == 1.0
    assert set(found.lookups) == {"response", "entities", "redis", "totals"}
    assert found.levels["workers"] == 1
    assert "pool_connections open" in found.levels
