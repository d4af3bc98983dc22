"""What the event loop answers by itself: to the byte what the application would, and never late."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from support.callers import JWT_SECRET
from support.gateway_process import command, make_keys, served

from core.domain.clock import utc_now
from core.storage.credential_store import Credentials
from core.storage.database import Database

TENANT = 1202
USER, OTHER = 45, 46
CHANGING = frozenset({"x-request-id", "date"})
LOOKUPS = 'crm_gateway_cache_lookups_total{layer="response",result="hit"}'
TARGETS = (
    "/v1/crm/activities",
    "/v1/crm/activities?page=1&pageSize=2&sortBy=id&nonsense=1",
    "/v1/crm/activities?query=name=call",
    "/v1/crm/activities/1",
    "/activities",
    "/activities/",
    "/activities?$limit=1&$sort[id]=-1&fastJoinForActivityList=true",
    "/activities/1",
    "/activities/1?$select[]=subject",
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def lasting(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Everything but what is another each time, in the order of the wire."""
        headers = [pair for pair in self.headers.items() if pair[0].lower() not in CHANGING]
        return self.status, headers, self.body


class Service:
    """A running gateway of one worker, asked over one connection."""

    def __init__(self, port: int, key: str, log: Path) -> None:
        self.key = key
        self.log = log
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def call(
        self, method: str, target: str, body: Any = None, *, key: str = "", **headers: str
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"x-access-token": key or self.key, **named}
        sent = None if body is None else json.dumps(body)
        self.connection.request(method, target, sent, given)
        response = self.connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())

    def get(self, target: str, **given: Any) -> Answer:
        return self.call("GET", target, **given)

    def hits(self) -> float:
        lines = self.get("/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(LOOKUPS))

    def hit(self, target: str, *, method: str = "GET", **given: Any) -> Answer:
        """Ask until the answer is one that was kept, and return it."""
        for _ in range(50):
            for _ in range(2):
                self.call(method, target, **given)
            before = self.hits()
            answer = self.call(method, target, **given)
            if self.hits() > before:
                return answer
        raise AssertionError(f"{target} is never kept")


@pytest.fixture(scope="module")
def service(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
    }
    records: list[dict[str, Any]] = [{"kind": "tenant", "id": TENANT, "name": "Kept"}]
    for number in (1, 2, 3):
        activity = {"kind": "activity", "tenant_id": TENANT, "id": number, "created_by": USER}
        records.append({**activity, "subject": f"call {number}", "contact_ids": [5]})
    records.append({"kind": "contact", "tenant_id": TENANT, "id": 5, "name": "Grace"})
    command(environ, "import", "-", given="".join(f"{json.dumps(x)}\n" for x in records).encode())
    key = make_keys(database_url, user_id=USER, kept=TENANT)["kept"]["key"]
    log = tmp_path_factory.mktemp("kept") / "log"
    with served(environ, log=log, workers=1) as port:
        running = Service(port, key, log)
        yield running
        running.connection.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", TARGETS)
def test_hit_equals_miss_to_the_byte(service: Service, target: str, method: str) -> None:
    origin = {"origin": "https://pages.example"}
    missed = service.call(method, target, **origin)
    hit = service.hit(target, method=method, **origin)
    assert hit.lasting == missed.lasting
    assert list(hit.headers) == list(missed.headers)


def test_hit_answers_not_modified_alike(service: Service) -> None:
    etag = service.get("/activities/1").headers["ETag"]
    missed = service.get("/activities/1", if_none_match=etag)
    hit = service.hit("/activities/1", if_none_match=etag)
    assert (hit.status, hit.lasting) == (304, missed.lasting)
    assert service.get("/activities/1", if_none_match='"1-0"').status == 200


def test_query_in_a_body_is_part_of_the_key(service: Service) -> None:
    queries = [{"query": {"$limit": limit}} for limit in (1, 2)]
    hits = [service.hit("/activities", body=query) for query in queries]
    assert [len(json.loads(hit.body)["data"]) for hit in hits] == [1, 2]


def test_hit_carries_its_own_request_id(service: Service) -> None:
    hit = service.hit("/activities", x_request_id="mine")
    assert hit.headers["X-Request-Id"] == "mine"
    ids = {service.get("/activities").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_kept_responses_are_counted(service: Service) -> None:
    service.hit("/activities?$limit=4")
    shown = service.get("/metrics").body.decode()
    entries = re.search(r'^crm_gateway_cache_entries{layer="response"} (.*)$', shown, re.M)
    kept = re.search(r'^crm_gateway_cache_bytes{layer="response"} (.*)$', shown, re.M)
    assert entries is not None
    assert kept is not None
    assert float(kept[1]) > 1000 * float(entries[1]) > 0


def test_hit_is_logged_like_a_miss(service: Service) -> None:
    service.get("/activities?$limit=3", x_request_id="logged-miss")
    service.hit("/activities?$limit=3", x_request_id="logged-hit")
    time.sleep(0.3)
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if "logged-" in line]
    shown = [
        {name: line[name] for name in line if name not in ("timestamp", "duration_ms")}
        | {"request_id": ""}
        for line in lines
    ]
    assert {line["request_id"] for line in lines} == {"logged-miss", "logged-hit"}
    assert all(line == shown[0] for line in shown)


def test_write_is_seen_by_the_next_read(service: Service) -> None:
    for number in range(20):
        for target in ("/activities/1", "/v1/crm/activities/1"):
            service.hit(target)
        service.call("PATCH", "/activities/1", {"subject": f"changed {number}"})
        assert json.loads(service.get("/activities/1").body)["subject"] == f"changed {number}"
        assert json.loads(service.get("/v1/crm/activities/1").body)["name"] == f"changed {number}"


def test_rename_is_seen_by_the_next_read(service: Service, database_url: str) -> None:
    with closing(Database(database_url)) as database:
        key = Credentials(database).create(tenant_id=TENANT, user_id=USER, scopes=["directory"])
    service.hit("/v1/crm/activities")
    renamed = service.call("PUT", "/directory/contact/5", {"name": "Grace B. Hopper"}, key=key)
    assert renamed.status == 200
    assert b"Grace B. Hopper" in service.get("/v1/crm/activities").body


def test_private_records_stay_the_viewers(service: Service, database_url: str) -> None:
    other = make_keys(database_url, user_id=OTHER, kept=TENANT)["kept"]["key"]
    service.call("PUT", "/v1/crm/activities/2", {"visibility_type": "private"})
    service.hit("/v1/crm/activities/2")
    assert service.get("/v1/crm/activities/2", key=other).status == 404
    assert json.loads(service.hit("/activities").body)["total"] == 3
    assert json.loads(service.get("/activities", key=other).body)["total"] == 2


def test_revoked_key_is_refused_within_a_second(service: Service, database_url: str) -> None:
    with closing(Database(database_url)) as database:
        credentials = Credentials(database)
        key = credentials.create(tenant_id=TENANT, user_id=USER)
        service.hit("/activities", key=key)
        credentials.revoke(key)
    revoked_at = time.monotonic()
    while service.get("/activities", key=key).status == 200:
        assert time.monotonic() - revoked_at < 1.0
    assert service.get("/activities", key=key).status == 401


def test_token_ends_at_its_expiry(service: Service) -> None:
    expires_at = int(utc_now().timestamp()) + 2
    claims = {"sub": str(USER), "organization_id": TENANT, "exp": expires_at}
    token = jwt.encode(claims, JWT_SECRET, algorithm="HS256")
    service.hit("/activities", key=token)
    time.sleep(max(0.0, expires_at - time.time()) + 0.05)
    assert service.get("/activities", key=token).status == 401
