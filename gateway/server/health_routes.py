"""HealthRoutes: /health/live and /health/ready, answered by the event loop without a thread.

Readiness is found out in the background all the time, so that a busy worker knows it as well. One
that is at leisure asks anew, and answers with what came of that if it comes at once. A request that
shows a credential waits a little longer for that to be verified, and without it is told no details.
"""

import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from gateway.observability.health import FAIL, LIVE, Health, Report, render
from gateway.request import BEGAN, ID_HEADER, request_id
from gateway.server.environ import Environ
from gateway.server.responses import Response

LIVE_PATH, READY_PATH = "/health/live", "/health/ready"
BLUEPRINT = "ops"
NEW_SECONDS, KNOWN_SECONDS = 0.1, 1.0
WAIT_SECONDS = 0.03
ADMIN_SECONDS = 0.5
"""How long a request that shows a credential waits at most for what that is good for."""
POLL_SECONDS = 0.005

Reply = Callable[[Response], None]
AskAdmin = Callable[[Environ, Callable[[bool], None]], None]
Count = Callable[[str, str, str, int, float], None]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for its answer; `is_admin` is None until that is known."""

    environ: Environ
    reply: Reply
    is_admin: bool | None = None

    def tell(self, is_admin: bool) -> None:
        """Take note of whether it may have the details."""
        self.is_admin = is_admin


class HealthRoutes:
    """Answers probes."""

    def __init__(
        self,
        health: Health,
        loop: AbstractEventLoop,
        *,
        count: Count,
        logger: FilteringBoundLogger,
        ask_admin: AskAdmin,
    ) -> None:
        """Wait for nobody yet; `ask_admin` has a request told whether it may have the details."""
        self._health = health
        self._loop = loop
        self._count = count
        self._logger = logger
        self._ask_admin = ask_admin
        self._waiting: list[_Waiting] = []
        self._was_failing = False

    def live(self, environ: Environ, reply: Reply) -> None:
        """Answer that the process lives, by answering."""
        self._reply(LIVE_PATH, LIVE, environ, reply)

    def ready(self, environ: Environ, reply: Reply) -> None:
        """Answer whether requests can be served, at the latest when that is overdue."""
        waiting = _Waiting(environ, reply)
        self._ask_admin(environ, waiting.tell)
        self._waiting.append(waiting)
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
        for one in waiting:
            report = self._report(one)
            if report is None:
                self._waiting.append(one)
            else:
                self._reply(READY_PATH, report, one.environ, one.reply)
        if self._waiting:
            self._loop.call_later(POLL_SECONDS, self._answer_waiting)

    def _report(self, waiting: _Waiting) -> Report | None:
        """Return what is to be answered, or None if that may still become better."""
        seconds = time.perf_counter() - waiting.environ[BEGAN]
        if waiting.is_admin is None and seconds < ADMIN_SECONDS:
            return None
        is_detailed = bool(waiting.is_admin)
        report = self._health.peek(NEW_SECONDS, is_detailed=is_detailed)
        if report is None and seconds >= WAIT_SECONDS:
            return self._health.peek(KNOWN_SECONDS, is_detailed=is_detailed)
        return report

    def _reply(self, path: str, report: Report, environ: Environ, reply: Reply) -> None:
        status, headers, body = render(report)
        seconds = time.perf_counter() - environ[BEGAN]
        self._count(BLUEPRINT, path, environ["REQUEST_METHOD"], status, seconds)
        reply(Response(status, [*headers.items(), (ID_HEADER, request_id(environ))], body))
