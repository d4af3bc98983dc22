"""One machine that drives the running service through both dialects at once.

Beside it walks the oracle: after every step, both dialects must show two users exactly the
documents that the rules give, stamps and versions included.
"""

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from conftest import Clock
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from oracle import Document, Record, Zones, achieveapex_view, deskera_view
from oracle_details import achieveapex_details, deskera_details
from oracle_writes import RejectedError, achieveapex_write, deskera_write
from stage import Caller, Home
from strategies import zones
from werkzeug.test import TestResponse
from wire_bodies import achieveapex_bodies, achieveapex_keys, deskera_bodies, deskera_keys

from core.model import Activity, Tenant, blank_activity
from core.tenants import Tenants

USERS = (1, 2)
DESKERA, ACHIEVEAPEX = "/v1/crm/activities", "/activities"
data = st.data()
users = st.sampled_from(USERS)
numbers = st.integers(1, 6)
tenant_ids = itertools.count(3_000_001)


class TwoDialects(RuleBasedStateMachine):
    """The service over HTTP, and the records that it should hold."""

    def __init__(self, app: Flask, clock: Clock) -> None:
        """Start without a tenant."""
        super().__init__()
        self.app, self.clock = app, clock
        self.client = app.test_client()
        self.records: dict[int, Record] = {}
        self.entities: dict[tuple[str, int], dict[str, Any]] = {}
        self.last_id = 0

    @initialize(clocks=zones, stamps=zones)
    def found_tenant(self, clocks: str, stamps: str) -> None:
        """Make a tenant with two users."""
        self.tenant = Tenant(next(tenant_ids), "T", clocks, stamps)
        self.zones = Zones(clocks, stamps)
        Tenants(self.app.extensions["database"]).create(self.tenant)
        home = Home(self.tenant.id, self.app, self.clock)
        self.callers = {user: home.caller(user, "read", "write", "directory") for user in USERS}

    def call(
        self, user: int, method: str, path: str, body: Any = None, **more: Any
    ) -> TestResponse:
        """Make a call, a moment after the last one."""
        self.clock.advance(microseconds=1_234_567)
        caller: Caller = self.callers[user]
        raw = None if body is None else orjson.dumps(body)
        return self.client.open(path, method=method, headers=caller.headers, data=raw, **more)

    def visible(self, user: int) -> dict[int, Record]:
        """Return the records that a user may see, in the order of their ids."""
        return {
            number: record
            for number, record in sorted(self.records.items())
            if record["visibility"] != "private"
            or user in (record["owner_id"], record["created_by"], *record["assignee_ids"])
        }

    def known(self, draw: st.DataObject) -> int:
        """Return the id of a record that is there."""
        return draw.draw(st.sampled_from(sorted(self.records)))

    def activity(self, number: int) -> Activity:
        """Return a record as the strategies of bodies take it."""
        return Activity(**self.records[number])

    def blank(self, user: int) -> Record:
        """Return what a create starts from, were it made now."""
        now = self.clock.now
        return blank_activity(tenant_id=self.tenant.id, user_id=user, now=now)._asdict()

    def keep(self, user: int, number: int, after: Record) -> None:
        """Hold a record after a write: one that changes nothing moves nothing."""
        before = self.records[number]
        if same(before, after):
            return
        stamped = {"updated_at": self.clock.now, "updated_by": user}
        self.records[number] = after | stamped | {"version": before["version"] + 1}

    def add(self, after: Record) -> int:
        """Hold a new record; return its id."""
        self.last_id += 1
        self.records[self.last_id] = after | {"id": self.last_id}
        return self.last_id

    # Writes of one record.

    @rule(data=data, user=users)
    def create_in_deskera(self, data: st.DataObject, user: int) -> None:
        blank = self.blank(user)
        body = data.draw(deskera_bodies(Activity(**blank), self.tenant, data.draw(deskera_keys)))
        response = self.call(user, "POST", DESKERA, body)
        after = attempt(deskera_write, self.blank(user), body, self.zones)
        if after is None:
            assert response.status_code == 400
        else:
            assert (response.status_code, response.json) == (201, {"id": self.add(after)})

    @rule(data=data, user=users)
    def create_in_achieveapex(self, data: st.DataObject, user: int) -> None:
        blank = self.blank(user)
        keys = data.draw(achieveapex_keys)
        body = data.draw(achieveapex_bodies(Activity(**blank), self.tenant, keys))
        response = self.call(user, "POST", ACHIEVEAPEX, body)
        after = attempt(achieveapex_write, self.blank(user), body, self.zones)
        if after is None or "subject" not in body:
            assert response.status_code == 400
        else:
            record = self.records[self.add(after)]
            assert (response.status_code, response.json) == (201, achieveapex_view(record))

    @precondition(lambda self: self.records)
    @rule(data=data, user=users)
    def put(self, data: st.DataObject, user: int) -> None:
        number = self.known(data)
        keys = data.draw(deskera_keys)
        self.put_body(
            user, number, data.draw(deskera_bodies(self.activity(number), self.tenant, keys))
        )

    @precondition(lambda self: self.records)
    @rule(data=data, user=users, zone=st.one_of(st.just(""), zones))
    def change_zone(self, data: st.DataObject, user: int, zone: str) -> None:
        self.put_body(user, self.known(data), {"user_timezone": zone})

    def put_body(self, user: int, number: int, body: Document) -> None:
        """Write in Deskera."""
        response = self.call(user, "PUT", f"{DESKERA}/{number}", body)
        after = attempt(deskera_write, self.records[number], body, self.zones)
        if number not in self.visible(user):
            assert response.status_code == 404
        elif after is None:
            assert response.status_code == 400
        else:
            assert (response.status_code, response.json) == (200, {"id": number})
            self.keep(user, number, after)

    @precondition(lambda self: self.records)
    @rule(data=data, user=users)
    def patch(self, data: st.DataObject, user: int) -> None:
        number = self.known(data)
        activity, keys = self.activity(number), data.draw(achieveapex_keys)
        body = data.draw(achieveapex_bodies(activity, self.tenant, keys))
        response = self.call(user, "PATCH", f"{ACHIEVEAPEX}/{number}", body)
        after = attempt(achieveapex_write, self.records[number], body, self.zones)
        if number not in self.visible(user):
            assert response.status_code == 404
        elif after is None:
            assert response.status_code == 400
        else:
            self.keep(user, number, after)
            shown = achieveapex_view(self.records[number])
            assert (response.status_code, response.json) == (200, shown)

    @precondition(lambda self: self.records)
    @rule(data=data, user=users)
    def echo_everything(self, data: st.DataObject, user: int) -> None:
        """Send back what was read, in both dialects: not even the ETag moves."""
        number = self.known(data)
        for path, method in ((DESKERA, "PUT"), (ACHIEVEAPEX, "PATCH")):
            path = f"{path}/{number}"
            before = self.call(user, "GET", path)
            if before.status_code == 200:
                assert self.call(user, method, path, before.json).status_code == 200
                assert self.call(user, "GET", path).headers["ETag"] == before.headers["ETag"]

    # Writes of several records.

    @rule(ids=st.lists(numbers, min_size=1), user=users, done=st.booleans())
    def mark_in_achieveapex(self, ids: list[int], user: int, done: bool) -> None:
        response = self.call(user, "PATCH", ACHIEVEAPEX, {"ids": ids, "done": done})
        found = [number for number in dict.fromkeys(ids) if number in self.visible(user)]
        assert response.json == {"updated": len(found), "ids": found}
        for number in found:
            self.keep(user, number, self.records[number] | {"completed": done})

    @rule(
        ids=st.lists(numbers, min_size=1),
        user=users,
        change=st.fixed_dictionaries(
            {},
            optional={
                "is_status": st.booleans(),
                "visibility_type": st.sampled_from(("private", "public", "team")),
            },
        ),
    )
    def bulk_update(self, ids: list[int], user: int, change: Document) -> None:
        response = self.call(user, "PATCH", f"{DESKERA}/bulkUpdate", {"ids": ids, **change})
        assert (response.status_code, response.data) == (200, b"")
        for number in [number for number in set(ids) if number in self.visible(user)]:
            record = self.records[number]
            self.keep(user, number, deskera_write(record, change, self.zones))

    @rule(ids=st.lists(numbers, min_size=1, max_size=2), user=users)
    def bulk_delete(self, ids: list[int], user: int) -> None:
        response = self.call(user, "POST", f"{DESKERA}/bulkDelete", ids)
        assert (response.status_code, response.data) == (204, b"")
        for number in [number for number in set(ids) if number in self.visible(user)]:
            del self.records[number]

    @rule(number=numbers, user=users)
    def delete_in_deskera(self, number: int, user: int) -> None:
        response = self.call(user, "DELETE", f"{DESKERA}/{number}")
        found = self.visible(user).get(number)
        assert response.status_code == (204 if found else 404)
        self.records.pop(number if found else 0, None)

    @rule(number=numbers, user=users)
    def delete_in_achieveapex(self, number: int, user: int) -> None:
        response = self.call(user, "DELETE", f"{ACHIEVEAPEX}/{number}")
        found = self.visible(user).get(number)
        assert response.status_code == (200 if found else 404)
        if found:
            now: datetime = self.clock.now
            removed = self.records.pop(number) | {"updated_at": now, "deleted_at": now}
            assert response.json == achieveapex_view(removed)

    @rule(kind=st.sampled_from(("user", "contact", "company", "deal")), number=numbers, name=zones)
    def put_entity(self, kind: str, number: int, name: str) -> None:
        fields = {"user": {"first_name": name, "last_name": "L", "email": f"{name}@x.io"}}
        fields["contact"] = {"name": name, "email": f"{name}@x.io"}
        fields["company"] = {"name": name, "website": f"https://{name}"}
        fields["deal"] = {"name": name, "stage": name}
        sent = fields[kind] | ({"stage": {"name": name}} if kind == "deal" else {})
        path = f"/directory/{kind}/{number}"
        response = self.call(1, "PUT", path, {"kind": kind, "id": number, **sent})
        assert response.status_code in (200, 201), response.text
        self.entities[kind, number] = fields[kind]

    # What must hold after every step.

    @invariant()
    def both_dialects_show_the_records(self) -> None:
        for user in USERS:
            visible = self.visible(user)
            self.check_deskera_list(user, list(visible.values()))
            self.check_achieveapex_list(user, list(visible.values()))

    def check_deskera_list(self, user: int, visible: list[Record]) -> None:
        """Compare Deskera's whole list with the oracle's."""
        listed = self.call(user, "GET", f"{DESKERA}?pageSize=500&sortBy=id&sortDir=asc").json
        directory = deskera_details(self.entities)
        assert listed == {
            "data": [deskera_view(record, self.zones, directory) for record in visible],
            "paginationInfo": {
                "page": 1,
                "totalRecords": len(visible),
                "isZeroState": not visible,
            },
        }

    def check_achieveapex_list(self, user: int, visible: list[Record]) -> None:
        """Compare AchieveApex's whole list with the oracle's."""
        query = "$limit=100&$sort[id]=1&fastJoinForActivityList=true"
        listed = self.call(user, "GET", f"{ACHIEVEAPEX}?{query}").json
        wanted = [
            achieveapex_view(record) | achieveapex_details(record, self.entities, detailed=False)
            for record in visible
        ]
        assert listed == {"total": len(visible), "limit": 100, "skip": 0, "data": wanted}

    @invariant()
    def both_dialects_show_single_records(self) -> None:
        user = USERS[self.last_id % 2]
        for number in range(1, self.last_id + 2):
            record = self.visible(user).get(number)
            wanted = (None, None)
            if record is not None:
                details = achieveapex_details(record, self.entities, detailed=True)
                directory = deskera_details(self.entities)
                wanted = (
                    deskera_view(record, self.zones, directory),
                    achieveapex_view(record) | details,
                )
            for path, document in zip((DESKERA, ACHIEVEAPEX), wanted, strict=True):
                response = self.call(user, "GET", f"{path}/{number}")
                if record is None:
                    assert response.status_code == 404
                else:
                    assert response.json == document
                    assert response.headers["ETag"].startswith(f'"{record["version"]}-')


def attempt(write: Callable[..., Record], *given: Any) -> Record | None:
    """Return what the oracle makes of a write; None if it refuses it."""
    try:
        return write(*given)
    except RejectedError:
        return None


def same(before: Record, after: Record) -> bool:
    """Return whether two records are equal; places are compared as JSON data."""
    places = [record["location_geocoded"] for record in (before, after)]
    left, right = (place and orjson.loads(place) for place in places)
    return before | {"location_geocoded": left} == after | {"location_geocoded": right}


def test_machine_of_both_dialects(app: Flask, clock: Clock) -> None:
    profile = settings()
    run_state_machine_as_test(
        lambda: TwoDialects(app, clock),
        settings=settings(
            max_examples=max(40, profile.max_examples // 10),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
