"""Imports as jobs: their rows tell the truth, also of those that never come to an end."""

from io import BytesIO
from typing import Any

import orjson
import pytest
from support.callers import Home

from core.storage.database import Database
from core.storage.import_jobs import (
    BROKEN,
    DONE,
    KEPT_JOBS,
    REFUSED,
    RUNNING,
    ImportBroken,
    ImportJob,
    ImportJobs,
)
from core.transfer.exporter import export_lines
from core.transfer.import_runs import run_import

GOOD = {"kind": "activity", "id": 7, "subject": "From a file"}
BAD = {"kind": "activity", "id": 8, "colour": "red"}


@pytest.fixture
def jobs(database: Database) -> ImportJobs:
    """Give the jobs."""
    return ImportJobs(database)


def file_of(*records: dict[str, Any]) -> BytesIO:
    """Return a file with a record in each line."""
    return BytesIO(b"\n".join(map(orjson.dumps, records)) + b"\n")


def begin(jobs: ImportJobs, tenant: Home, file: BytesIO | None = None) -> str:
    """Return the id of a job that has begun."""
    size = len(file.getbuffer()) if file else 0
    job_id = jobs.begin(tenant.id, user_id=3, file_name="a.ndjson", file_bytes=size)
    assert job_id is not None
    return job_id


def found(jobs: ImportJobs, tenant: Home, job_id: str) -> ImportJob:
    """Return a job that must be there."""
    job = jobs.find(tenant.id, job_id)
    assert job is not None
    return job


def activities(database: Database, tenant: Home) -> list[bytes]:
    """Return the lines of a tenant's activities."""
    return list(export_lines(database, tenant_id=tenant.id))[1:]


def silence(database: Database, tenant: Home) -> None:
    """Let a tenant's jobs have been silent for a minute."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE import_jobs SET heard_at = now() - INTERVAL '1 minute'"
            " WHERE tenant_id = %(tenant_id)s",
            {"tenant_id": tenant.id},
        )


def test_job_ends_with_its_report(database: Database, jobs: ImportJobs, tenant: Home):
    file = file_of(GOOD)
    job_id = begin(jobs, tenant, file)
    run_import(database, tenant.id, job_id, file)
    job = found(jobs, tenant, job_id)
    counts = {"activity": {"created": 1, "replaced": 0, "unchanged": 0}}
    assert (job.state, job.read_bytes) == (DONE, job.file_bytes)
    assert job.report == {"records": 1, "counts": counts, "bad_lines": [], "bad_count": 0}


def test_bad_line_refuses_whole_file(database: Database, jobs: ImportJobs, tenant: Home):
    job_id = begin(jobs, tenant)
    run_import(database, tenant.id, job_id, file_of(GOOD, BAD))
    job = found(jobs, tenant, job_id)
    assert job.state == REFUSED
    assert job.report is not None
    assert [line["number"] for line in job.report["bad_lines"]] == [2]
    assert activities(database, tenant) == []


def test_one_import_runs_at_a_time(jobs: ImportJobs, tenant: Home):
    begin(jobs, tenant)
    assert jobs.begin(tenant.id, user_id=3, file_name="b", file_bytes=1) is None


def test_silent_job_is_given_up(database: Database, jobs: ImportJobs, tenant: Home):
    job_id = begin(jobs, tenant)
    assert found(jobs, tenant, job_id).state == RUNNING
    silence(database, tenant)
    assert found(jobs, tenant, job_id).state == BROKEN
    assert begin(jobs, tenant)


def test_given_up_job_writes_nothing(database: Database, jobs: ImportJobs, tenant: Home):
    job_id = begin(jobs, tenant)
    jobs.give_up(tenant.id, job_id)
    with pytest.raises(ImportBroken):
        run_import(database, tenant.id, job_id, file_of(GOOD))
    assert found(jobs, tenant, job_id).state == BROKEN
    assert activities(database, tenant) == []


def test_progress_keeps_job_alive(database: Database, jobs: ImportJobs, tenant: Home):
    job_id = begin(jobs, tenant)
    silence(database, tenant)
    jobs.progress(tenant.id, job_id, 41)
    job = found(jobs, tenant, job_id)
    assert (job.state, job.read_bytes) == (RUNNING, 41)


def test_few_old_jobs_are_kept(jobs: ImportJobs, tenant: Home):
    ids = []
    for _ in range(KEPT_JOBS + 3):
        ids.append(begin(jobs, tenant))
        jobs.give_up(tenant.id, ids[-1])
    assert [job.id for job in jobs.last(tenant.id)] == ids[: -KEPT_JOBS - 1 : -1]
