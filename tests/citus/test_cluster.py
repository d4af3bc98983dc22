"""The behaviour of the service on a cluster of this run's own.

`make test-citus` runs the whole behaviour suite on a cluster that is there; this is the part of it
that every run has the time for, where a cluster can be had.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.citus import CLUSTER_URL
from support.own_servers import files_parent

ROOT = Path(__file__).parents[2]
CLUSTER_PROGRAM = "CRM_CITUS_CLUSTER"
"""The variable with the path of a program: `up DIRECTORY PORT` starts a cluster of three nodes."""
PORTS = range(20_000, 30_000, 10)
NODES = 3
LIMIT_SECONDS = 300
SUITE = """
    tests/citus
    tests/dialects/test_one_record_two_views.py
    tests/dialects/test_spanning_credentials.py
    tests/storage/test_statements.py
    tests/transfer/test_transfer.py
    tests/use_cases
""".split()


def free_ports() -> int:
    """Return the first of as many ports as there are nodes, all free a moment ago."""
    return next(first for first in PORTS if all(map(is_free, range(first, first + NODES))))


def is_free(port: int) -> bool:
    """Return whether a port of the loopback interface can be listened on."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def cluster_url() -> Iterator[str]:
    """Give the coordinator's URL of a new cluster."""
    program = os.environ.get(CLUSTER_PROGRAM)
    if not program:
        pytest.skip(f"{CLUSTER_PROGRAM} names no program that starts a Citus cluster")
    if os.geteuid() != 0:
        pytest.skip(f"{CLUSTER_PROGRAM} starts its servers as root")
    directory = Path(tempfile.mkdtemp(prefix="crm-citus-", dir=files_parent()))
    directory.chmod(0o755)
    try:
        printed = run([program, "up", str(directory), str(free_ports())])
        yield printed.rpartition("DATABASE_URL=")[2].strip()
    finally:
        run([program, "down", str(directory)])
        shutil.rmtree(directory, ignore_errors=True)


def run(command: list[str], **environ: str) -> str:
    """Return what a command prints; it must succeed."""
    inherited = {name: text for name, text in os.environ.items() if "PYTEST" not in name}
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | environ,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-20_000:] + finished.stderr[-5_000:]
    return finished.stdout


def test_behaviour_suite_passes_on_a_cluster(cluster_url: str):
    words = ["-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *SUITE]
    environ = {CLUSTER_URL: cluster_url, "HYPOTHESIS_PROFILE": "short"}
    told = run([sys.executable, *words], **environ)
    assert "one shard each" in told
    print(told[-500:])
