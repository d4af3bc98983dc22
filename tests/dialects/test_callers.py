"""Who sees and changes what in both dialects: private records, tenants, credentials."""

import time
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.both_api import Both
from support.deskera_api import FORBIDDEN, NOT_FOUND, PLACE, UNAUTHORIZED, fields_of, refused
from support.stage import Clock, Home
from werkzeug.test import TestResponse

from core.domain.model import Tenant
from core.storage.credential_store import Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from gateway.auth.authenticator import KEY_RECHECK_SECONDS

CREATOR, OWNER, FIRST, SECOND, ADMIN, STRANGER = 1, 2, 3, 4, 5, 6
PRIVATE = {
    "name": "secret plan",
    "visibility_type": "private",
    "owner_id": OWNER,
    "assignee_ids": [FIRST, SECOND],
    "contact_ids": [7],
}
BASIC = "Basic Y2xpZW50OnNlY3JldA=="
ORDERS = {
    "deskera": ("x-access-token", "x-api-key", "Authorization"),
    "apex": ("x-api-key", "Authorization", "x-access-token"),
}

People = Callable[[int], Both]


@pytest.fixture
def people(client: FlaskClient, tenant: Home) -> People:
    """Give a maker of the tenant's users."""

    def person(user_id: int) -> Both:
        scopes = ("read", "write", "admin") if user_id == ADMIN else ()
        return Both(client, tenant.caller(user_id, *scopes).key)

    return person


@pytest.fixture
def other(app: Flask, database: Database, clock: Clock, tenant: Home) -> Home:
    """Give a second tenant."""
    home = Home(tenant.id + 600_000, app, clock)
    Tenants(database).create(Tenant(home.id, "Another", "UTC", "UTC"))
    return home


def not_found(activity_id: int) -> dict[str, Any]:
    """Return what AchieveApex says of an activity that is not there."""
    message = f"No record found for id '{activity_id}'"
    return {"name": "NotFound", "message": message, "code": 404, "className": "not-found"}


def lists(person: Both) -> dict[str, list[int]]:
    """Return which ids every kind of list shows, having compared them with its total."""
    queries = ["", "query=name=plan", "query=contact_id=7", "query=assignee_id=3&sortBy=start"]
    shown: dict[str, list[int]] = {}
    for query in queries:
        shown[f"deskera {query}"], total = person.deskera.page(query)
        assert total == len(shown[f"deskera {query}"])
    queries = ["", "subject=plan", "id[$in][]=1", "$or[0][contact_id]=7&$or[1][id]=1", "id[$gt]=0"]
    for query in queries:
        page = person.apex("GET", query=query).json
        shown[f"apex {query}"] = [record["id"] for record in page["data"]]
        assert page["total"] == len(page["data"])
    return shown


def refusals(person: Both, activity_id: int) -> list[TestResponse]:
    """Return the answers to every call by id, in both dialects."""
    path = f"/activities/{activity_id}"
    return [
        person.deskera("GET", activity_id),
        person.deskera("PUT", activity_id, json={"is_status": True}, headers={"If-Match": '"0-"'}),
        person.deskera("DELETE", activity_id),
        person.apex("GET", path),
        person.apex("PATCH", path, json={"done": True}, headers={"If-Match": '"0-"'}),
        person.apex("DELETE", path),
    ]


def bulk(person: Both, ids: list[int]) -> dict[str, Any]:
    """Make every bulk call; return AchieveApex's answer, the only one that tells anything."""
    update = {"ids": ids, "visibility_type": "public", "is_status": True}
    assert person.deskera("PATCH", f"{PLACE}/bulkUpdate", json=update).status_code == 200
    answer = dict(person.apex("PATCH", json={"ids": ids, "done": True}).json)
    assert person.deskera("POST", f"{PLACE}/bulkDelete", json=ids).status_code == 204
    return answer


def assert_not_there(person: Both, activity_id: int) -> None:
    """Check that no call tells that there is such an activity."""
    answers = refusals(person, activity_id)
    assert [refused(answer) for answer in answers[:3]] == [NOT_FOUND] * 3
    assert [answer.json for answer in answers[3:]] == [not_found(activity_id)] * 3
    assert bulk(person, [activity_id]) == {"updated": 0, "ids": []}


def test_strangers_never_meet_private_records(people: People):
    creator, stranger = people(CREATOR), people(STRANGER)
    creator.deskera.create(**PRIVATE)
    before = creator.shown(1)
    assert {tuple(ids) for ids in lists(stranger).values()} == {()}
    assert stranger.deskera("GET").json["paginationInfo"]["isZeroState"] is True
    assert_not_there(stranger, 1)
    assert creator.shown(1) == before


