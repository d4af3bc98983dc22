"""The clock of one of two gateways is set a day ahead and back: nobody can tell.

The present is the database's, read with every heartbeat; the gateway's own clock plays no part.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from support import fault_scene
from support.callers import JWT_SECRET
from support.fault_load import IS_LONG
from support.fault_scene import TENANTS, USER, Scene
from support.gateway_process import command, running
from support.own_servers import server_directory
from support.stepped_clock import SteppedClock

TENANT_ID = TENANTS["first"]
STEPS = (1, -1, 0) if IS_LONG else (1, -1)
TOKEN_SECONDS = 3
SLACK = timedelta(seconds=2)
PLACE = "/v1/crm/activities"


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    return SteppedClock(tmp_path / "clock")


@pytest.fixture
def scene(clock: SteppedClock, tmp_path: Path) -> Iterator[Scene]:
    """Give two gateways; the second has the clock."""
    with (
        server_directory() as directory,
        fault_scene.scene(directory, tmp_path, gateways=1) as made,
        running({**made.environ, **clock.environ}, log=tmp_path / "stepped", workers=1) as stepped,
    ):
        yield Scene(made.postgres, made.redis, [*made.gateways, stepped], made.log, made.environ)


class Client:
    """A caller of one gateway."""

    def __init__(self, port: int, key: str) -> None:
        """Connect with the first request."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._headers = {"x-access-token": key}

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the status and the body of an answer."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def token(expires_at: datetime) -> str:
    claims = {"sub": str(USER), "organization_id": TENANT_ID, "exp": expires_at}
    return jwt.encode(claims, JWT_SECRET, algorithm="HS256")


def test_stepped_clock_is_in_nobodys_way(
    scene: Scene, clock: SteppedClock, record_property: Callable[[str, object], None]
) -> None:
    ports = [gateway.port for gateway in scene.gateways]
    key = (
        command(
            scene.environ,
            *f"token create --tenant {TENANT_ID} --user 7 --scopes".split(),
            "read,write,directory",
        )
        .decode()
        .strip()
    )
    callers = [Client(port, key) for port in ports]
    began_at = datetime.now(UTC)
    with scene.load() as load:
        load.begin_fault()
        number = new_record(callers[0])
        for days in STEPS:
            clock.step(days=days)
            time.sleep(0.1)
            assert_token_ends(ports)
            assert_nothing_old_is_shown(callers, number, f"Ada {days}")
        load.end_fault()
    outcome = load.outcome("clock of one gateway set by +-1 day", scene.postgres.url)
    record_property("fault", outcome.row)
    assert outcome.verdict.is_clean
    assert not outcome.failures
    for caller in callers:
        caller.close()
    assert_stamps_between(scene.postgres.url, began_at - SLACK, datetime.now(UTC) + SLACK)


def new_record(caller: Client) -> int:
    status, made = caller.call("POST", PLACE, {"name": "with Ada", "contact_ids": [7]})
    assert status == 201
    return int(made["id"])


def assert_token_ends(ports: Sequence[int]) -> None:
    """A token opens every gateway until its end, and none afterwards."""
    ends_at = int(time.time()) + TOKEN_SECONDS  # A token knows whole seconds.
    callers = [Client(port, token(datetime.fromtimestamp(ends_at, UTC))) for port in ports]
    while time.time() < ends_at - 0.5:
        assert {caller.call("GET", PLACE)[0] for caller in callers} == {200}
        time.sleep(0.1)
    time.sleep(max(0.0, ends_at + 0.5 - time.time()))
    assert {caller.call("GET", PLACE)[0] for caller in callers} == {401}
    for caller in callers:
        caller.close()


def assert_nothing_old_is_shown(callers: Sequence[Client], number: int, name: str) -> None:
    """A renamed contact has its new name in every gateway within a second."""
    for writer in callers:
        new_name = f"{name} by {callers.index(writer)}"
        status, _ = writer.call("PUT", "/directory/contact/7", {"name": new_name})
        assert status in (200, 201)
        time.sleep(1)
        for reader in callers:
            _, shown = reader.call("GET", f"{PLACE}/{number}")
            assert [one["name"] for one in shown["contact_details"]] == [new_name]


def assert_stamps_between(url: str, first: datetime, last: datetime) -> None:
    """Whatever was created or changed was so in its order, and while the test ran."""
    with psycopg.connect(url) as session:
        stamps = session.execute(
            "SELECT created_at, updated_at FROM activities ORDER BY tenant_id, id"
        ).fetchall()
    assert all(first <= created <= updated <= last for created, updated in stamps)
