"""Who sees and changes what in both dialects: private records and tenants."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.both_api import Both, not_found
from support.callers import Home
from support.deskera_api import NOT_FOUND, PLACE, refused
from werkzeug.test import TestResponse

CREATOR, OWNER, FIRST, SECOND, ADMIN, STRANGER = 1, 2, 3, 4, 5, 6
PRIVATE = {
    "name": "secret plan",
    "visibility_type": "private",
    "owner_id": OWNER,
    "assignee_ids": [FIRST, SECOND],
    "contact_ids": [7],
}
People = Callable[[int], Both]


@pytest.fixture
def people(client: FlaskClient, tenant: Home) -> People:
    """Give a maker of the tenant's users."""

    def person(user_id: int) -> Both:
        scopes = ("read", "write", "admin") if user_id == ADMIN else ()
        return Both(client, tenant.caller(user_id, *scopes).key)

    return person


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
    for _ in range(3):  # A repeated response may come from the cache.
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
        person.apex("GET", query=query),
        person.apex("GET", query=f"organization_id[$in][]={other.id}"),
        person.apex("POST", query=query, json={"subject": "a"}),
        *(person.apex(method, "/activities/1", query=query) for method in ("GET", "DELETE")),
        person.apex("POST", json=body),
        person.apex("PATCH", "/activities/1", json=body),
        person.apex("PATCH", json={"ids": [1], "done": True, "organization_id": other.id}),
    ]
    assert [(answer.status_code, answer.json) for answer in answers] == [(403, refusal)] * 8
    # Inside a filter it is a column like any other, of which all rows have the same value.
    assert person.apex.total(f"organization_id[$gte]={other.id}") == 0
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
