"""A backup that is restored beside the original shares its Redis, and none of its entries."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from support.callers import JWT_SECRET
from support.fault_scene import TENANTS, USER, fill
from support.own_servers import OwnServer, server_directory
from support.restored_copies import SETTINGS, base_backup, dump_restored

from core.storage.credential_store import Credentials
from core.storage.database import Database
from core.storage.database_identity import identity
from gateway.embedded.engines import start_postgres
from gateway.settings import Settings

TENANT = TENANTS["first"]
SCOPES = ("read", "write", "directory")
PAGE = "/v1/crm/activities"
Copy = Callable[[Path, Path], AbstractContextManager[OwnServer]]
MakeApp = Callable[..., Flask]


@pytest.fixture
def settings(own_redis: OwnServer) -> Settings:
    """Give settings whose database each application names itself."""
    return Settings(redis_url=own_redis.url, redis_deadline_ms=500, jwt_secret=JWT_SECRET)


def client_of(make_app: MakeApp, url: str, key: str) -> FlaskClient:
    client = make_app(database_url=url).test_client()
    client.environ_base["HTTP_X_API_KEY"] = key
    return client


def name_contact(client: FlaskClient, number: int, name: str) -> None:
    assert client.put(f"/directory/contact/{number}", json={"name": name}).status_code < 300


def shown(client: FlaskClient) -> list[str]:
    """Return the names of the contacts of the one activity."""
    record = client.get(f"{PAGE}/1").json
    return [each["name"] for each in record["contact_details"]]


@pytest.mark.parametrize("restore", [base_backup, dump_restored], ids=["base backup", "dump"])
def test_restored_copy_never_meets_entries_of_original(
    make_app: MakeApp, own_redis: OwnServer, restore: Copy
) -> None:
    """Both reach one directory version by different changes, in both orders."""
    with server_directory() as directory:
        files = directory / "original"
        original = OwnServer(lambda: start_postgres(files, SETTINGS))
        fill(original.url)
        database = Database(original.url)
        key = Credentials(database).create(tenant_id=TENANT, user_id=USER, scopes=SCOPES)
        database.close()
        first = client_of(make_app, original.url, key)
        for number in (1, 2):
            name_contact(first, number, "before")
        assert first.post(PAGE, json={"contact_ids": [1, 2]}).status_code == 201
        with restore(files, directory / "copy") as copy:
            second = client_of(make_app, copy.url, key)
            name_contact(first, 1, "original")
            name_contact(second, 2, "copy")
            assert shown(first) == ["original", "before"]
            assert shown(second) == ["before", "copy"]
            fresh = [client_of(make_app, server.url, key) for server in (copy, original)]
            assert [shown(each) for each in fresh] == [["before", "copy"], ["original", "before"]]
            entries = redis.Redis.from_url(own_redis.url).keys("crm:*contact*")
            assert len(entries) == 4
        original.stop()


def test_entries_are_shared_again_after_a_restart(
    make_app: MakeApp, own_redis: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.caching.shared_entity_cache.IDENTITY_SECONDS", 0.0)
    with server_directory() as directory:
        server = OwnServer(lambda: start_postgres(directory / "server", SETTINGS))
        fill(server.url)
        database = Database(server.url)
        key = Credentials(database).create(tenant_id=TENANT, user_id=USER, scopes=SCOPES)
        before = identity(database)
        old = client_of(make_app, server.url, key)
        name_contact(old, 1, "kept")
        assert old.post(PAGE, json={"contact_ids": [1]}).status_code == 201
        server.stop()
        server.start()
        database.close()
        after = identity(database)
        assert (after.name, after.cache_secret) == (before.name, before.cache_secret)
        assert after.cache_name != before.cache_name
        assert shown(old) == ["kept"]
        pattern = f"crm:{{{after.cache_name}:*"
        assert redis.Redis.from_url(own_redis.url).keys(pattern)
        database.close()
        server.stop()
