"""Ids, lists, versions and deletions are shared by both dialects."""

from support import deskera_api
from support.both_api import Both


def test_both_dialects_number_together(both: Both):
    ids = [both.deskera.create(), both.apex.create()["id"], both.deskera.create()]
    assert ids == [1, 2, 3]
    assert both.deskera.page("sortBy=id&sortDir=asc") == ([1, 2, 3], 3)
    assert [record["id"] for record in both.apex("GET").json["data"]] == [1, 2, 3]


def test_filters_see_other_dialects_writes(both: Both):
    both.make()
    both.apex.create(subject="beta", contact_id=6, start_date="2025-04-15")
    assert both.apex.total("contact_id=6") == 2
    assert both.apex.total("assigned_to_user_id=7&company_id=4&deal_id=12") == 1
    assert both.apex.total("start_date=2025-04-15") == 2
    assert both.deskera.page("query=contact_id=6&sortBy=id") == ([2, 1], 2)
    assert both.deskera.page("query=name=BETA,date=2025-04-15,deal_id=0") == ([2], 1)


def test_deletes_are_seen_by_both(both: Both):
    for _ in range(3):
        both.deskera.create()
    both.deskera("DELETE", 1)
    both.apex("DELETE", "/activities/2")
    for activity_id in (1, 2):
        assert both.apex("GET", f"/activities/{activity_id}").status_code == 404
        assert both.deskera("GET", activity_id).status_code == 404
    assert (both.deskera.page(), both.apex.total()) == (([3], 1), 1)
    both.deskera("POST", f"{deskera_api.PLACE}/bulkDelete", json=[1, 2, 3])
    answer = both.apex("PATCH", json={"ids": [1, 2, 3], "done": True})
    assert (answer.json, both.apex.total()) == ({"updated": 0, "ids": []}, 0)


def test_bulk_changes_reach_both_dialects(both: Both):
    ids = [both.deskera.create() for _ in range(3)]
    update = {"ids": [3, 1, 1, 99], "is_status": True, "visibility_type": "private"}
    both.deskera("PATCH", f"{deskera_api.PLACE}/bulkUpdate", json=update)
    assert [both.shown(number)[0]["done"] for number in ids] == [True, False, True]
    answer = both.apex("PATCH", json={"ids": [2, 3, 2], "done": False})
    assert answer.json == {"updated": 2, "ids": [2, 3]}
    assert [both.deskera.read(number)["is_status"] for number in ids] == [True, False, False]
    assert both.deskera.page("query=is_status=true") == ([1], 1)


def test_versions_hold_in_both_dialects(both: Both):
    both.make()
    stale = both.apex("GET", "/activities/1").headers["ETag"]
    both.put(1, name="between")
    headers = {"If-Match": stale}
    assert both.apex("PATCH", "/activities/1", json={}, headers=headers).status_code == 412
    # Of an entity tag only the version counts on writes: either dialect's will do.
    fresh = {"If-Match": both.apex("GET", "/activities/1").headers["ETag"]}
    assert both.deskera("PUT", 1, json={"name": "after"}, headers=fresh).status_code == 200


def test_idempotency_keys_belong_to_dialects(both: Both):
    headers = {"Idempotency-Key": "same"}
    assert both.deskera("POST", json={"name": "a"}, headers=headers).json == {"id": 1}
    made = both.apex("POST", json={"subject": "b"}, headers=headers)
    assert (made.status_code, made.json["id"]) == (201, 2)
    assert both.deskera("POST", json={"name": "a"}, headers=headers).json == {"id": 1}
