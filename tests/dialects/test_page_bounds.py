"""One answer is at most 16 MiB, and is refused before it is in memory."""

import base64
import random
import time
import tracemalloc
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


def store_contacts(database: Database, tenant: Home, count: int, name: str) -> None:
    record = {"kind": "contact", "tenant_id": tenant.id, "name": name}
    import_lines(database, (orjson.dumps({**record, "id": i + 1}) for i in range(count)))


@pytest.mark.parametrize(
    "name",
    [MEGABYTE, base64.b64encode(random.Random(1).randbytes(600_000)).decode()],
    ids=["x", "r"],
)
def test_record_of_huge_entities_is_refused(
    client: FlaskClient, database: Database, tenant: Home, name: str
) -> None:
    """Compressed by PostgreSQL, or not at all."""
    store_contacts(database, tenant, 40, name)
    store(database, tenant, 2, contact_ids=list(range(1, 41)))
    headers = tenant.caller(1).headers
    tracemalloc.start()
    answer = client.get(f"{DESKERA}/1", headers=headers)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    status, field, reason = told(answer)
    assert (status, field) == (400, "id")
    assert reason.startswith("names an activity that is too large to be shown: more than 16 MiB")
    assert most < 160 * 2**20
    page = told(client.get(DESKERA, headers=headers))
    assert page[:2] == (400, "pageSize")
    assert page[2].endswith("not even its first record fits")


def test_page_of_huge_entities_tells_what_fits(
    client: FlaskClient, database: Database, tenant: Home
) -> None:
    store_contacts(database, tenant, 40, MEGABYTE)
    for number in range(40):
        record = {"kind": "activity", "tenant_id": tenant.id, "contact_ids": [number + 1]}
        import_lines(database, [orjson.dumps({**record, "id": number + 1})])
    headers = tenant.caller(1).headers
    _, _, reason = told(client.get(f"{DESKERA}?pageSize=40", headers=headers))
    assert reason.endswith("its entities come to more than 16 MiB; at most 10 records fit")
    assert client.get(f"{DESKERA}?pageSize=10", headers=headers).status_code == 200
    refused = client.get("/activities?fastJoinForActivityList=true&$limit=40", headers=headers)
    assert told(refused)[:2] == (400, "/$limit")


def test_huge_record_can_be_selected_from(
    client: FlaskClient, database: Database, tenant: Home
) -> None:
    store_contacts(database, tenant, 1, "\x01" * 1_300_000)
    store(database, tenant, 1, contact_ids=[1], notes="\x01" * 1_300_000, deal_id=1)
    deal = {"kind": "deal", "tenant_id": tenant.id, "id": 1, "contact_id": 1}
    import_lines(database, [orjson.dumps({**deal, "name": "\x01" * 1_300_000})])
    headers = tenant.caller(1).headers
    assert told(client.get("/activities/1", headers=headers))[:2] == (400, "/id")
    selected = client.get("/activities/1?$select[0]=subject", headers=headers)
    assert selected.status_code == 200


def test_merged_page_is_bounded_in_sum(
    client: FlaskClient, database: Database, tenant: Home, other: Home
) -> None:
    for home in (tenant, other):
        store(database, home, 10, notes=MEGABYTE)
    token = tenant.token(1, organization_id=[tenant.id, other.id])
    headers = {"Authorization": f"Bearer {token}"}
    query = f"organization_id[$in][0]={tenant.id}&organization_id[$in][1]={other.id}"
    refused = told(client.get(f"/activities?{query}&$limit=20", headers=headers))
    assert refused[:2] == (400, "/$limit")
    assert refused[2].endswith("at most 16 records fit")
    served = client.get(f"/activities?{query}&$limit=16", headers=headers)
    assert served.status_code == 200
    assert len(served.data) <= MAX_PAGE_BYTES
    later = told(client.get(f"/activities?{query}&$limit=4&$skip=14", headers=headers))
    assert later[2].endswith("at most 2 records fit")


def test_merged_page_grown_by_escapes_is_refused(
    client: FlaskClient, database: Database, tenant: Home, other: Home
) -> None:
    for home in (tenant, other):
        store(database, home, 5, notes=ESCAPED)
    token = tenant.token(1, organization_id=[tenant.id, other.id])
    headers = {"Authorization": f"Bearer {token}"}
    query = f"organization_id[$in][0]={tenant.id}&organization_id[$in][1]={other.id}"
    refused = told(client.get(f"/activities?{query}&$limit=10", headers=headers))
    assert refused[2].endswith("at most 6 records fit")
    assert client.get(f"/activities?{query}&$limit=6", headers=headers).status_code == 200
