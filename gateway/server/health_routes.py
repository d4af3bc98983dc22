"""HealthRoutes: /health/live and /health/ready, answered by the event loop without a thread.

Readiness is found out in the background all the time, so that a busy worker knows it as well. One
that is at leisure asks anew, and answers with what came of that if it comes at once.
"""

import time
from asyncio import AbstractEventLoop
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from gateway.observability.health import FAIL, LIVE, Health, Report, render
from gateway.request import BEGAN, ID_HEADER, request_id
from gateway.server.environ import Environ
from gateway.server.responses import Response

LIVE_PATH, READY_PATH = "/health/live", "/health/ready"
BLUEPRINT = "ops"
NEW_SECONDS, KNOWN_SECONDS = 0.1, 1.0
WAIT_SECONDS = 0.03
POLL_SECONDS = 0.005

Reply = Callable[[Response], None]
Count = Callable[[str, str, str, int, float], None]


class HealthRoutes:
    """Answers probes; `is_detailed` says that nobody but operators can ask."""

    def __init__(
        self,
        health: Health,
        loop: AbstractEventLoop,
        *,
        count: Count,
        logger: FilteringBoundLogger,
        is_detailed: bool,
    ) -> None:
        """Wait for nobody yet."""
        self._health = health
        self._loop = loop
        self._count = count
        self._logger = logger
        self._is_detailed = is_detailed
        self._waiting: list[tuple[Environ, Reply]] = []
        self._was_failing = False

    def live(self, environ: Environ, reply: Reply) -> None:
        """Answer that the process lives, by answering."""
        self._reply(LIVE_PATH, LIVE, environ, reply)

    def ready(self, environ: Environ, reply: Reply) -> None:
        """Answer whether requests can be served, at the latest when that is overdue."""
        self._waiting.append((environ, reply))
        if len(self._waiting) == 1:
            self._answer_waiting()

    def refresh(self) -> None:
        """Keep what is known from growing old; to be called twice a second."""
        report = self._health.peek(KNOWN_SECONDS / 2, is_detailed=True)
        if report is None:
            return
        is_failing = report[0] == FAIL
        if is_failing and not self._was_failing:
            self._logger.error("not ready", checks=report[1])
        self._was_failing = is_failing

    def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        new, known = (
            self._health.peek(age, is_detailed=self._is_detailed)
            for age in (NEW_SECONDS, KNOWN_SECONDS)
        )
        for environ, reply in waiting:
            waits = time.perf_counter() - environ[BEGAN]
            report = new or (known if waits >= WAIT_SECONDS else None)
            if report is None:
                self._waiting.append((environ, reply))
            else:
                self._reply(READY_PATH, report, environ, reply)
        if self._waiting:
            self._loop.call_later(POLL_SECONDS, self._answer_waiting)

    def _reply(self, path: str, report: Report, environ: Environ, reply: Reply) -> None:
        status, headers, body = render(report)
        seconds = time.perf_counter() - environ[BEGAN]
        self._count(BLUEPRINT, path, environ["REQUEST_METHOD"], status, seconds)
        reply(Response(status, [*headers.items(), (ID_HEADER, request_id(environ))], body))
