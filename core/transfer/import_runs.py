"""The run of an import job: the file is read and merged, and the job's row kept up to date."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, BinaryIO

from sqlalchemy import Connection

from core.domain.errors import Unavailable
from core.storage.database import Database, allow
from core.storage.import_jobs import DONE, REFUSED, ImportJobs, finish
from core.transfer.import_report import ImportReport
from core.transfer.importer import bounded_lines, import_lines

PROGRESS_SECONDS = 0.5
MAX_BAD_LINES = 200
MAX_REASON_LENGTH = 300


class CountedLines:
    """The lines of a file, and how much of it they were up to now."""

    def __init__(self, file: BinaryIO) -> None:
        """Read nothing yet."""
        self.read_bytes = 0
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        """Give the lines, each in bounded memory."""
        for line in bounded_lines(self._file):
            self.read_bytes += len(line)
            yield line


def run_import(database: Database, tenant_id: int, job_id: str, file: BinaryIO) -> ImportReport:
    """Import a file into one tenant, as a job that has begun.

    The job's end is written with the records, or with what is wrong about them.
    Raises: ImportBroken, if somebody gave the job up; Unavailable.
    """
    lines = CountedLines(file)

    def write_end(connection: Connection, report: ImportReport) -> None:
        stop_telling()
        state = REFUSED if report.bad_count else DONE
        finish(connection, tenant_id, job_id, state=state, report=_as_json(report))

    allow((tenant_id,))
    with _telling(database, tenant_id, job_id, lines) as stop_telling:
        return import_lines(database, lines, tenant_id=tenant_id, finish=write_end)


@contextmanager
def _telling(database: Database, tenant_id: int, job_id: str, lines: CountedLines) -> Iterator[Any]:
    """Have the job's row say how far it is, until what is given here is called."""
    jobs, is_over = ImportJobs(database), Event()

    def tell() -> None:
        allow((tenant_id,))
        while not is_over.wait(PROGRESS_SECONDS):
            with suppress(Unavailable):  # It may come back before the job is given up.
                jobs.progress(tenant_id, job_id, lines.read_bytes)

    thread = Thread(target=tell, name="import progress", daemon=True)
    thread.start()

    def stop() -> None:
        is_over.set()
        thread.join()

    try:
        yield stop
    finally:
        stop()


def _as_json(report: ImportReport) -> dict[str, Any]:
    shown = report.bad_lines[:MAX_BAD_LINES]
    return {
        "records": report.records,
        "counts": {kind: counts._asdict() for kind, counts in report.counts.items()},
        "bad_lines": [
            {"number": line.number, "reason": line.reason[:MAX_REASON_LENGTH]} for line in shown
        ],
        "bad_count": report.bad_count,
    }
