"""Admins: whether a probe is an administrator's, found out without holding up the event loop."""

from asyncio import AbstractEventLoop
from collections.abc import Callable

from core.domain.model import Principal
from gateway.server.environ import Environ
from gateway.server.fair_queue import Job
from gateway.server.job_owners import CREDENTIAL_HEADERS, JobOwners
from gateway.server.thread_pool import ThreadPool

Find = Callable[[Environ, str], Principal | None]
"""Returns whom the credentials of a request are good for, where they are read in this order."""

ORDER = "directory"  # Of no vendor.


class Admins:
    """Tells whose credentials have the scope `admin`."""

    def __init__(
        self, pool: ThreadPool, loop: AbstractEventLoop, *, recall: Find, verify: Find
    ) -> None:
        """Take what knows of credentials: `recall` at once or not at all, `verify` in a thread."""
        self._pool = pool
        self._loop = loop
        self._recall = recall
        self._verify = verify
        self._owners = JobOwners()

    def ask(self, environ: Environ, tell: Callable[[bool], None]) -> None:
        """Call `tell` once, now or a moment later; not at all if no thread is to be had."""
        if not any(header in environ for header in CREDENTIAL_HEADERS):
            tell(False)
            return
        known = self._recall(environ, ORDER)
        if known is not None:
            tell(known.is_admin)
            return

        def run() -> None:
            principal = self._verify(environ, ORDER)
            is_admin = principal is not None and principal.is_admin
            self._loop.call_soon_threadsafe(tell, is_admin)

        owner, credential = self._owners.find(environ)
        self._pool.submit(Job(owner, run, credential))
