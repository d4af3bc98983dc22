"""The guard that watches every statement of every test, and what it takes for a leak."""

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from support import tenant_guard
from support.callers import Home
from support.tenant_guard import TenantMissingError, tenant_parameters

from core.domain.model import Principal
from core.storage.database import Database

TENANT = "tenant_id = %(t)s::BIGINT"


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT id FROM activities WHERE {TENANT} AND deleted_at IS NULL",
        f"SELECT a.id FROM activities AS a WHERE (a.{TENANT}) AND (a.id = 1 OR a.id = 2)",
        f"UPDATE activities SET subject = 'x' WHERE {TENANT} AND id = 1",
        f"DELETE FROM entities WHERE {TENANT}",
        "INSERT INTO entities (tenant_id, id) VALUES (%(t)s, 1) ON CONFLICT DO NOTHING",
        f"SELECT 1 FROM activities AS a JOIN tenants AS t ON t.tenant_id = a.tenant_id "
        f"WHERE t.{TENANT}",
        f"SELECT (SELECT count(*) FROM entities WHERE {TENANT}) FROM tenants WHERE {TENANT}",
        f"WITH activities_now AS (SELECT id FROM activities WHERE {TENANT}) "
        f"SELECT * FROM activities_now",
    ],
)
def test_tied_statements_name_their_tenant(sql: str):
    assert tenant_parameters(sql) == {"t"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM activities",
        "SELECT id FROM activities WHERE id = %(t)s",
        f"SELECT id FROM activities WHERE {TENANT} OR id = 1",
        f"SELECT id FROM activities WHERE NOT {TENANT}",
        "SELECT id FROM activities WHERE tenant_id >= %(t)s",
        "SELECT id FROM activities WHERE tenant_id IN (%(t)s, 5)",
        "SELECT id FROM activities WHERE tenant_id = tenant_id",
        f"SELECT 1 FROM activities AS a JOIN entities AS e ON e.id = a.id WHERE a.{TENANT}",
        f"SELECT 1 FROM activities AS a, tenants AS t WHERE t.{TENANT}",
        f"SELECT (SELECT count(*) FROM entities) FROM tenants WHERE {TENANT}",
        "UPDATE activities SET tenant_id = %(t)s WHERE id = 1",
        "INSERT INTO entities (id) VALUES (1)",
        "DELETE FROM credentials WHERE id = %(t)s",
    ],
)
def test_loose_statements_are_refused(sql: str):
    with pytest.raises(TenantMissingError):
        tenant_parameters(sql)


def test_other_statements_need_no_tenant():
    assert tenant_parameters("SELECT identity FROM database_identity") == frozenset()


def test_requests_are_guarded(app: Flask, database: Database, tenant: Home):
    principal = Principal(1, (tenant.id,), frozenset({"read"}))
    own, strange = {"t": tenant.id}, {"t": tenant.id + 1}
    with app.test_request_context():
        g.principal = principal
        database.read(f"SELECT id FROM activities WHERE {TENANT}", own)
        with pytest.raises(TenantMissingError, match="not the caller's"):
            database.read(f"SELECT id FROM activities WHERE {TENANT}", strange)
        with pytest.raises(TenantMissingError), database.transaction() as connection:
            connection.exec_driver_sql("SELECT id FROM activities")
    assert len(tenant_guard.violations) == 2
    tenant_guard.violations.clear()


def test_guard_sees_what_views_send(client: FlaskClient, tenant: Home):
    tenant_parameters.cache_clear()
    client.get("/activities", headers=tenant.caller().headers)
    assert tenant_parameters.cache_info().currsize >= 3
