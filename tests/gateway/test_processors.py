"""Each worker keeps to a processor of its own, where there are as many of both."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.gateway_process import running

from gateway.processors import ALL, CAN_PIN, Allotment, pin, unpinned

BOOT_SECONDS = 20
MOST_WORKERS = 4

only_where_pinned = pytest.mark.skipif(not CAN_PIN, reason="only Linux pins processes")
only_few = pytest.mark.skipif(len(ALL) > MOST_WORKERS, reason="too many workers for a test")


def test_each_worker_has_one_of_its_own():
    allotment = Allotment({0, 2, 5})
    assert [allotment.allot(age, workers=3) for age in (1, 2, 3)] == [0, 2, 5]


def test_worker_that_ended_leaves_its_processor_to_the_next():
    allotment = Allotment({0, 1, 2})
    for age in (1, 2, 3):
        allotment.allot(age, workers=3)
    allotment.release(2)
    assert allotment.allot(4, workers=3) == 1


def test_old_and_new_workers_of_a_reload_share_evenly():
    allotment = Allotment({0, 1})
    for age in (1, 2):
        allotment.allot(age, workers=2)
    assert [allotment.allot(age, workers=2) for age in (3, 4)] == [0, 1]


@pytest.mark.parametrize("workers", [1, 3])
def test_nobody_is_pinned_where_numbers_differ(workers: int):
    assert Allotment({0, 1}).allot(1, workers=workers) is None


def test_nobody_is_pinned_where_that_is_off():
    allotment = Allotment({0, 1})
    allotment.close()
    assert allotment.allot(1, workers=2) is None


@only_where_pinned
def test_children_may_use_all_processors():
    seen: list[object] = []

    def start_from_a_pinned_thread() -> None:
        pin(min(ALL))
        tell = "import os; print(sorted(os.sched_getaffinity(0)))"
        with unpinned():
            seen.append(subprocess.check_output([sys.executable, "-c", tell], text=True))
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=start_from_a_pinned_thread)
    thread.start()
    thread.join()
    assert seen == [f"{sorted(ALL)}\n", {min(ALL)}]


def processors_of(pid: int) -> set[frozenset[int]]:
    """Return where the threads of a process may run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {frozenset(os.sched_getaffinity(int(task.name))) for task in tasks}


def have_one_each(pids: list[int]) -> bool:
    """Return whether each worker has a processor, all of its threads have it, and all are taken."""
    found = [processors_of(pid) for pid in pids]
    return sorted(found, key=str) == sorted(({frozenset({one})} for one in ALL), key=str)


@only_where_pinned
@only_few
def test_workers_keep_apart_and_so_do_their_successors(
    database_url: str, redis_url: str, tmp_path: Path
):
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with running(environ, log=tmp_path / "log", workers=len(ALL)) as gateway:
        pids = gateway.worker_pids()
        assert have_one_each(pids)
        os.kill(pids[0], signal.SIGKILL)
        deadline = time.monotonic() + BOOT_SECONDS
        while pids[0] in (now := gateway.worker_pids()) or not have_one_each(now):
            assert time.monotonic() < deadline, "its successor did not take its processor"
            time.sleep(0.1)


@only_where_pinned
@only_few
def test_service_leaves_its_workers_to_the_kernel_where_told(
    database_url: str, redis_url: str, tmp_path: Path
):
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "GATEWAY_PIN_WORKERS": "no"}
    with running(environ, log=tmp_path / "log", workers=len(ALL)) as gateway:
        assert all(processors_of(pid) == {frozenset(ALL)} for pid in gateway.worker_pids())
