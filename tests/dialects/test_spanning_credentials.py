"""What a credential of several tenants must name, in both dialects."""

import pytest
from flask.testing import FlaskClient
from support.both_api import Both
from support.callers import Home
from support.clock import Clock
from support.deskera_api import NOT_FOUND, PLACE, fields_of, refused
from werkzeug.test import TestResponse


@pytest.fixture
def spanning(client: FlaskClient, tenant: Home, other: Home) -> Both:
    """Give a user of two tenants, of which both have an activity 1 and the first an activity 2."""
    for home, count in ((tenant, 2), (other, 1)):
        for _ in range(count):
            Both(client, home.caller(1).key).deskera.create(name=f"of {home.id}")
    person = Both(client, "")
    token = tenant.token(1, organization_id=[tenant.id, other.id])
    person.deskera.headers = person.apex.headers = {"Authorization": f"Bearer {token}"}
    return person


def apex_problem(answer: TestResponse) -> tuple[int, str, str]:
    """Return the status, the name and the only place of a validation error."""
    [problem] = answer.json["data"]
    return answer.status_code, answer.json["name"], problem["instancePath"]


def test_spanning_lists_need_an_organization(spanning: Both, tenant: Home, other: Home):
    for answer in (spanning.deskera("GET"), spanning.deskera("POST", json={})):
        assert fields_of(answer) == (400, ["tenant_id"])
    for answer in (spanning.apex("GET"), spanning.apex("POST", json={"subject": "a"})):
        assert apex_problem(answer) == (400, "BadRequest", "/organization_id")
    totals = [spanning.apex.total(f"organization_id={home.id}") for home in (tenant, other)]
    assert totals == [2, 1]
    made = spanning.apex.create(organization_id=other.id)
    assert (made["id"], made["organization_id"]) == (2, other.id)


def test_several_organizations_are_listed_in_one_order(
    spanning: Both, tenant: Home, other: Home, clock: Clock
):
    several = f"organization_id[$in][0]={tenant.id}&organization_id[$in][1]={other.id}"
    page = spanning.apex("GET", query=several).json
    ids = sorted((1, home.id) for home in (tenant, other)) + [(2, tenant.id)]
    assert page["total"] == 3
    assert [(one["id"], one["organization_id"]) for one in page["data"]] == ids
    backwards = spanning.apex("GET", query=f"{several}&$sort[id]=-1&$skip=1&$limit=1").json
    assert [(one["id"], one["organization_id"]) for one in backwards["data"]] == [ids[1]]
    clock.advance(seconds=1)
    spanning.apex("PATCH", "/activities/2", json={"location": "here", "duration": 5})
    for key in ("location", "duration", "updated_at", "assigned_to_user_id"):
        for direction in (1, -1):
            query = f"{several}&$sort[{key}]={direction}"
            shown = spanning.apex("GET", query=query).json["data"]
            nulls = [one for one in shown if one[key] is None]
            known = sorted(
                (one[key] for one in shown if one[key] is not None), reverse=direction < 0
            )
            expected = [*known, *(None for _ in nulls)]
            if direction < 0:
                expected = [*(None for _ in nulls), *known]
            assert [one[key] for one in shown] == expected
    assert spanning.apex.total(f"{several}&subject=of {other.id}") == 1


def test_foreign_member_is_forbidden(spanning: Both, tenant: Home):
    query = f"organization_id[$in][0]={tenant.id}&organization_id[$in][1]=9"
    for path in ("/activities", "/activities/1"):
        assert spanning.apex("GET", path, query=query).status_code == 403


def test_merged_lists_have_a_last_row(spanning: Both, tenant: Home, other: Home):
    several = f"organization_id[$in][0]={tenant.id}&organization_id[$in][1]={other.id}"
    assert spanning.apex("GET", query=f"{several}&$skip=990").status_code == 200
    assert spanning.apex("GET", query=f"{several}&$skip=991").status_code == 400


def test_spanning_ids_are_searched(spanning: Both, tenant: Home, other: Home):
    assert spanning.deskera.read(2)["name"] == f"of {tenant.id}"
    assert spanning.apex("GET", "/activities/2").json["organization_id"] == tenant.id
    for method in ("GET", "PUT", "DELETE"):
        answer = spanning.deskera(method, 1, json={"name": "x"})
        assert fields_of(answer) == (400, ["tenant_id"])
    for method in ("GET", "PATCH", "DELETE"):
        body = {"json": {"subject": "x"}} if method == "PATCH" else {}
        answer = spanning.apex(method, "/activities/1", **body)
        assert apex_problem(answer) == (400, "BadRequest", "/organization_id")
    query = f"organization_id={other.id}"
    changed = spanning.apex("PATCH", "/activities/1", query=query, json={"subject": "x"}).json
    assert (changed["organization_id"], changed["subject"]) == (other.id, "x")
    shown = spanning.apex("GET", "/activities/1", query=f"organization_id={tenant.id}").json
    assert shown["subject"] == f"of {tenant.id}"
    assert refused(spanning.deskera("GET", 3)) == NOT_FOUND


def test_spanning_bulk_needs_unique_ids(spanning: Both, tenant: Home):
    update = f"{PLACE}/bulkUpdate"
    answer = spanning.deskera("PATCH", update, json={"ids": [2, 1], "is_status": True})
    assert fields_of(answer) == (400, ["tenant_id"])
    answer = spanning.apex("PATCH", json={"ids": [2, 1], "done": True})
    assert apex_problem(answer) == (400, "BadRequest", "/organization_id")
    assert spanning.deskera.read(2)["is_status"] is False
    spanning.deskera("PATCH", update, json={"ids": [2], "is_status": True})
    assert spanning.deskera.read(2)["is_status"] is True
    body = {"ids": [2, 1], "done": False, "organization_id": tenant.id}
    assert spanning.apex("PATCH", json=body).json == {"updated": 2, "ids": [2, 1]}
    assert fields_of(spanning.deskera("POST", f"{PLACE}/bulkDelete", json=[1])) == (
        400,
        ["tenant_id"],
    )


def test_hidden_match_is_no_match(spanning: Both, client: FlaskClient, tenant: Home, other: Home):
    Both(client, tenant.caller(1).key).put(1, visibility_type="private", owner_id=8)
    assert fields_of(spanning.deskera("GET", 1)) == (400, ["tenant_id"])  # Its creator.
    stranger = Both(client, "")
    token = tenant.token(6, organization_id=[tenant.id, other.id])
    stranger.deskera.headers = {"x-access-token": token}
    assert stranger.deskera.read(1)["tenant_id"] == other.id
    stranger.put(1, name="found")
    assert Both(client, other.caller(1).key).deskera.read(1)["name"] == "found"