@pytest.mark.parametrize("user_id", [CREATOR, OWNER, FIRST, SECOND, ADMIN])
def test_those_concerned_meet_private_records(people: People, user_id: int):
    creator, person = people(CREATOR), people(user_id)
    creator.deskera.create(**PRIVATE)
    assert {tuple(ids) for ids in lists(person).values()} == {(1,)}
    assert person.shown(1) == creator.shown(1)
    person.put(1, name="from deskera")
    assert person.patch(1, note="from apex")["subject"] == "from deskera"
    assert creator.deskera.read(1)["updated_by"] == user_id
    assert bulk(person, [1]) == {"updated": 1, "ids": [1]}
    assert_not_there(creator, 1)


def test_apex_creates_can_turn_private(people: People):
    creator, stranger = people(CREATOR), people(STRANGER)
    assert creator.apex.create(subject="open")["id"] == 1
    for _ in range(3):  # Answers that are asked for again may be kept.
        assert (stranger.apex.total(), stranger.deskera.page()) == (1, ([1], 1))
    creator.put(1, visibility_type="private")
    assert (stranger.apex.total(), stranger.deskera.page()) == (0, ([], 0))
    creator.patch(1, assigned_to_user_id=STRANGER)
    assert (stranger.apex.total(), stranger.deskera.page()) == (1, ([1], 1))
    # Whoever gives away the last tie sees the answer of that write, and nothing after it.
    assert stranger.patch(1, assigned_to_user_id=CREATOR)["assigned_to_user_id"] == CREATOR
    assert (stranger.apex.total(), stranger.deskera.page()) == (0, ([], 0))
    creator.put(1, visibility_type="team")
    assert (stranger.apex.total(), stranger.deskera.page()) == (1, ([1], 1))


def test_totals_count_what_each_sees(people: People):
    for user_id in (CREATOR, STRANGER, CREATOR):
        people(user_id).deskera.create(visibility_type="private", name=f"of {user_id}")
    people(CREATOR).apex.create(subject="of all")
    seen = {user: people(user).deskera.page("sortBy=id&sortDir=asc") for user in (1, 6, 5, 9)}
    assert seen == {1: ([1, 3, 4], 3), 6: ([2, 4], 2), 5: ([1, 2, 3, 4], 4), 9: ([4], 1)}
    assert {user: people(user).apex.total("subject=of") for user in seen} == {
        1: 3,
        6: 2,
        5: 4,
        9: 1,
    }


def test_tenants_never_meet_each_other(client: FlaskClient, tenant: Home, other: Home):
    here, there = Both(client, tenant.caller(ADMIN, "read", "write", "admin").key), other.caller(1)
    them = Both(client, there.key)
    for _ in range(2):
        them.deskera.create(**PRIVATE | {"visibility_type": "public"})
    before = [them.shown(number) for number in (1, 2)]
    assert {tuple(ids) for ids in lists(here).values()} == {()}
    assert_not_there(here, 1)
    here.deskera.create(tenant_id=other.id)
    assert here.deskera.read(1)["tenant_id"] == tenant.id
    assert_not_there(here, 2)
    assert bulk(here, [1, 2]) == {"updated": 1, "ids": [1]}
    assert [them.shown(number) for number in (1, 2)] == before
    assert (here.apex.total(), them.apex.total()) == (0, 2)


def test_foreign_organizations_are_refused(people: People, other: Home):
    person = people(CREATOR)
    person.make()
    query = f"organization_id={other.id}"
    refusal = {
        "name": "Forbidden",
        "message": "You do not have access to this organization",
        "code": 403,
        "className": "forbidden",
    }
    body = {"subject": "a", "done": True, "organization_id": other.id}
    answers = [
        *(person.apex(method, query=query, json={"subject": "a"}) for method in ("GET", "POST")),
        *(person.apex(method, "/activities/1", query=query) for method in ("GET", "DELETE")),
        person.apex("POST", json=body),
        person.apex("PATCH", "/activities/1", json=body),
        person.apex("PATCH", json={"ids": [1], "done": True, "organization_id": other.id}),
    ]
    assert [(answer.status_code, answer.json) for answer in answers] == [(403, refusal)] * 7
    # Inside a filter it is a column like any other, of which all rows have the same value.
    for operator in ("[$in][]", "[$gte]"):
        assert person.apex.total(f"organization_id{operator}={other.id}") == 0
    assert person.shown(1)[0]["done"] is False


