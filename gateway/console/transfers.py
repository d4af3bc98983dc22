"""Imports and exports of the console: a process for each, so that no request waits for one."""

import signal
import subprocess
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from threading import BoundedSemaphore, Thread
from typing import Any, cast

import orjson
from structlog.typing import FilteringBoundLogger

from core.domain.counters import IMPORTED_RECORDS
from core.domain.errors import Unavailable
from core.storage.database import Database, allow
from core.storage.import_jobs import RUNNING, ImportJobs
from gateway.settings import Settings

PROGRAM = (sys.executable, "-m", "core.transfer.process")
EXPORTS_AT_A_TIME = 2
PIECE_BYTES = 2**16
ERROR_BYTES = 4096
Child = subprocess.Popen[bytes]


class Export:
    """The lines of an export, as its process gives them; a `Stream` of the server."""

    def __init__(self, child: Child, places: BoundedSemaphore) -> None:
        """Read from this process; its place is given back when it has ended."""
        self._child = child
        self.close = weakref.finalize(self, _end, child, places)

    def read(self) -> bytes:
        """Return the next bytes, at the end none. Raises: OSError, if the process failed."""
        piece = bytes(cast(Any, self._child.stdout).read1(PIECE_BYTES))
        if not piece:
            status = self._child.wait()
            self.close()
            if status:
                raise OSError(f"the export ended with status {status}")
        return piece


class Transfers:
    """Begins imports and exports, and sees imports to their end."""

    def __init__(
        self, settings: Settings, database: Database, logger: FilteringBoundLogger
    ) -> None:
        """Work on the database that the settings name."""
        self.jobs = ImportJobs(database)
        self._task = {
            "database_url": settings.database_url,
            "row_security": settings.row_security,
        }
        self._counters = database.counters
        self._logger = logger
        self._exports = BoundedSemaphore(EXPORTS_AT_A_TIME)

    def export(self, tenant_id: int) -> Export | None:
        """Return the lines of a tenant, of one snapshot; None if too many are read already."""
        if not self._exports.acquire(blocking=False):
            return None
        try:
            child = self._begin(tenant_id, stdout=subprocess.PIPE)
        except OSError:
            self._exports.release()
            raise
        return Export(child, self._exports)

    def begin_import(
        self, tenant_id: int, *, user_id: int, file_name: str, file: int, file_bytes: int
    ) -> str | None:
        """Import an open file; return the id of the job, None while another one is running.

        Raises: Unavailable.
        """
        job_id = self.jobs.begin(
            tenant_id, user_id=user_id, file_name=file_name, file_bytes=file_bytes
        )
        if job_id is None:
            return None
        try:
            child = self._begin(tenant_id, job_id=job_id, file=file, stderr=subprocess.PIPE)
        except OSError:
            self.jobs.give_up(tenant_id, job_id)
            raise
        # It holds the process's standard input: the process ends when this one does.
        watch = Thread(target=self._watch, args=[child, tenant_id, job_id], daemon=True)
        watch.start()
        return job_id

    def _begin(
        self, tenant_id: int, *, job_id: str | None = None, file: int | None = None, **pipes: int
    ) -> Child:
        passed: Sequence[int] = () if file is None else (file,)
        child = subprocess.Popen(
            PROGRAM,
            stdin=subprocess.PIPE,
            pass_fds=passed,
            start_new_session=True,
            **cast(Any, pipes),
        )
        task = self._task | {"tenant_id": tenant_id, "job_id": job_id, "file": file}
        standard_input = cast(Any, child.stdin)
        standard_input.write(orjson.dumps(task) + b"\n")
        standard_input.flush()
        return child

    def _watch(self, child: Child, tenant_id: int, job_id: str) -> None:
        """Wait for an import's end; one that came to none is given up at once."""
        allow((tenant_id,))
        errors = cast(Any, child.stderr).read()[-ERROR_BYTES:].decode(errors="replace")
        status = child.wait()
        cast(Any, child.stdin).close()
        with suppress(Unavailable):  # Then it is given up by whoever looks for it.
            job = self.jobs.find(tenant_id, job_id)
            if job is not None and job.state == RUNNING:
                self.jobs.give_up(tenant_id, job_id)
            records = (job.report or {}).get("records", 0) if job is not None else 0
            if status == 0 and job is not None and job.report and not job.report["bad_count"]:
                self._counters[IMPORTED_RECORDS] += records
        tell = self._logger.error if status else self._logger.info
        tell("import ended", tenant=[tenant_id], job=job_id, status=status, error=errors or None)


def _end(child: Child, places: BoundedSemaphore) -> None:
    """End an export's process, whether somebody is still reading from it or not."""
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        cast(Any, pipe).close()
    places.release()
