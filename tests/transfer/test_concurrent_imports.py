"""Imports beside other imports and beside writers: nobody waits in a circle, few wait at all."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import psycopg
import pytest
from flask import Flask
from support.callers import Home

from core.storage.connector import Timeouts
from core.storage.database import Database
from core.transfer.importer import ImportReport, import_lines

ROUNDS = 4
RECORDS = 300
SHORT_MS = 500


def lines(*records: dict[str, Any]) -> list[bytes]:
    return [orjson.dumps(record) for record in records]


def tenant_line(tenant_id: int, name: str) -> dict[str, Any]:
    return {"kind": "tenant", "id": tenant_id, "name": name}


def contacts(tenant_id: int, name: str) -> list[dict[str, Any]]:
    return [
        {"kind": "contact", "tenant_id": tenant_id, "id": number, "name": name}
        for number in range(1, RECORDS)
    ]


def activities(tenant_id: int, subject: str, *, count: int = 50) -> list[dict[str, Any]]:
    return [
        {"kind": "activity", "tenant_id": tenant_id, "id": number, "subject": subject}
        for number in range(1, count + 1)
    ]


def together(database: Database, files: list[list[bytes]]) -> list[ImportReport]:
    """Import files at the same moment; raises what an import raised."""
    begin = threading.Barrier(len(files))

    def run(file: list[bytes]) -> ImportReport:
        begin.wait()
        return import_lines(database, file)

    with ThreadPoolExecutor(len(files)) as pool:
        return list(pool.map(run, files))


def test_opposite_orders_never_deadlock(database: Database, tenant: Home) -> None:
    first, second = tenant.id, tenant.id + 700_000
    import_lines(database, lines(tenant_line(second, "Second")))
    for number in range(ROUNDS):
        name = f"of round {number}"
        files = [
            lines(tenant_line(first, name), *contacts(second, name), *activities(first, name)),
            lines(tenant_line(second, name), *contacts(first, name), *activities(second, name)),
            lines(*contacts(second, name), *contacts(first, name), tenant_line(first, name)),
        ]
        assert [report.bad_count for report in together(database, files)] == [0, 0, 0]


@pytest.fixture
def patient(database_url: str) -> Database:
    return Database(database_url, limits=Timeouts(0, SHORT_MS))


def test_unchanged_records_are_not_locked(
    patient: Database, database_url: str, tenant: Home
) -> None:
    file = lines(*activities(tenant.id, "same"))
    import_lines(patient, file)
    changed = lines(*activities(tenant.id, "same", count=49), *activities(tenant.id, "x")[49:])
    with psycopg.connect(database_url) as writer:
        writer.execute(
            f"SELECT 1 FROM activities WHERE tenant_id = {tenant.id} AND id = 1 FOR UPDATE"
        )
        assert import_lines(patient, file).counts["activity"].unchanged == 50
        assert import_lines(patient, changed).counts["activity"].replaced == 1
        writer.rollback()
    patient.close()


def test_writes_pass_an_import(
    make_app: Callable[..., Flask], database_url: str, tenant: Home
) -> None:
    """An import that has merged its records and not ended: only writes of these wait, and end."""
    client = make_app(lock_timeout_ms=SHORT_MS).test_client()
    headers = tenant.caller(1).headers
    database = Database(database_url)
    import_lines(database, lines(*activities(tenant.id, "old", count=60)))
    merged, may_end = threading.Event(), threading.Event()

    def hold(sql: str, _parameters: object) -> None:
        if sql.lstrip().startswith("UPDATE activity_counters"):
            merged.set()
            may_end.wait(20)

    database.observers.append(hold)
    file = lines(*activities(tenant.id, "new", count=50))
    importing = threading.Thread(target=import_lines, args=(database, file))
    importing.start()
    assert merged.wait(20)
    try:
        answers = [
            client.patch(f"/activities/{number}", json={"done": True}, headers=headers)
            for number in (51, 1)
        ]
        made = client.post("/activities", json={"subject": "a"}, headers=headers)
    finally:
        may_end.set()
        importing.join()
        database.close()
    assert [answer.status_code for answer in answers] == [200, 503]
    assert (made.status_code, made.json["id"]) == (201, 61)