def test_details_come_from_own_directory(client: FlaskClient, tenant: Home, other: Home):
    shown = []
    for home in (tenant, other):
        person = Both(client, home.caller(1, "read", "write", "directory").key)
        contact = {"name": f"of {home.id}"}
        path = "/directory/contact/7"
        assert client.put(path, json=contact, headers=person.deskera.headers).status_code == 201
        person.deskera.create(contact_ids=[7])
        names = [detail["name"] for detail in person.deskera.read(1)["contact_details"]]
        shown += [*names, person.apex("GET", "/activities/1").json["contact"]["full_name"]]
    assert shown == [f"of {tenant.id}"] * 2 + [f"of {other.id}"] * 2


def caller_of(client: FlaskClient, reader: Both, dialect: str, headers: dict[str, str]) -> int:
    """Return as whom the headers create an activity, or the status of the refusal, negative."""
    path, body = (PLACE, {}) if dialect == "deskera" else ("/activities", {"subject": "a"})
    made = client.post(path, json=body, headers=headers)
    if made.status_code != 201:
        return -made.status_code
    return int(reader.deskera.read(made.json["id"])["created_by"])


@pytest.mark.parametrize("dialect", ORDERS)
def test_first_header_present_decides(client: FlaskClient, tenant: Home, dialect: str):
    reader = Both(client, tenant.caller(9).key)
    good = {
        "x-access-token": tenant.caller(1).key,
        "x-api-key": tenant.caller(2).key,
        "Authorization": f"Bearer {tenant.token(3)}",
    }
    users = {name: number for number, name in enumerate(good, 1)}
    for size in (1, 2, 3):
        for names in combinations(ORDERS[dialect], size):
            headers = {name: good[name] for name in names}
            assert caller_of(client, reader, dialect, headers) == users[names[0]], names
            spoilt = headers | {names[0]: good[names[0]] + "x"}
            assert caller_of(client, reader, dialect, spoilt) == -401, names


@pytest.mark.parametrize("dialect", ORDERS)
def test_each_kind_has_its_headers(client: FlaskClient, tenant: Home, dialect: str):
    reader = Both(client, tenant.caller(9).key)
    key, token = tenant.caller(1).key, tenant.token(1)
    kinds = {
        ("x-access-token", key): 1,
        ("x-access-token", token): 1,
        ("x-access-token", f" {key} "): 1,
        ("x-access-token", f"Bearer {token}"): -401,
        ("x-api-key", key): 1,
        ("x-api-key", token): -401,
        ("Authorization", f"Bearer {token}"): 1,
        ("Authorization", f"bearer {token}"): 1,
        ("Authorization", token): 1,
        ("Authorization", f"Bearer {key}"): -401,
        ("Authorization", BASIC): -401,
        ("Cookie", f"x-access-token={key}"): -401,
    }
    found = {case: caller_of(client, reader, dialect, dict([case])) for case in kinds}
    assert found == kinds


@pytest.mark.parametrize("dialect", ORDERS)
def test_basic_counts_for_nothing(client: FlaskClient, tenant: Home, dialect: str):
    reader = Both(client, tenant.caller(9).key)
    for name in ("x-access-token", "x-api-key"):
        headers = {"Authorization": BASIC, name: tenant.caller(1).key}
        assert caller_of(client, reader, dialect, headers) == 1
        headers[name] = "spoilt"
        assert caller_of(client, reader, dialect, headers) == -401


def test_claims_decide_in_both_dialects(client: FlaskClient, tenant: Home, clock: Clock):
    reader = Both(client, tenant.caller(9).key)
    nobody = {"sub": None, "organization_id": None}
    claims: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"sub": 8}, 8),
        ({"sub": None, "userId": 7}, 7),
        ({"organization_id": None, "tenant_id": tenant.id}, 1),
        (nobody | {"userId": 126944, "user_name": f"126944:{tenant.id}"}, 126944),
        ({"organization_id": None}, -401),
        (nobody, -401),
        ({"organization_id": 999_999_999}, -401),
        ({"organization_id": "acme"}, -401),
        ({"organization_id": []}, -401),
        ({"sub": "me"}, -401),
        ({"exp": None}, -401),
        ({"exp": clock.now}, -401),
        ({"nbf": clock.now + timedelta(seconds=1)}, -401),
        ({"scope": "read"}, -403),
        ({"scope": ""}, -403),
    ]
    for given, expected in claims:
        token = tenant.token(1, **given)
        for dialect in ORDERS:
            for headers in ({"x-access-token": token}, {"Authorization": f"Bearer {token}"}):
                assert caller_of(client, reader, dialect, headers) == expected, given


