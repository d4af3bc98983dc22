"""What reads cost, counted and not timed, and that every statement carries the tenant."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from support.callers import Demo, Home
from support.own_servers import OwnServer

from core.storage.database import Database
from core.storage.tables import metadata

WARM_UP = 3
TABLES = re.compile(r"(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)", re.IGNORECASE)
OURS = frozenset(metadata.tables) - {"database_identity"}
PAGE = "/v1/crm/activities"
LIST = "/activities?organization_id=27"


class Reader:
    """A client of an application of its own, whose statements are counted."""

    def __init__(self, app: Flask, demo: Demo) -> None:
        self._client = app.test_client()
        self._demo = demo
        self.statements: list[str] = []
        app.extensions["database"].observers.append(lambda sql, _: self.statements.append(sql))

    def get(self, path: str) -> bytes:
        """Return the body of a page or record that the path's own vendor's user asks for."""
        who = self._demo.deskera if path.startswith("/v1") else self._demo.apex
        answer = self._client.get(path, headers=who.headers)
        assert answer.status_code == 200, answer.data
        return answer.data

    def warm(self, path: str) -> int:
        """Return how many statements the last of several equal requests takes."""
        for _ in range(WARM_UP):
            self.get(path)
        self.statements.clear()
        self.get(path)
        return len(self.statements)


@pytest.fixture
def reader(make_app: Callable[..., Flask], demo: Demo) -> Reader:
    return Reader(make_app(answer_cache_bytes=0), demo)


READS = [
    PAGE,
    f"{PAGE}?page=2&pageSize=1",
    f"{PAGE}?query=name=act",
    f"{PAGE}/81",
    LIST,
    f"{LIST}&fastJoinForActivityList=true",
    f"{LIST}&done=false&$sort[start_date]=1",
    f"{LIST}&assigned_to_user_id=45",
    "/activities/123",
    "/activities/123?subject=Sales",
]


@pytest.mark.parametrize("path", READS)
def test_warm_read_takes_one_statement(reader: Reader, path: str) -> None:
    assert reader.warm(path) == 1


@pytest.mark.parametrize(("path", "expected"), [(PAGE, 8), (f"{PAGE}/81", 8), (LIST, 5)])
def test_cold_read_is_bounded(reader: Reader, path: str, expected: int) -> None:
    """Credential, tenants, page, directory version, identity, entities and what deals name."""
    reader.get(path)
    assert len(reader.statements) <= expected


def test_redis_is_asked_once_when_cold(
    make_app: Callable[..., Flask], demo: Demo, own_redis: OwnServer
) -> None:
    reader = Reader(make_app(redis_url=own_redis.url), demo)
    redis = Redis.from_url(own_redis.url)
    for path, calls in ((PAGE, 1), (PAGE, 0), (f"{PAGE}/81", 0)):
        redis.config_resetstat()
        reader.get(path)
        assert redis.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"] == calls


def test_page_size_does_not_change_statements(reader: Reader) -> None:
    assert {reader.warm(f"{PAGE}?pageSize={size}") for size in (1, 2, 3)} == {1}


def test_bytes_of_samples_are_bounded(reader: Reader) -> None:
    """The page's own records, spelled without blanks, are about 3,300 bytes each."""
    assert len(reader.get(f"{PAGE}/81")) < 3_500
    assert len(reader.get(PAGE)) < 3 * 3_500
    assert len(reader.get("/activities/123")) < 1_100


def test_every_statement_carries_the_tenant(
    client: FlaskClient, database: Database, tenant: Home
) -> None:
    """Drive every operation of both dialects and the directory, and look at all that was said."""
    seen: list[tuple[str, object]] = []
    headers = tenant.caller(1, "read", "write", "directory").headers
    database.observers.append(lambda sql, parameters: seen.append((sql, parameters)))
    drive(client, {**headers, "Idempotency-Key": "k"})
    about_tables = [(sql, values) for sql, values in seen if OURS & set(TABLES.findall(sql))]
    assert len(about_tables) > 40
    for sql, values in about_tables:
        assert "tenant_id" in sql, sql
        assert str(tenant.id) in str(values), (sql, values)


def drive(client: FlaskClient, headers: dict[str, str]) -> None:
    """Use everything once."""
    deskera, apex = PAGE, "/activities"
    entity = '{"name": "Grace"}'
    calls = [
        ("PUT", "/directory/contact/7", entity),
        ("GET", "/directory/contact/7", None),
        ("POST", deskera, '{"name": "a", "contact_ids": [7], "linked_to": 9}'),
        ("POST", apex, '{"subject": "b", "contact_id": 7}'),
        ("GET", deskera, None),
        ("GET", f"{deskera}?query=name=a&page=400", None),
        ("GET", f"{deskera}/1", None),
        ("PUT", f"{deskera}/1", '{"name": "c"}'),
        ("PATCH", f"{deskera}/bulkUpdate", '{"ids": [1, 2], "visibility_type": "private"}'),
        ("GET", f"{apex}?fastJoinForActivityList=true&subject=b", None),
        ("GET", f"{apex}/1", None),
        ("GET", f"{apex}/1?subject=c", None),
        ("PATCH", f"{apex}/1", '{"done": true}'),
        ("PATCH", apex, '{"ids": [1, 2], "done": false}'),
        ("DELETE", f"{apex}/1", None),
        ("POST", f"{deskera}/bulkDelete", "[2]"),
        ("DELETE", "/directory/contact/7", None),
    ]
    for method, path, body in calls:
        answer = client.open(path, method=method, data=body, headers=headers)
        assert answer.status_code < 300, (method, path, answer.data)
