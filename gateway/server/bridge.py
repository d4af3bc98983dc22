"""Bridge: from the event loop to the application, with whole requests and whole responses.

What the loop can answer by itself never waits for a thread: health, and what finds no place.
Everything else runs as a job of the thread pool.
"""

import sys
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway.request import BEGAN, SPOOL, STREAM, request_id
from gateway.server.environ import Environ
from gateway.server.fair_queue import Job
from gateway.server.job_owners import STRANGERS, JobOwners
from gateway.server.refusals import refusal_response
from gateway.server.response_keeper import ResponseKeeper
from gateway.server.responses import Response
from gateway.server.thread_pool import ThreadPool

Application = Callable[[Environ, Callable[..., Any]], Any]
Reply = Callable[[Response], None]
LoopRoute = Callable[[Environ, Reply], None]

CREDENTIAL = "gateway.credential"
TOO_BUSY = "Too many requests wait already; try again in a moment."
CONSTANTS: Environ = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
"""What is the same in the environ of every request."""


class Bridge:
    """Has requests answered; everything but the application itself runs on the event loop."""

    def __init__(
        self,
        application: Application,
        pool: ThreadPool,
        loop: AbstractEventLoop,
        *,
        logger: FilteringBoundLogger,
        loop_routes: Mapping[str, LoopRoute],
        count_shed: Callable[[str, str], None],
        hidden_paths: Collection[str] = (),
        keeper: ResponseKeeper | None = None,
    ) -> None:
        """Take what answers: `loop_routes` by path at once, the application in a thread.

        `hidden_paths` are not found, whatever the application has there. `count_shed` is called
        with the method and the path of each request that finds no place. The `keeper` may have
        the response already.
        """
        self._count_shed = count_shed
        self._keeper = keeper
        self._application = application
        self._pool = pool
        self._loop = loop
        self._logger = logger
        self._loop_routes = loop_routes
        self._hidden_paths = hidden_paths
        self._owners = JobOwners()

    def handle(self, environ: Environ, reply: Reply) -> Job | None:
        """Have a whole request answered: `reply` is called once, on the loop.

        Returns the job, which may be cancelled, if the request has to wait for a thread.
        """
        environ[BEGAN] = time.perf_counter()
        if self._is_the_loops(environ, reply):
            return None

        def run() -> None:
            response = self._respond(environ)
            self._loop.call_soon_threadsafe(finish, response)

        def finish(response: Response) -> None:
            self._learn(environ[CREDENTIAL], response.status)
            if self._keeper is not None:
                self._keeper.consider(environ, response)
            reply(response)

        def submit() -> None:
            job.owner, job.credential = self._owners.find(environ)
            environ[CREDENTIAL] = job.credential
            if not job.is_cancelled and not self._pool.submit(job):
                job.refuse()

        refuse = partial(self._shed, environ, reply)
        job = Job(STRANGERS, run, size=_body_bytes(environ), refuse=refuse)
        if self._keeper is None or not self._keeper.serve(environ, reply, submit):
            submit()
        return job

    def _shed(self, environ: Environ, reply: Reply) -> None:
        """Refuse a request that finds no place or no thread in time."""
        self._count_shed(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        reply(_refuse(environ, HTTPStatus.SERVICE_UNAVAILABLE, TOO_BUSY))

    def _learn(self, credential: bytes, status: int) -> None:
        """Know a credential from now on, if it opened something."""
        if self._owners.learn(credential, status):
            self._pool.adopt(credential, former=STRANGERS)

    def _is_the_loops(self, environ: Environ, reply: Reply) -> bool:
        """Return whether the loop itself answers a request, and have it do so."""
        path = environ["PATH_INFO"].removesuffix("/")
        if path in self._hidden_paths:
            reply(_refuse(environ, HTTPStatus.NOT_FOUND))
            return True
        route = self._loop_routes.get(path)
        if route is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return False
        route(environ, reply)
        return True

    def _respond(self, environ: Environ) -> Response:
        """Return what the application makes of a request: the one call into it."""
        started: list[Any] = []

        def start_response(status: str, headers: Any, _failure: Any = None) -> None:
            started[:] = int(status[:3]), headers

        try:
            pieces = self._application(environ, start_response)
            try:
                body = b"".join(pieces)
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
            return Response(started[0], started[1], body, environ.pop(STREAM, None))
        except Exception as error:  # The application answers errors: this one is its own.
            self._logger.error("the application failed", exc_info=error)
            return _refuse(environ, HTTPStatus.INTERNAL_SERVER_ERROR)


def _body_bytes(environ: Environ) -> int:
    """Return how much memory the body of a request takes; a spooled one is on disk."""
    return 0 if SPOOL in environ else int(environ.get("CONTENT_LENGTH") or 0)


def _refuse(environ: Environ, status: HTTPStatus, reason: str = "") -> Response:
    path, number = environ["PATH_INFO"], request_id(environ)
    return refusal_response(status, reason, path=path, request_id=number)