def test_dead_keys_are_refused_everywhere(
    app: Flask, client: FlaskClient, tenant: Home, clock: Clock
):
    credentials: Credentials = app.extensions["credentials"]
    revoked, ends_at = tenant.caller(1).key, clock.now + timedelta(minutes=1)
    expired = credentials.create(tenant_id=tenant.id, user_id=1, expires_at=ends_at)
    persons = [Both(client, key) for key in (revoked, expired)]
    assert [person.apex.total() for person in persons] == [0, 0]
    assert [person.deskera.page() for person in persons] == [([], 0)] * 2
    assert credentials.revoke(revoked)
    clock.now = ends_at
    time.sleep(KEY_RECHECK_SECONDS)
    for person in persons:
        assert refused(person.deskera("GET")) == UNAUTHORIZED
        assert person.apex("GET").json == {
            "name": "NotAuthenticated",
            "message": "Invalid API key",
            "code": 401,
            "className": "not-authenticated",
        }


def test_scopes_hold_in_both_dialects(client: FlaskClient, tenant: Home):
    forbidden = {"name": "Forbidden", "message": "Forbidden", "code": 403, "className": "forbidden"}
    allowed = {"read": ["GET"], "write": ["PUT", "PATCH", "DELETE"], "directory": [], "admin": []}
    for scope, methods in allowed.items():
        person = Both(client, tenant.caller(1, scope).key)
        for method in ("GET", "PUT", "DELETE"):
            answer = person.deskera(method, 1, json={})
            assert (answer.status_code == 404) == (method in methods)
            assert method in methods or refused(answer) == FORBIDDEN
        for method in ("GET", "PATCH", "DELETE"):
            answer = person.apex(method, "/activities/1", json={})
            assert answer.json == (not_found(1) if method in methods else forbidden)


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
        assert fields_of(answer) == (400, ["organization_id"])
    for answer in (spanning.apex("GET"), spanning.apex("POST", json={"subject": "a"})):
        assert apex_problem(answer) == (400, "BadRequest", "/organization_id")
    totals = [spanning.apex.total(f"organization_id={home.id}") for home in (tenant, other)]
    assert totals == [2, 1]
    made = spanning.apex.create(organization_id=other.id)
    assert (made["id"], made["organization_id"]) == (2, other.id)


def test_spanning_ids_are_searched(spanning: Both, tenant: Home, other: Home):
    assert spanning.deskera.read(2)["name"] == f"of {tenant.id}"
    assert spanning.apex("GET", "/activities/2").json["organization_id"] == tenant.id
    for method in ("GET", "PUT", "DELETE"):
        answer = spanning.deskera(method, 1, json={"name": "x"})
        assert fields_of(answer) == (400, ["organization_id"])
    for method in ("GET", "PATCH", "DELETE"):
        answer = spanning.apex(method, "/activities/1", json={"subject": "x"})
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
    assert fields_of(answer) == (400, ["organization_id"])
    answer = spanning.apex("PATCH", json={"ids": [2, 1], "done": True})
    assert apex_problem(answer) == (400, "BadRequest", "/organization_id")
    assert spanning.deskera.read(2)["is_status"] is False
    spanning.deskera("PATCH", update, json={"ids": [2], "is_status": True})
    assert spanning.deskera.read(2)["is_status"] is True
    body = {"ids": [2, 1], "done": False, "organization_id": tenant.id}
    assert spanning.apex("PATCH", json=body).json == {"updated": 2, "ids": [2, 1]}
    assert fields_of(spanning.deskera("POST", f"{PLACE}/bulkDelete", json=[1])) == (
        400,
        ["organization_id"],
    )


def test_hidden_match_is_no_match(spanning: Both, client: FlaskClient, tenant: Home, other: Home):
    Both(client, tenant.caller(1).key).put(1, visibility_type="private", owner_id=8)
    assert fields_of(spanning.deskera("GET", 1)) == (400, ["organization_id"])  # Its creator.
    stranger = Both(client, "")
    token = tenant.token(6, organization_id=[tenant.id, other.id])
    stranger.deskera.headers = {"x-access-token": token}
    assert stranger.deskera.read(1)["tenant_id"] == other.id
    stranger.put(1, name="found")
    assert Both(client, other.caller(1).key).deskera.read(1)["name"] == "found"
