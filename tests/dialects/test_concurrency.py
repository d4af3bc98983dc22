"""Writes at the same moment, through different dialects, on real threads and real PostgreSQL."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from flask import Flask
from support.callers import Home
from support.clock import Clock, age_keys
from werkzeug.test import TestResponse

from core.storage.database import Database

DESKERA, ACHIEVEAPEX = "/v1/crm/activities", "/activities"
PARALLEL = 8
ROUNDS = 5
both = pytest.mark.parametrize("path", [DESKERA, ACHIEVEAPEX], ids=["deskera", "achieveapex"])
CREATE = {DESKERA: {"name": "Once"}, ACHIEVEAPEX: {"subject": "Once"}}
CHANGE = {DESKERA: ("PUT", "name"), ACHIEVEAPEX: ("PATCH", "subject")}

Call = Callable[..., TestResponse]


@pytest.fixture
def call(app: Flask, tenant: Home) -> Call:
    """Give a call as the tenant's user, good on any thread."""
    headers = tenant.caller(1).headers

    def make(method: str, path: str, body: Any = None, **more: str) -> TestResponse:
        extra = {name.replace("_", "-"): value for name, value in more.items()}
        return app.test_client().open(path, method=method, json=body, headers=headers | extra)

    return make


def together(calls: Sequence[Callable[[], TestResponse]]) -> list[TestResponse]:
    """Make all calls at the same moment; return their answers in order."""
    barrier = threading.Barrier(len(calls))
    answers: list[TestResponse | None] = [None] * len(calls)

    def run(place: int) -> None:
        barrier.wait()
        answers[place] = calls[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


def create(call: Call) -> int:
    """Make an activity; return its id."""
    made = call("POST", DESKERA, {"name": "Act", "assignee_ids": [1, 2], "notes": "VGVzdA=="})
    return int(made.json["id"])


def test_writes_of_different_fields_both_hold(call: Call) -> None:
    number = create(call)
    writes = [
        ("PUT", f"{DESKERA}/{number}", "name", "n{}"),
        ("PATCH", f"{ACHIEVEAPEX}/{number}", "location", "l{}"),
        ("PUT", f"{DESKERA}/{number}", "source_id", "s{}"),
        ("PATCH", f"{ACHIEVEAPEX}/{number}", "public_description", "p{}"),
        ("PATCH", f"{ACHIEVEAPEX}/{number}", "note", "t{}"),
    ]
    for turn in range(ROUNDS):
        bodies = [(method, path, {key: text.format(turn)}) for method, path, key, text in writes]
        answers = together([partial(call, *it) for it in bodies])
        assert [answer.status_code for answer in answers] == [200] * len(writes)
        deskera = call("GET", f"{DESKERA}/{number}").json
        achieveapex = call("GET", f"{ACHIEVEAPEX}/{number}").json
        shown = [(deskera if "crm" in path else achieveapex)[key] for _, path, key, _ in writes]
        assert shown == [text.format(turn) for _, _, _, text in writes]


def test_bulk_and_single_writes_both_hold(call: Call) -> None:
    numbers = [create(call) for _ in range(4)]
    for turn in range(ROUNDS):
        done = bool(turn % 2)
        answers = together(
            [
                partial(call, "PATCH", ACHIEVEAPEX, {"ids": numbers, "done": done}),
                partial(
                    call,
                    "PATCH",
                    f"{DESKERA}/bulkUpdate",
                    {"ids": numbers[::-1], "visibility_type": "public" if done else "team"},
                ),
                *(
                    partial(call, "PUT", f"{DESKERA}/{n}", {"name": f"turn {turn}"})
                    for n in numbers
                ),
            ]
        )
        assert {answer.status_code for answer in answers} == {200}
        shown = [call("GET", f"{DESKERA}/{number}").json for number in numbers]
        seen = {(it["is_status"], it["visibility_type"], it["name"]) for it in shown}
        assert seen == {(done, "public" if done else "team", f"turn {turn}")}


def test_list_heads_and_lists_both_hold(call: Call) -> None:
    """A head written in one dialect and a list in the other end in one of the two orders."""
    number = create(call)
    for turn in range(ROUNDS):
        call("PUT", f"{DESKERA}/{number}", {"assignee_ids": [1, 2]})
        together(
            [
                partial(call, "PATCH", f"{ACHIEVEAPEX}/{number}", {"assigned_to_user_id": 9}),
                partial(call, "PUT", f"{DESKERA}/{number}", {"assignee_ids": [3, 4 + turn]}),
            ]
        )
        found = call("GET", f"{DESKERA}/{number}").json["assignee_ids"]
        assert found in ([3, 4 + turn], [9, 4 + turn])


def test_every_change_gets_its_own_version(call: Call) -> None:
    number = create(call)
    together(
        [
            partial(call, "PUT", f"{DESKERA}/{number}", {"source_id": str(n)})
            for n in range(PARALLEL)
        ]
    )
    etag = call("GET", f"{DESKERA}/{number}").headers["ETag"]
    assert etag.startswith(f'"{1 + PARALLEL}-')


@both
def test_parallel_repeats_make_one_record(call: Call, path: str) -> None:
    repeats = [
        partial(call, "POST", path, CREATE[path], Idempotency_Key="k") for _ in range(PARALLEL)
    ]
    answers = together(repeats)
    assert {(answer.status_code, answer.data) for answer in answers} == {(201, answers[0].data)}
    assert call("GET", DESKERA).json["paginationInfo"]["totalRecords"] == 1


@both
def test_repeat_with_another_body_conflicts(call: Call, path: str) -> None:
    bodies = [CREATE[path] | {"activity_type": kind} for kind in ("call", "meeting")]
    answers = together(
        [partial(call, "POST", path, bodies[n % 2], Idempotency_Key="k") for n in range(PARALLEL)]
    )
    assert Counter(answer.status_code for answer in answers) == {201: 4, 409: 4}
    assert call("GET", DESKERA).json["paginationInfo"]["totalRecords"] == 1


@both
def test_refused_create_leaves_key_free(call: Call, path: str) -> None:
    refused = call("POST", path, CREATE[path] | {"duration": -1}, Idempotency_Key="k")
    made = call("POST", path, CREATE[path], Idempotency_Key="k")
    assert (refused.status_code, made.status_code) == (400, 201)


def test_key_belongs_to_one_dialect(call: Call) -> None:
    answers = together(
        [
            partial(call, "POST", path, CREATE[path], Idempotency_Key="k")
            for path in (DESKERA, ACHIEVEAPEX)
        ]
    )
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json["id"] != answers[1].json["id"]


def test_key_belongs_to_one_user(app: Flask, tenant: Home) -> None:
    ids = set()
    for user in (1, 2):
        headers = tenant.caller(user).headers | {"Idempotency-Key": "k"}
        made = app.test_client().post(DESKERA, json={"name": "Once"}, headers=headers)
        ids.add(made.json["id"])
    assert len(ids) == 2


def test_repeat_is_answered_after_changes(call: Call) -> None:
    first = call("POST", ACHIEVEAPEX, CREATE[ACHIEVEAPEX], Idempotency_Key="k")
    number = first.json["id"]
    call("PATCH", f"{ACHIEVEAPEX}/{number}", {"subject": "Changed"})
    call("DELETE", f"{DESKERA}/{number}")
    repeat = call("POST", ACHIEVEAPEX, CREATE[ACHIEVEAPEX], Idempotency_Key="k")
    assert (repeat.status_code, repeat.data) == (201, first.data)


def test_key_is_dropped_after_a_day(
    call: Call, clock: Clock, database: Database, tenant: Home
) -> None:
    first = call("POST", DESKERA, CREATE[DESKERA], Idempotency_Key="k").json["id"]
    clock.advance(days=2)  # The clock of one gateway says nothing: the database's counts.
    age_keys(database, tenant.id, hours=23)
    assert call("POST", DESKERA, CREATE[DESKERA], Idempotency_Key="k").json["id"] == first
    age_keys(database, tenant.id, hours=25)
    assert call("POST", DESKERA, CREATE[DESKERA], Idempotency_Key="k").json["id"] != first


@both
def test_one_of_parallel_if_match_wins(call: Call, path: str) -> None:
    number = create(call)
    etag = call("GET", f"{path}/{number}").headers["ETag"]
    method, key = CHANGE[path]
    answers = together(
        [
            partial(call, method, f"{path}/{number}", {key: f"writer {n}"}, If_Match=etag)
            for n in range(PARALLEL)
        ]
    )
    counted = Counter(answer.status_code for answer in answers)
    assert counted == {200: 1, 412: PARALLEL - 1}
    winner = [answer.status_code for answer in answers].index(200)
    assert call("GET", f"{path}/{number}").json[key] == f"writer {winner}"


def test_if_match_counts_across_dialects(call: Call) -> None:
    number = create(call)
    etags = [call("GET", f"{path}/{number}").headers["ETag"] for path in (DESKERA, ACHIEVEAPEX)]
    assert etags[0] != etags[1]  # The bodies differ, the version is one.
    answers = together(
        [
            partial(call, "PUT", f"{DESKERA}/{number}", {"name": "a"}, If_Match=etags[1]),
            partial(call, "PATCH", f"{ACHIEVEAPEX}/{number}", {"done": True}, If_Match=etags[0]),
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


def test_one_of_parallel_deletes_wins(call: Call) -> None:
    number = create(call)
    answers = together([partial(call, "DELETE", f"{DESKERA}/{number}") for _ in range(PARALLEL)])
    counted = Counter(answer.status_code for answer in answers)
    assert counted == {204: 1, 404: PARALLEL - 1}
    assert call("GET", DESKERA).json["paginationInfo"]["totalRecords"] == 0


@both
def test_no_op_writes_move_nothing(call: Call, clock: Clock, path: str) -> None:
    number = create(call)
    before = {p: call("GET", f"{p}/{number}") for p in (DESKERA, ACHIEVEAPEX)}
    clock.advance(hours=25)
    method, _ = CHANGE[path]
    echo = before[path].json
    together([partial(call, method, f"{path}/{number}", echo) for _ in range(PARALLEL)])
    call(method, f"{path}/{number}", {})
    call("PATCH", ACHIEVEAPEX, {"ids": [number], "done": False})
    call("PATCH", f"{DESKERA}/bulkUpdate", {"ids": [number], "visibility_type": "team"})
    for p, was in before.items():
        now = call("GET", f"{p}/{number}")
        assert (now.json, now.headers["ETag"]) == (was.json, was.headers["ETag"])
        assert call("GET", f"{p}/{number}", If_None_Match=was.headers["ETag"]).status_code == 304


@both
def test_real_change_moves_stamp_and_etag(call: Call, clock: Clock, path: str) -> None:
    number = create(call)
    before = call("GET", f"{path}/{number}")
    clock.advance(hours=25)
    method, key = CHANGE[path]
    call(method, f"{path}/{number}", {key: "Another"})
    after = call("GET", f"{path}/{number}", If_None_Match=before.headers["ETag"])
    assert after.status_code == 200
    assert after.json["updated_at"] > before.json["updated_at"]
    assert after.json["created_at"] == before.json["created_at"]
    assert after.headers["ETag"] != before.headers["ETag"]


def test_version_of_refused_write_stays(call: Call) -> None:
    number = create(call)
    before = call("GET", f"{DESKERA}/{number}").headers["ETag"]
    refused = call("PUT", f"{DESKERA}/{number}", {"name": "new", "start": "never"})
    assert refused.status_code == 400
    assert call("GET", f"{DESKERA}/{number}").headers["ETag"] == before
