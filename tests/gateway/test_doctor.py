"""crm-gateway doctor and status: what is wrong, said with what to do."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.gateway_process import served
from support.own_servers import OwnServer
from support.served_front import ServedFront

from core.storage import migrate
from core.storage.database import Database
from core.transfer.demo import load_demo
from gateway.cli.program import main
from gateway.server.limits import Limits

Doctor = Callable[..., dict[str, dict[str, Any]]]
NOWHERE = "127.0.0.1:1"


def invoke(*words: str, **environ: str) -> Result:
    """Run a command with these settings."""
    return CliRunner().invoke(main, words, env={"GATEWAY_WORKERS": "1", **environ})


@pytest.fixture
def doctor(database_url: str, redis_url: str) -> Doctor:
    """Give a function that lets the doctor look, and returns its findings by name."""

    def look(**environ: str) -> dict[str, dict[str, Any]]:
        given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url} | environ
        result = invoke("doctor", "--json", **given)
        body = json.loads(result.stdout)
        assert result.exit_code == (1 if body["status"] == "fail" else 0)
        return {finding["check"]: finding for finding in body["findings"]}

    return look


def test_working_installation_has_no_failure(doctor: Doctor):
    found = doctor(GATEWAY_JWT_SECRET="x" * 48)
    failures = {name for name, each in found.items() if each["status"] == "fail"}
    assert failures <= {"demo key"}  # Another test may have loaded the demo beside this one.
    assert {"settings", "open files", "shared memory", "postgresql", "clock", "extensions"} < {
        *found
    }
    assert {"role", "privileges", "connections", "migrations", "redis eviction"} < {*found}


def test_every_complaint_says_what_to_do(doctor: Doctor):
    found = doctor(DATABASE_URL=f"postgresql://{NOWHERE}/x", REDIS_URL=f"redis://{NOWHERE}")
    complaints = [each for each in found.values() if each["status"] != "pass"]
    assert {each["check"] for each in complaints} == {"tokens", "postgresql", "redis"}
    assert all(each["action"] for each in complaints)


def test_dead_redis_is_only_a_warning(doctor: Doctor):
    assert doctor(REDIS_URL=f"redis://{NOWHERE}")["redis"]["status"] == "warn"


def test_faulty_settings_are_told_alone(doctor: Doctor):
    found = doctor(GATEWAY_THREADS="many")
    assert list(found) == ["settings"]
    assert "GATEWAY_THREADS is 'many'" in found["settings"]["observed"]


def test_lacking_migrations_name_the_command(doctor: Doctor, own_postgres: OwnServer):
    found = doctor(DATABASE_URL=own_postgres.url)["migrations"]
    assert (found["status"], found["action"]) == ("fail", "run crm-gateway db upgrade")


def test_refused_tables_are_named(doctor: Doctor, own_postgres: OwnServer):
    with closing(Database(own_postgres.url)) as database:
        migrate.upgrade(database)
        with database.transaction() as connection:
            connection.exec_driver_sql("CREATE ROLE reader")
            connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO reader")
            connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
            connection.exec_driver_sql("ALTER ROLE CURRENT_USER SET role = 'reader'")
    found = doctor(DATABASE_URL=own_postgres.url)
    assert found["role"]["observed"] == "reader, no superuser"
    assert found["privileges"]["status"] == "fail"
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON activities" in found["privileges"]["action"]


def test_known_key_of_the_demo_is_a_failure(doctor: Doctor, own_postgres: OwnServer):
    with closing(Database(own_postgres.url)) as database:
        migrate.upgrade(database)
        load_demo(database)
    found = doctor(DATABASE_URL=own_postgres.url)["demo key"]
    assert (found["status"], found["action"]) == ("fail", "crm-gateway token revoke sampleaccess")


def test_unbounded_pools_are_warned_of(doctor: Doctor):
    found = doctor(GATEWAY_DB_POOL_SIZE="500", GATEWAY_WORKERS="2")
    assert found["connections"]["status"] == "warn"
    assert "up to 3010 used by one gateway" in found["connections"]["observed"]
    assert found["open files"]["observed"].endswith(" needed")


def test_short_secret_is_warned_of(doctor: Doctor):
    assert "openssl rand" in doctor(GATEWAY_JWT_SECRET="x" * 16)["tokens"]["action"]


def test_missing_key_set_is_a_failure(doctor: Doctor):
    found = doctor(GATEWAY_JWKS=f"http://{NOWHERE}/keys")["key set"]
    assert (found["status"], bool(found["action"])) == ("fail", True)


def test_findings_are_readable_lines(database_url: str):
    shown = invoke("doctor", DATABASE_URL=database_url, REDIS_URL="none").stdout
    assert "pass migrations: every migration is applied\n" in shown
    assert "     -> set GATEWAY_JWT_SECRET or GATEWAY_JWKS" in shown


@pytest.mark.parametrize("body", [b'{"status":"error","code":404}', b"[]"])
def test_status_of_a_port_without_health(body: bytes):
    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("404 Not Found", [])
        return [body]

    front = ServedFront(application, Limits(max_body_bytes=1000, max_connections=16))
    front.start()
    shown = invoke("status", "--url", f"http://127.0.0.1:{front.port}")
    front.stop()
    assert (shown.exit_code, "GATEWAY_OPS_PORT" in shown.stderr) == (1, True)


def test_status_says_what_health_says(database_url: str, own_redis: OwnServer, tmp_path: Path):
    environ = {"DATABASE_URL": database_url, "REDIS_URL": own_redis.url}
    with served(environ, log=tmp_path / "log", workers=1) as port:
        url = f"http://127.0.0.1:{port}"
        shown = invoke("status", "--url", url)
        assert (shown.exit_code, shown.stdout[:25]) == (0, "pass unified-crm-gateway ")
        assert "\npass postgresql: answered in " in shown.stdout
    gone = invoke("status", "--url", url)
    assert (gone.exit_code, f"{url} does not answer" in gone.stderr) == (1, True)
