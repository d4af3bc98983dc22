"""The second line: under the service's role a forgotten predicate gives nothing."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import ProgrammingError
from support.cluster_nodes import eventually
from support.no_exec import stay_here
from support.own_servers import OwnServer
from support.streaming_replica import streaming_pair

from core.domain.counters import REPLICA_READS
from core.domain.model import Tenant
from core.storage import migrate, roles
from core.storage.credential_store import Credentials
from core.storage.database import Database, allow, allowing
from core.storage.database_identity import is_current
from core.storage.tables import metadata
from core.storage.tenant_store import Tenants
from gateway.cli.program import main

DESKERA, APEX = "/v1/crm/activities", "/activities"
OURS, THEIRS = 501, 502
FORGOTTEN = "SELECT tenant_id FROM activities ORDER BY tenant_id"


class Guarded(NamedTuple):
    """A database with its roles, the service on it, and a key of each tenant."""

    url: str
    client: FlaskClient
    keys: dict[int, str]

    def as_role(self, role: str, **options: bool) -> Database:
        """Return the database as one of its roles has it."""
        return Database(self.url.replace("postgres@", f"{role}@"), **options)


@pytest.fixture
def guarded(own_postgres: OwnServer, make_app: Callable[..., Flask]) -> Iterator[Guarded]:
    """Give two tenants with a record each, behind row-level security."""
    keys = tenants_under_roles(own_postgres.url)
    url = own_postgres.url.replace("postgres@", "crm_service@")
    client = make_app(database_url=url, row_security=True).test_client()
    write_for_each(client, keys)
    yield Guarded(own_postgres.url, client, keys)
    allow(())


def tenants_under_roles(url: str) -> dict[int, str]:
    """Make the tables, the roles and two tenants; return a key of each."""
    database = Database(url)
    migrate.upgrade(database)
    roles.apply(database)
    roles.apply(database)  # It may be run again.
    keys = {}
    for tenant_id in (OURS, THEIRS):
        Tenants(database).create(Tenant(tenant_id, "T", "UTC", "UTC"))
        keys[tenant_id] = Credentials(database).create(
            tenant_id=tenant_id, user_id=1, scopes=["read", "write", "directory"]
        )
    database.close()
    return keys


def write_for_each(client: FlaskClient, keys: dict[int, str]) -> None:
    """Make an activity of each tenant."""
    for key in keys.values():
        made = client.post(APEX, json={"subject": "x"}, headers={"x-api-key": key})
        assert made.status_code == 201, made.text


def test_both_dialects_work_under_the_role(guarded: Guarded):
    headers = {"x-api-key": guarded.keys[OURS]}
    client = guarded.client
    assert client.get(f"{APEX}/1", headers=headers).json["subject"] == "x"
    assert client.put(f"{DESKERA}/1", json={"name": "y"}, headers=headers).status_code == 200
    listed = client.get(f"{DESKERA}?query=name=y", headers=headers).json
    assert listed["paginationInfo"]["totalRecords"] == 1
    assert client.put("/directory/contact/7", json={"name": "G"}, headers=headers).status_code < 300
    assert client.delete(f"{APEX}/1", headers=headers).status_code == 200


def test_forgotten_predicate_gives_nothing(guarded: Guarded):
    service = guarded.as_role("crm_service", row_security=True)
    seen = {}
    for tenants in ((), (OURS,), (THEIRS,), (OURS, THEIRS), (OURS,)):
        with allowing(tenants), service.transaction() as connection:
            within = connection.exec_driver_sql(FORGOTTEN).scalars().all()
        with allowing(tenants):
            seen[tenants] = [row[0] for row in service.read(FORGOTTEN, {})]
        assert seen[tenants] == within == list(tenants)
    service.close()


def test_session_without_tenants_sees_nothing(guarded: Guarded):
    service = guarded.as_role("crm_service")
    for name, table in metadata.tables.items():
        if "tenant_id" in table.columns:
            assert service.read(f"SELECT * FROM {name}", {}) == []
    service.close()


def test_rows_of_others_cannot_be_written(guarded: Guarded):
    service = guarded.as_role("crm_service", row_security=True)
    with allowing((OURS,)):
        with service.transaction() as connection:
            changed = connection.exec_driver_sql("UPDATE activities SET subject = 'z'")
            assert changed.rowcount == 1
        moved = f"UPDATE activities SET tenant_id = {THEIRS}, id = 9"
        for statement in (moved, f"INSERT INTO activity_numbers VALUES ({THEIRS + 1}, 5)"):
            with (
                pytest.raises(ProgrammingError, match="row-level security"),
                service.transaction() as connection,
            ):
                connection.exec_driver_sql(statement)
    service.close()


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("crm_service", "ALTER TABLE activities DISABLE ROW LEVEL SECURITY"),
        ("crm_service", "CREATE TABLE x (id int)"),
        ("crm_service", "UPDATE database_identity SET identity = 'x'"),
        ("crm_service", "TRUNCATE activities"),
        ("crm_reader", "DELETE FROM activities"),
        ("crm_reader", "SELECT digest FROM credentials"),
        ("crm_reader", "SELECT cache_secret FROM database_identity"),
    ],
)
def test_roles_may_do_no_more(guarded: Guarded, role: str, statement: str):
    database = guarded.as_role(role)
    refused = pytest.raises(ProgrammingError, match="must be owner|permission denied")
    with refused, database.transaction() as connection:
        connection.exec_driver_sql(statement)
    database.close()


def test_people_read_every_tenant(guarded: Guarded):
    reader = guarded.as_role("crm_reader")
    assert [row[0] for row in reader.read(FORGOTTEN, {})] == [OURS, THEIRS]
    reader.close()


def test_owner_can_still_migrate(guarded: Guarded):
    owner = guarded.as_role("crm_owner")
    migrate.upgrade(owner)
    assert is_current(owner)
    owner.close()


@pytest.mark.parametrize(("role", "code"), [("postgres", 1), ("crm_owner", 1), ("crm_service", 0)])
def test_service_starts_under_its_role_alone(
    guarded: Guarded, role: str, code: int, monkeypatch: pytest.MonkeyPatch
):
    become = stay_here(monkeypatch)
    environ = {
        "DATABASE_URL": guarded.url.replace("postgres@", f"{role}@"),
        "REDIS_URL": "none",
        "GATEWAY_ROW_SECURITY": "true",
    }
    result = CliRunner().invoke(main, ["serve"], env=environ)
    assert (result.exit_code, len(become)) == (code, 1 - code), result.stderr
    assert ("GATEWAY_ROW_SECURITY" in result.stderr) == bool(code)


def test_replicas_show_the_tenants_of_the_request(make_app: Callable[..., Flask]):
    with streaming_pair() as pair:
        urls = [url.replace("postgres@", "crm_service@") for url in (pair.url, pair.replica.url)]
        keys = tenants_under_roles(pair.url)
        app = make_app(
            database_url=urls[0],
            database_replica_urls=(urls[1],),
            row_security=True,
            answer_cache_bytes=0,
        )
        write_for_each(app.test_client(), keys)
        assert eventually(pair.is_caught_up)
        for tenant_id, key in keys.items():
            for path, tenant in ((APEX, "organization_id"), (DESKERA, "tenant_id")):
                answer = app.test_client().get(path, headers={"x-api-key": key}).json
                assert [record[tenant] for record in answer["data"]] == [tenant_id]
        assert app.extensions["database"].counters[REPLICA_READS] == 4
        replica = Database(urls[1], row_security=True)
        for tenants in ((), (OURS,), (THEIRS,)):
            with allowing(tenants):
                assert [row[0] for row in replica.read(FORGOTTEN, {})] == list(tenants)
        replica.close()
