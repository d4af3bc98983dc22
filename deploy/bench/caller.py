"""One caller on a kept connection, who times each request as its user would."""

import http.client
import json
import time
from types import TracebackType
from typing import Any

from deploy.bench.servers import HOST, Server
from deploy.bench.workload import token

TIMEOUT_SECONDS = 60


class Caller:
    """A client of one server with a tenant's credential."""

    def __init__(self, server: Server, tenant_id: int) -> None:
        """Connect with the first request."""
        self._connection = http.client.HTTPConnection(HOST, server.port, timeout=TIMEOUT_SECONDS)
        self._headers = {"x-access-token": token(tenant_id)}

    def __enter__(self) -> "Caller":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def ms(self, method: str, path: str, body: Any = None) -> float:
        """Return how many milliseconds a request took. Raises: RuntimeError, if it fails."""
        encoded, headers = None, self._headers
        if body is not None:  # A type without a body would cost the connection.
            encoded, headers = json.dumps(body), {**headers, "Content-Type": "application/json"}
        started = time.perf_counter()
        self._connection.request(method, path, encoded, headers)
        response = self._connection.getresponse()
        answer = response.read()
        took = (time.perf_counter() - started) * 1000
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return took


def percentiles(took: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile of some milliseconds."""
    ordered = sorted(took)
    last = len(ordered) - 1
    return {"p50_ms": ordered[last // 2], "p99_ms": ordered[round(last * 0.99)]}
