"""One machine that drives the running service through both dialects at once.

Beside it walks the oracle: after every step, both dialects must show two users exactly the
documents that the rules give, stamps and versions included.
"""

from typing import Any

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
from support.clock import Clock
from support.modelled_service import ACHIEVEAPEX, DESKERA, USERS, Service, attempt
from support.oracle import Document, Zones, achieveapex_view
from support.oracle_writes import achieveapex_write, deskera_write
from support.strategies import zones
from support.wire_bodies import achieveapex_bodies, achieveapex_keys, deskera_bodies, deskera_keys

from core.domain.model import Activity

EXAMPLES, STEPS = 100, 30
given_data = st.data()
users = st.sampled_from(USERS)
numbers = st.integers(1, 6)
id_lists = st.lists(numbers, min_size=1, max_size=4)
bulk_changes = st.fixed_dictionaries(
    {},
    optional={
        "is_status": st.booleans(),
        "visibility_type": st.sampled_from(("private", "public", "team")),
    },
)


class TwoDialects(RuleBasedStateMachine):
    """Rules are what clients do; each holds the answer against the oracle's."""

    def __init__(self, app: Flask, clock: Clock) -> None:
        """Start without a tenant."""
        super().__init__()
        self.app, self.clock = app, clock

    @initialize(clocks=zones, stamps=zones)
    def found_tenant(self, clocks: str, stamps: str) -> None:
        self.service = Service(self.app, self.clock, Zones(clocks, stamps))

    def has_records(self) -> bool:
        """Return whether there is anything to change."""
        return bool(self.service.records)

    def draw_known(self, data: st.DataObject) -> int:
        """Return the id of a record that is there."""
        return data.draw(st.sampled_from(sorted(self.service.records)))

    # Writes of one record.

    @rule(data=given_data, user=users)
    def create_in_deskera(self, data: st.DataObject, user: int) -> None:
        service = self.service
        blank = Activity(**service.blank(user))
        body = data.draw(deskera_bodies(blank, service.tenant, data.draw(deskera_keys)))
        response = service.call(user, "POST", DESKERA, body)
        after = attempt(deskera_write, service.blank(user), body, service.zones)
        if after is None:
            assert response.status_code == 400
        else:
            assert (response.status_code, response.json) == (201, {"id": service.add(after)})

    @rule(data=given_data, user=users)
    def create_in_achieveapex(self, data: st.DataObject, user: int) -> None:
        service = self.service
        blank = Activity(**service.blank(user))
        body = {"subject": ""} if data.draw(st.sampled_from((True, True, True, False))) else {}
        body |= data.draw(achieveapex_bodies(blank, service.tenant, data.draw(achieveapex_keys)))
        response = service.call(user, "POST", ACHIEVEAPEX, body)
        after = attempt(achieveapex_write, service.blank(user), body, service.zones)
        if after is None or "subject" not in body:
            assert response.status_code == 400
        else:
            record = service.records[service.add(after)]
            assert (response.status_code, response.json) == (201, achieveapex_view(record))

    @precondition(has_records)
    @rule(data=given_data, user=users)
    def put(self, data: st.DataObject, user: int) -> None:
        number = self.draw_known(data)
        activity, keys = self.service.activity(number), data.draw(deskera_keys)
        body = data.draw(deskera_bodies(activity, self.service.tenant, keys))
        self.put_body(user, number, body)

    @precondition(has_records)
    @rule(data=given_data, user=users, zone=st.one_of(st.just(""), zones))
    def change_zone(self, data: st.DataObject, user: int, zone: str) -> None:
        self.put_body(user, self.draw_known(data), {"user_timezone": zone})

    def put_body(self, user: int, number: int, body: Document) -> None:
        """Write a record in Deskera."""
        service = self.service
        response = service.call(user, "PUT", f"{DESKERA}/{number}", body)
        after = attempt(deskera_write, service.records[number], body, service.zones)
        if number not in service.visible(user):
            assert response.status_code == 404
        elif after is None:
            assert response.status_code == 400
        else:
            assert (response.status_code, response.json) == (200, {"id": number})
            service.keep(user, number, after)

    @precondition(has_records)
    @rule(data=given_data, user=users)
    def patch(self, data: st.DataObject, user: int) -> None:
        service, number = self.service, self.draw_known(data)
        activity, keys = service.activity(number), data.draw(achieveapex_keys)
        body = data.draw(achieveapex_bodies(activity, service.tenant, keys))
        response = service.call(user, "PATCH", f"{ACHIEVEAPEX}/{number}", body)
        after = attempt(achieveapex_write, service.records[number], body, service.zones)
        if number not in service.visible(user):
            assert response.status_code == 404
        elif after is None:
            assert response.status_code == 400
        else:
            service.keep(user, number, after)
            shown = achieveapex_view(service.records[number])
            assert (response.status_code, response.json) == (200, shown)

    @precondition(has_records)
    @rule(data=given_data, user=users)
    def echo_everything(self, data: st.DataObject, user: int) -> None:
        """Send back what was read, in both dialects: not even the ETag moves."""
        number = self.draw_known(data)
        for paths, method in ((DESKERA, "PUT"), (ACHIEVEAPEX, "PATCH")):
            path = f"{paths}/{number}"
            before = self.service.call(user, "GET", path)
            if before.status_code == 200:
                assert self.service.call(user, method, path, before.json).status_code == 200
                after = self.service.call(user, "GET", path)
                assert after.headers["ETag"] == before.headers["ETag"]

    # Writes of several records.

    @rule(ids=id_lists, user=users, done=st.booleans())
    def mark_in_achieveapex(self, ids: list[int], user: int, done: bool) -> None:
        service = self.service
        response = service.call(user, "PATCH", ACHIEVEAPEX, {"ids": ids, "done": done})
        found = [number for number in dict.fromkeys(ids) if number in service.visible(user)]
        assert response.json == {"updated": len(found), "ids": found}
        for number in found:
            service.keep(user, number, service.records[number] | {"completed": done})

    @rule(ids=id_lists, user=users, change=bulk_changes)
    def bulk_update(self, ids: list[int], user: int, change: Document) -> None:
        service = self.service
        response = service.call(user, "PATCH", f"{DESKERA}/bulkUpdate", {"ids": ids, **change})
        assert (response.status_code, response.data) == (200, b"")
        for number in service.visible(user).keys() & set(ids):
            record = service.records[number]
            service.keep(user, number, deskera_write(record, change, service.zones))

    @precondition(lambda self: len(self.service.records) > 2)
    @rule(number=numbers, user=users, way=st.sampled_from(("deskera", "bulk", "achieveapex")))
    def delete(self, number: int, user: int, way: str) -> None:
        service = self.service
        found = service.visible(user).get(number)
        if way == "bulk":
            body: Any = [number, number, 99]
            assert service.call(user, "POST", f"{DESKERA}/bulkDelete", body).status_code == 204
        elif way == "deskera":
            response = service.call(user, "DELETE", f"{DESKERA}/{number}")
            assert response.status_code == (204 if found else 404)
        else:
            response = service.call(user, "DELETE", f"{ACHIEVEAPEX}/{number}")
            assert response.status_code == (200 if found else 404)
            if found:
                gone = {"updated_at": self.clock.now, "deleted_at": self.clock.now}
                assert response.json == achieveapex_view(found | gone)
        if found:
            del service.records[number]

    # The directory.

    @rule(kind=st.sampled_from(("user", "contact", "company", "deal")), number=numbers, name=zones)
    def put_entity(self, kind: str, number: int, name: str) -> None:
        fields = {
            "user": {"first_name": name, "last_name": "L", "email": f"{name}@x.io"},
            "contact": {"name": name, "email": f"{name}@x.io"},
            "company": {"name": name, "website": f"https://{name}"},
            "deal": {"name": name, "stage": name},
        }[kind]
        sent = fields | ({"stage": {"name": name}} if kind == "deal" else {})
        path = f"/directory/{kind}/{number}"
        response = self.service.call(1, "PUT", path, {"kind": kind, "id": number, **sent})
        is_known = (kind, number) in self.service.entities
        assert response.status_code == (200 if is_known else 201)
        self.service.entities[kind, number] = fields

    # What must hold after every step.

    @invariant()
    def lists_show_what_rules_give(self) -> None:
        for user in USERS:
            self.service.check_lists(user)

    @invariant()
    def reads_show_what_rules_give(self) -> None:
        for number in range(1, self.service.last_id + 2):
            self.service.check_one(USERS[number % 2], number)


def test_both_dialects_show_what_rules_give(app: Flask, clock: Clock) -> None:
    run_state_machine_as_test(
        lambda: TwoDialects(app, clock),
        settings=settings(
            max_examples=max(EXAMPLES, settings().max_examples // 10),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )
