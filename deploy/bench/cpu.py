"""CPU of one page request inside one process, without any server: the steadiest figure there is.

`python -m deploy.bench.cpu ours|usual ROUNDS` prints the microseconds of process time that one
request takes: the WSGI application is called on random pages; the environment says the rest.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from io import BytesIO
from statistics import median
from typing import Any

from deploy.bench import peers
from deploy.bench.bench import Bench
from deploy.bench.workload import Workload, deskera_pages

WARM_REQUESTS = 400
TENANTS = "BENCH_TENANTS"
REQUESTS = {"ours": 2000, "usual": 150}
TIMEOUT_SECONDS = 120
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def measure(bench: Bench) -> None:
    """Measure both cachings of ours, and the yardstick, each in a process of its own."""
    url = bench.database()
    builds = {
        build: ("ours", peers.environ_of(build, database_url=url, redis_url=bench.redis_url))
        for build in ("uncached", "no-records", "no-caches")
    }
    usual = {"DATABASE_URL": url, "JWT_SECRET": builds["uncached"][1]["GATEWAY_JWT_SECRET"]}
    for name, (kind, environ) in {**builds, "usual": ("usual", usual)}.items():
        bench.show_progress(f"cpu: {name}")
        finished = subprocess.run(
            [sys.executable, "-m", "deploy.bench.cpu", kind, str(bench.plan.rounds)],
            env={**os.environ, **environ, TENANTS: json.dumps(bench.tenant_ids)},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        bench.record(f"cpu.{name}", {"us": float(finished.stdout.splitlines()[-1])})


def _application(kind: str) -> Wsgi:
    """Import only the chosen application: its process is measured."""
    application: Wsgi
    if kind == "usual":
        application = import_module("deploy.bench.usual.app").create_app()
    else:
        application = import_module("gateway.server.wsgi").application
    return application


def environs(workload: Workload) -> list[dict[str, Any]]:
    """Return each request as a server would hand it to an application."""
    found = []
    for number, target in workload.paths:
        path, _, query = target.partition("?")
        token = workload.tokens[number]
        found.append(
            {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "8000",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": "127.0.0.1:8000",
                "HTTP_ACCEPT": "application/json",
                "HTTP_X_ACCESS_TOKEN": token,
                "HTTP_AUTHORIZATION": f"Bearer {token}",
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": "http",
                "wsgi.input": BytesIO(),
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": True,
                "wsgi.multiprocess": True,
                "wsgi.run_once": False,
            }
        )
    return found


def call(application: Wsgi, environ: dict[str, Any]) -> str:
    """Answer one request as a server would; return its status."""
    statuses: list[str] = []
    answer = application(dict(environ), lambda status, *_: statuses.append(status))
    b"".join(answer)
    getattr(answer, "close", lambda: None)()
    return statuses[0]


def main(kind: str, rounds: int) -> None:
    """Print the CPU microseconds of one request, the median of a few rounds."""
    application = _application(kind)
    requests = environs(deskera_pages(json.loads(os.environ[TENANTS])))
    choose = random.Random(1).choice
    printed = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # The service logs each request to stdout.
    for environ in requests * (WARM_REQUESTS // len(requests)):
        status = call(application, environ)
        if not status.startswith("200"):
            raise SystemExit(f"{kind} answers {status}")
    took = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(REQUESTS[kind]):
            call(application, choose(requests))
        took.append((time.process_time() - started) / REQUESTS[kind] * 1e6)
    os.write(printed, f"{median(took)}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
