"""Load on one server: wrk where it is installed, else the client beside this file."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from deploy.bench.servers import Server
from deploy.bench.workload import Workload

HERE = Path(__file__).parent
CONNECTIONS = 16
SLOWEST_SECONDS = 60


class Sample(NamedTuple):
    """One round on one server. CPU is of the server's processes alone, not of the database."""

    rps: float
    p50_ms: float
    p99_ms: float
    errors: float
    cpu_us: float
    client_share: float
    """Part of one core that the load tool took."""


def tool() -> str:
    """Return the name of the load tool that is used on this machine."""
    return "wrk" if shutil.which("wrk") else "deploy/bench/client.py"


def write_workload(workload: Workload, path: Path) -> Path:
    """Write requests as both tools read them."""
    lines = [*workload.tokens, *(f"{number} {target}" for number, target in workload.paths)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(
    server: Server,
    file: Path,
    *,
    seconds: float,
    seed: int,
    connections: int = CONNECTIONS,
) -> Sample:
    """Send random requests of a workload file to a server for this many seconds."""
    command = _command(server.port, file, seconds=seconds, seed=seed, connections=connections)
    cpu_before, client_before = server.cpu_seconds(), _children_cpu_seconds()
    finished = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=seconds + SLOWEST_SECONDS
    )
    cpu = server.cpu_seconds() - cpu_before
    client = _children_cpu_seconds() - client_before
    result = json.loads(finished.stdout.splitlines()[-1])
    answered = max(1, result["requests"])
    return Sample(
        rps=result["requests"] / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        errors=result["errors"],
        cpu_us=cpu / answered * 1e6,
        client_share=client / result["seconds"],
    )


def median_of(samples: Sequence[Sample]) -> Sample:
    """Return the median of each number over the rounds; errors are added up."""
    numbers = Sample(*(median(column) for column in zip(*samples, strict=True)))
    return numbers._replace(errors=sum(sample.errors for sample in samples))


def _command(
    port: int, file: Path, *, seconds: float, seed: int, connections: int
) -> Sequence[str]:
    if tool() == "wrk":
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--timeout", "30"]
        script = ["-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{port}"]
        return ["wrk", *options, *script, "--", str(file), str(seed)]
    numbers = [str(port), str(connections), str(seconds), str(seed)]
    return [sys.executable, "-m", "deploy.bench.client", str(file), *numbers]


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
