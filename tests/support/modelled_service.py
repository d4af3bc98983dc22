"""The running service as two users drive it, and what the oracle says that it must store."""

import itertools
from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask
from support.callers import Caller, Home
from support.clock import Clock
from support.oracle import Document, Record, Zones, achieveapex_view, deskera_view
from support.oracle_details import achieveapex_details, deskera_details
from support.oracle_writes import RejectedError
from werkzeug.test import TestResponse

from core.domain.model import Activity, Tenant, blank_activity
from core.storage.tenant_store import Tenants

USERS = (1, 2)
DESKERA, ACHIEVEAPEX = "/v1/crm/activities", "/activities"
tenant_ids = itertools.count(3_000_001)


class Service:
    """A new tenant of the service over HTTP, beside its records as they should be."""

    def __init__(self, app: Flask, clock: Clock, zones: Zones) -> None:
        """Found a tenant with two users."""
        self.clock, self.zones = clock, zones
        self.client = app.test_client()
        self.tenant = Tenant(next(tenant_ids), "T", zones.clocks, zones.stamps)
        self.records: dict[int, Record] = {}
        self.entities: dict[tuple[str, int], dict[str, Any]] = {}
        self.last_id = 0
        Tenants(app.extensions["database"]).create(self.tenant)
        home = Home(self.tenant.id, app, clock)
        self.callers = {user: home.caller(user, "read", "write", "directory") for user in USERS}

    def call(self, user: int, method: str, path: str, body: Any = None) -> TestResponse:
        """Make a call, a moment after the last one."""
        self.clock.advance(microseconds=1_234_567)
        caller: Caller = self.callers[user]
        raw = None if body is None else orjson.dumps(body)
        return self.client.open(path, method=method, headers=caller.headers, data=raw)

    def visible(self, user: int) -> dict[int, Record]:
        """Return the records that a user may see, in the order of their ids."""
        return {
            number: record
            for number, record in sorted(self.records.items())
            if record["visibility"] != "private"
            or user in (record["owner_id"], record["created_by"], *record["assignee_ids"])
        }

    def activity(self, number: int) -> Activity:
        """Return a record as the strategies of bodies take it."""
        return Activity(**self.records[number])

    def blank(self, user: int) -> Record:
        """Return what a create starts from, were it made now."""
        now = self.clock.now
        return blank_activity(tenant_id=self.tenant.id, user_id=user, now=now)._asdict()

    def keep(self, user: int, number: int, after: Record) -> None:
        """Store a record after a write: one that changes nothing moves nothing."""
        before = self.records[number]
        if not is_same(before, after):
            stamped = {"updated_at": self.clock.now, "updated_by": user}
            self.records[number] = after | stamped | {"version": before["version"] + 1}

    def add(self, after: Record) -> int:
        """Store a new record; return its id."""
        self.last_id += 1
        self.records[self.last_id] = after | {"id": self.last_id}
        return self.last_id

    def check_lists(self, user: int) -> None:
        """Compare the whole lists of both dialects with the oracle's."""
        visible = list(self.visible(user).values())
        directory = deskera_details(self.entities)
        listed = self.call(user, "GET", f"{DESKERA}?pageSize=500&sortBy=id&sortDir=asc").json
        assert listed == {
            "data": [deskera_view(record, self.zones, directory) for record in visible],
            "paginationInfo": {
                "page": 1,
                "totalRecords": len(visible),
                "isZeroState": not visible,
            },
        }
        query = "$limit=100&$sort[id]=1&fastJoinForActivityList=true"
        listed = self.call(user, "GET", f"{ACHIEVEAPEX}?{query}").json
        wanted = [self.in_achieveapex(record, detailed=False) for record in visible]
        assert listed == {"total": len(visible), "limit": 100, "skip": 0, "data": wanted}

    def check_one(self, user: int, number: int) -> None:
        """Compare the documents of one id in both dialects, and their ETags, with the oracle's."""
        record = self.visible(user).get(number)
        for path in (DESKERA, ACHIEVEAPEX):
            response = self.call(user, "GET", f"{path}/{number}")
            if record is None:
                assert response.status_code == 404
                continue
            document = (
                deskera_view(record, self.zones, deskera_details(self.entities))
                if path == DESKERA
                else self.in_achieveapex(record, detailed=True)
            )
            assert response.json == document
            assert response.headers["ETag"].startswith(f'"{record["version"]}-')

    def in_achieveapex(self, record: Record, *, detailed: bool) -> Document:
        """Return a record as AchieveApex must show it, with its expansions."""
        details = achieveapex_details(record, self.entities, detailed=detailed)
        return achieveapex_view(record) | details


def attempt(write: Callable[..., Record], *given: Any) -> Record | None:
    """Return what the oracle makes of a write; None if it refuses it."""
    try:
        return write(*given)
    except RejectedError:
        return None


def is_same(before: Record, after: Record) -> bool:
    """Return whether two records are equal; places are compared as JSON data."""
    places = [record["location_geocoded"] for record in (before, after)]
    left, right = (place and orjson.loads(place) for place in places)
    return before | {"location_geocoded": left} == after | {"location_geocoded": right}
