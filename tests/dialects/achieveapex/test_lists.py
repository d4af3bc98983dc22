"""Lists of AchieveApex's dialect through the whole service: which rows, in which organization."""

import pytest
from flask.testing import FlaskClient
from support.achieveapex_api import PLACE, USER, Api
from support.callers import Home
from support.clock import Clock

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants


@pytest.fixture
def call(client: FlaskClient, tenant: Home) -> Api:
    """Give a caller of an empty organization."""
    return Api(client, tenant.caller(USER).key)


@pytest.fixture
def rows(call: Api, clock: Clock) -> Api:
    """Give a caller of an organization with three activities, made for filters."""
    clock.advance(seconds=0.391999)
    call.create(subject="Alpha", deal_id=1, done=True, duration=30)
    call.create(subject="beta", deal_id=2, contact_id=7, start_date="2025-04-01")
    call.create(subject="100%", start_date="2025-04-02", start_time="23:59:59", note="")
    return call


FILTERS = [
    ("", [1, 2, 3]),
    ("subject=A", [1, 2]),
    ("subject=%25", [3]),
    ("subject[$ne]=Alpha", [2, 3]),
    ("subject[$like]=_eta", [2]),
    ("subject[$ilike]=ALPHA", [1]),
    ("subject[$notlike]=%25a", [3]),
    ("deal_id=", [3]),
    ("deal_id[$ne]=1", [2]),
    ("deal_id[$nin][]=1", [2]),
    ("deal_id[$in][]=1&deal_id[$in][]=", [1]),
    ("deal_id[$in][]=", []),
    ("deal_id[$nin][]=1&deal_id[$nin][]=", []),
    ("done=true", [1]),
    ("duration=30", [1]),
    ("duration[$gt]=29.5", [1]),
    ("duration[$in][]=30&duration[$in][]=31", [1]),
    ("contact_id=7", [2]),
    ("contact_id[$ne]=8", [2]),
    ("contact_id[$gt]=6", [2]),
    ("contact_id=", [1, 3]),
    ("start_date[$gte]=2025-04-01&start_date[$lte]=2025-04-30", [2, 3]),
    ("start_time=23:59:59", [3]),
    ("start_time[$lt]=23:59:59", []),
    ("start_date=", [1]),
    ("note=", [3]),
    ("location_geocoded=", [1, 2, 3]),
    ("location_geocoded[$ne]=", []),
    ("deleted_at=", [1, 2, 3]),
    ("deleted_at[$ne]=", []),
    ("deleted_at[$nin][]=2025-01-01", []),
    ("created_at[$gt]=1970-01-01T00:00:00.000Z", [1, 2, 3]),
    ("id[$lt]=99999999999999999999", [1, 2, 3]),
    ("$or[0][deal_id]=1&$or[1][deal_id]=2", [1, 2]),
    ("$and[0][deal_id]=1&$and[1][deal_id]=2", []),
    ("$or[0][done]=true&$or[1][subject]=beta", [1, 2]),
    ("$and[0][$or][0][deal_id]=2&$and[0][$or][1][id]=3&$and[1][start_time]=23:59:59", [3]),
    ("$sort[deal_id]=-1", [3, 2, 1]),
    ("$sort[start_date]=1&$sort[subject]=1", [2, 3, 1]),
    ("$sort[contact_id]=1", [2, 1, 3]),
    ("$sort[duration]=-1", [3, 2, 1]),
    ("$sort[organization_id]=-1", [3, 2, 1]),
    ("$limit=1&$skip=1", [2]),
]


def test_filters_find_their_rows(rows: Api):
    def ids(query: str) -> list[int]:
        return [record["id"] for record in rows("GET", query=query).json["data"]]

    assert {query: ids(query) for query, _ in FILTERS} == dict(FILTERS)


TYPED_FILTERS = [
    ({"id": {"$in": []}}, 0),
    ({"id": {"$nin": []}}, 3),
    ({"$or": []}, 3),
    ({"$or": [{"deal_id": {"$in": []}}, {"id": 1}]}, 1),
    ({"subject": None}, 0),
    ({"id": {"$in": list(range(1, 5001))}}, 3),
    ({"created_at": {"$in": ["2025-01-01T00:00:00.000Z"]}}, 0),
    ({"$and": [{"id": 1}, {"id": 2}]}, 0),
    ({"$or": [{"id": 1}, {"id": 2}]}, 2),
]


def test_typed_filters_count_their_rows(rows: Api):
    totals = [rows.total(json={"query": query}) for query, _ in TYPED_FILTERS]
    assert totals == [total for _, total in TYPED_FILTERS]


def test_shown_stamps_can_be_filtered_for(rows: Api):
    record = rows("GET", f"{PLACE}/2").json
    for name in ("created_at", "updated_at"):
        stamp = record[name].replace(":", "%3A")
        assert rows("GET", f"{PLACE}/2", query=f"{name}={stamp}").status_code == 200
        assert rows("GET", f"{PLACE}/2", query=f"{name}[$gt]={stamp}").status_code == 404


def test_every_column_sorts_and_filters(rows: Api):
    """What is shown of a record finds it, whichever column is asked."""
    records = rows("GET").json["data"]
    for column in records[0].keys() - {"location_geocoded"}:
        assert rows("GET", query=f"$sort[{column}]=-1").json["total"] == len(records)
        for record in records:
            found = rows("GET", json={"query": {column: record[column]}}).json["data"]
            assert record in found, column


@pytest.fixture
def several(client: FlaskClient, tenant: Home, database: Database) -> tuple[Api, int, int]:
    """Give a caller whose token spans two organizations, and these."""
    other = tenant.id + 500_000
    Tenants(database).create(Tenant(other, "Another", "UTC", "UTC"))
    both = Api(client, "")
    both.headers = {"Authorization": tenant.token(USER, organization_id=[tenant.id, other])}
    return both, tenant.id, other


def test_several_organizations_need_a_choice(several: tuple[Api, int, int]):
    both, first, second = several
    for refused in (both("GET"), both("POST", json={"subject": "a"})):
        assert refused.status_code == 400
        assert refused.json["data"][0]["instancePath"] == "/organization_id"
    made = both.create(organization_id=second)
    assert made["organization_id"] == second
    assert both.total(f"organization_id={second}") == 1
    assert both.total(f"organization_id={first}") == 0


def test_ids_are_searched_in_all_organizations(several: tuple[Api, int, int]):
    both, first, second = several
    made = both.create(organization_id=second)
    path = f"{PLACE}/{made['id']}"
    assert both("GET", path).json["organization_id"] == second
    assert both("PATCH", path, json={"organization_id": first}).status_code == 404
    both.create(organization_id=first)
    assert both("GET", path).status_code == 400
    assert both("GET", path, query=f"organization_id={first}").status_code == 200
