"""Workers and gateways end under load: nothing is lost, and only dead connections fail."""

import os
import signal
from collections.abc import Callable

from support.fault_scene import Scene
from support.fault_wire import DIED

Record = Callable[[str, object], None]
KILLS = 5


def test_killed_workers_lose_nothing(scene: Scene, record_property: Record) -> None:
    with scene.load() as load:
        load.hold(1)
        load.begin_fault()
        for number in range(KILLS):
            gateway = scene.gateways[number % len(scene.gateways)]
            os.kill(gateway.worker_pids()[0], signal.SIGKILL)
            load.hold(1)
        load.end_fault()
        load.hold(4)
    outcome = load.outcome("workers killed each second", scene.postgres.url)
    record_property("fault", outcome.row)
    assert outcome.verdict.is_clean
    assert set(outcome.failures) <= {DIED}
    assert outcome.recovery_seconds <= 4
