"""One answer is at most 16 MiB, and is refused before it is in memory."""

import time
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from support.callers import Home
from werkzeug.test import TestResponse

from core.domain.model import MAX_PAGE_BYTES
from core.storage.database import Database
from core.transfer.importer import import_lines

DESKERA = "/v1/crm/activities"
MEGABYTE = "x" * 1_000_000
ESCAPED = "\x01" * 400_000
LISTS = ("assignee_ids", "contact_ids", "company_ids")


def store(database: Database, tenant: Home, count: int, **fields: Any) -> None:
    record = {"kind": "activity", "tenant_id": tenant.id, "subject": "a", **fields}
    import_lines(database, (orjson.dumps({**record, "id": i + 1}) for i in range(count)))


def told(answer: TestResponse) -> tuple[int, str, str]:
    """Return the status of a refusal, the field that it names and why."""
    if "data" in answer.json:
        [problem] = answer.json["data"]
        return answer.status_code, problem["instancePath"], problem["message"]
    [problem] = answer.json["errors"]
    return answer.status_code, problem["field"], problem["error"]


@pytest.mark.parametrize("deep_offset", [0, 1000])
def test_page_of_long_texts_is_refused(
    client: FlaskClient,
    database: Database,
    tenant: Home,
    monkeypatch: pytest.MonkeyPatch,
    deep_offset: int,
) -> None:
    monkeypatch.setattr("core.storage.activity_reader.DEEP_OFFSET", deep_offset)
    store(database, tenant, 20, notes=MEGABYTE)
    headers = tenant.caller(1).headers
    reason = "is too large here: it gives more than 16 MiB; at most 16 records fit"
    for url, field in ((f"{DESKERA}?pageSize=", "pageSize"), ("/activities?$limit=", "/$limit")):
        assert told(client.get(f"{url}20", headers=headers)) == (400, field, reason)
        answer = client.get(f"{url}16", headers=headers)
        assert answer.status_code == 200
        assert len(answer.data) <= MAX_PAGE_BYTES


def test_page_grown_by_escapes_is_refused(
    client: FlaskClient, database: Database, tenant: Home
) -> None:
    store(database, tenant, 10, notes=ESCAPED)
    headers = tenant.caller(1).headers
    status, field, reason = told(client.get(f"{DESKERA}?pageSize=10", headers=headers))
    assert (status, field) == (400, "pageSize")
    assert reason.endswith("at most 6 records fit")
    assert client.get(f"{DESKERA}?pageSize=6", headers=headers).status_code == 200


def test_page_of_many_entities_is_refused(
    client: FlaskClient, database: Database, tenant: Home
) -> None:
    for first in range(10):
        linked = {name: list(range(1 + 1000 * first, 1001 + 1000 * first)) for name in LISTS}
        record = {"kind": "activity", "tenant_id": tenant.id, "subject": "a", **linked}
        import_lines(database, [orjson.dumps({**record, "id": first + 1})])
    headers = tenant.caller(1).headers
    began = time.monotonic()
    answer = client.get(f"{DESKERA}?pageSize=10", headers=headers)
    assert time.monotonic() - began < 3
    assert told(answer)[:2] == (400, "pageSize")
    assert "at most 6 records fit" in told(answer)[2]
    assert client.get(f"{DESKERA}?pageSize=6", headers=headers).status_code == 200
    assert client.get("/activities?$limit=10", headers=headers).status_code == 200
