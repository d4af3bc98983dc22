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

from deploy.bench.asks import Asks
from deploy.bench.servers import Server

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


def write_asks(asks: Asks, path: Path) -> Path:
    """Write requests as both tools read them."""
    lines = [*asks.tokens, *(f"{number} {target}" for number, target in asks.paths)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(
    server: Server, asks: Path, *, seconds: float, seed: int, connections: int = CONNECTIONS
) -> Sample:
    """Ask a server at random for this long."""
    command = _command(server.port, asks, seconds=seconds, seed=seed, connections=connections)
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


def middle(samples: Sequence[Sample]) -> Sample:
    """Return the median of each number over the rounds; errors are added up."""
    numbers = Sample(*(median(column) for column in zip(*samples, strict=True)))
    return numbers._replace(errors=sum(sample.errors for sample in samples))


def _command(
    port: int, asks: Path, *, seconds: float, seed: int, connections: int
) -> Sequence[str]:
    if tool() == "wrk":
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--timeout", "30"]
        script = ["-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{port}"]
        return ["wrk", *options, *script, "--", str(asks), str(seed)]
    numbers = [str(port), str(connections), str(seconds), str(seed)]
    return [sys.executable, "-m", "deploy.bench.client", str(asks), *numbers]


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
