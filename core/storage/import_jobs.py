"""Imports that run in a process of their own: how far each has come, and what it came to.

A job's row is how every worker of every gateway knows of it. It says "done" in the very
transaction that writes the records. Whoever finds that a job has not been heard of for a while
says so in its row, and from then on that transaction cannot commit: what the row says is true.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Interval, Update, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.storage.database import Database
from core.storage.tables import import_jobs

RUNNING, DONE, REFUSED, BROKEN = "running", "done", "refused", "broken"
"""States: `REFUSED` for bad lines; `BROKEN`: its process ended early, or was not heard of."""
SILENCE = timedelta(seconds=15)
ID_BYTES = 8
KEPT_JOBS = 20
_columns = import_jobs.c
# Of the statement and not of the transaction, which began with the import.
_NOW = func.statement_timestamp()
_SILENCE = bindparam("silence", SILENCE, type_=Interval)
_IS_SILENT = _columns.heard_at < _NOW - _SILENCE


class ImportBroken(Exception):
    """The job was given up: its transaction must not commit."""


class ImportJob(NamedTuple):
    """One import; `report` is that of the import itself once it has ended."""

    tenant_id: int
    id: str
    user_id: int
    state: str
    file_name: str
    file_bytes: int
    read_bytes: int
    begun_at: datetime
    ended_at: datetime | None
    report: dict[str, Any] | None


_JOB = select(*(_columns[name] for name in ImportJob._fields), _IS_SILENT.label("is_silent"))


class ImportJobs:
    """The jobs of all tenants; every statement names one of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, tenant_id: int, *, user_id: int, file_name: str, file_bytes: int) -> str | None:
        """Return the id of a new job; None while another one of the tenant is running.

        Only the last jobs of a tenant are kept. Raises: Unavailable.
        """
        self.last(tenant_id)  # Gives up what is not heard of.
        row = {
            "tenant_id": tenant_id,
            "id": secrets.token_hex(ID_BYTES),
            "user_id": user_id,
            "state": RUNNING,
            "file_name": file_name,
            "file_bytes": file_bytes,
            "read_bytes": 0,
            "begun_at": _NOW,
            "heard_at": _NOW,
        }
        with self._database.transaction() as connection:
            _drop_old(connection, tenant_id)
            added = insert(import_jobs).values(row).on_conflict_do_nothing()
            return connection.execute(added.returning(_columns.id)).scalar()

    def last(self, tenant_id: int) -> list[ImportJob]:
        """Return the jobs of a tenant that are kept, the last one first. Raises: Unavailable."""
        wanted = _JOB.where(_columns.tenant_id == tenant_id).order_by(_columns.begun_at.desc())
        with self._database.transaction() as connection:
            found = connection.execute(wanted).all()
        return [self._heard_of(ImportJob(*row[:-1]), is_silent=row[-1]) for row in found]

    def find(self, tenant_id: int, job_id: str) -> ImportJob | None:
        """Return a job, or None. Raises: Unavailable."""
        wanted = _JOB.where(_columns.tenant_id == tenant_id, _columns.id == job_id)
        with self._database.transaction() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else self._heard_of(ImportJob(*row[:-1]), is_silent=row[-1])

    def _heard_of(self, job: ImportJob, *, is_silent: bool) -> ImportJob:
        if job.state != RUNNING or not is_silent:
            return job
        self.give_up(job.tenant_id, job.id, only_silent=True)
        return self.find(job.tenant_id, job.id) or job

    def give_up(self, tenant_id: int, job_id: str, *, only_silent: bool = False) -> None:
        """Have a job that is running never come to an end. Raises: Unavailable."""
        statement = _update_running(tenant_id, job_id).values(state=BROKEN, ended_at=_NOW)
        with self._database.transaction() as connection:
            connection.execute(statement.where(_IS_SILENT) if only_silent else statement)

    def progress(self, tenant_id: int, job_id: str, read_bytes: int) -> None:
        """Say that a job is alive, and how much of its file is read. Raises: Unavailable."""
        statement = _update_running(tenant_id, job_id).values(read_bytes=read_bytes, heard_at=_NOW)
        with self._database.transaction() as connection:
            connection.execute(statement)


def finish(
    connection: Connection, tenant_id: int, job_id: str, *, state: str, report: dict[str, Any]
) -> None:
    """Say in the import's own transaction what it came to. Raises: ImportBroken."""
    statement = (
        _update_running(tenant_id, job_id)
        .values(state=state, ended_at=_NOW, read_bytes=_columns.file_bytes, report=report)
        .returning(_columns.id)
    )
    if connection.execute(statement).first() is None:
        raise ImportBroken


def _update_running(tenant_id: int, job_id: str) -> Update:
    return update(import_jobs).where(
        _columns.tenant_id == tenant_id, _columns.id == job_id, _columns.state == RUNNING
    )


def _drop_old(connection: Connection, tenant_id: int) -> None:
    kept = (
        select(_columns.begun_at)
        .where(_columns.tenant_id == tenant_id)
        .order_by(_columns.begun_at.desc())
        .offset(KEPT_JOBS - 1)
        .limit(1)
    )
    oldest = connection.execute(kept).scalar()
    if oldest is not None:
        connection.execute(
            delete(import_jobs).where(
                _columns.tenant_id == tenant_id,
                _columns.begun_at <= oldest,
                _columns.state != RUNNING,
            )
        )
