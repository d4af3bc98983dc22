"""Workers and gateways end under load: nothing is lost, and only dead connections fail."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fault_load import IS_LONG, Load, Outcome
from support.fault_scene import Scene
from support.fault_wire import DIED
from support.gateway_process import Gateway, end, running
from support.health_watch import LIVE
from support.port_forwarder import PortForwarder

Record = Callable[[str, object], None]
ROUNDS = 15 if IS_LONG else 4


def assert_only_dead_connections_fail(outcome: Outcome) -> None:
    assert outcome.verdict.is_clean
    assert set(outcome.failures) <= {DIED}
    assert outcome.recovery_seconds <= 3


def assert_live_throughout(outcome: Outcome) -> None:
    live = outcome.watch.statuses(LIVE, since=outcome.began_at, until=outcome.ended_at)
    assert set(live) == {200}


def test_killed_workers_lose_nothing(shared_scene: Scene, record_property: Record) -> None:
    with shared_scene.load() as load:
        load.begin_fault()
        for number in range(ROUNDS):
            load.hold(1)
            gateway = shared_scene.gateways[number % len(shared_scene.gateways)]
            os.kill(gateway.worker_pids()[0], signal.SIGKILL)
        load.end_fault()
        load.hold(3.5)
    outcome = load.outcome("workers killed each second", shared_scene.postgres.url)
    record_property("fault", outcome.row)
    assert_only_dead_connections_fail(outcome)


def test_reloads_lose_nothing(shared_scene: Scene, record_property: Record) -> None:
    with shared_scene.load() as load:
        load.begin_fault()
        for gateway in shared_scene.gateways:
            load.hold(1)
            gateway.master.send_signal(signal.SIGHUP)
        load.hold(3 * ROUNDS / 4)
        load.end_fault()
        load.hold(1)
    outcome = load.outcome("SIGHUP of both gateways", shared_scene.postgres.url)
    record_property("fault", outcome.row)
    assert_only_dead_connections_fail(outcome)
    assert_live_throughout(outcome)


@pytest.fixture
def next_generation(shared_scene: Scene, tmp_path: Path) -> Iterator[list[Gateway]]:
    """Give two gateways that take the place of the scene's own."""
    with (
        running(shared_scene.environ, log=tmp_path / "new0", workers=1) as one,
        running(shared_scene.environ, log=tmp_path / "new1", workers=1) as other,
    ):
        yield [one, other]


def test_rolled_gateways_lose_nothing(
    shared_scene: Scene, next_generation: list[Gateway], record_property: Record
) -> None:
    """Both generations serve behind one port, until the last old gateway has ended."""
    with (
        PortForwarder([gateway.port for gateway in shared_scene.gateways]) as proxy,
        Load([proxy.port], shared_scene.log) as load,
    ):
        load.hold(1)
        load.begin_fault()
        for number, (old, new) in enumerate(
            zip(shared_scene.gateways, next_generation, strict=True)
        ):
            proxy.targets[number] = new.port
            load.hold(1)
            end(old.master)
        load.end_fault()
        load.hold(2)
    outcome = load.outcome("rolled to new gateways", shared_scene.postgres.url)
    record_property("fault", outcome.row)
    assert_only_dead_connections_fail(outcome)
    assert_live_throughout(outcome)
