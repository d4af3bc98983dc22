"""The crm-gateway program."""

import json
import re
import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from support.callers import JWT_SECRET, Demo, Home
from support.no_exec import Become, stay_here

from core.storage.credential_store import Credentials
from core.storage.database import Database
from gateway.cli.program import main

GOLDEN = Path(__file__).parents[1] / "golden" / "deskera"
Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str) -> Run:
    """Give a function that runs a command on the database of the tests."""
    given = {"DATABASE_URL": database_url, "REDIS_URL": "none", "GATEWAY_JWT_SECRET": JWT_SECRET}

    def run(*words: object, text: str | None = None, **environment: str) -> Result:
        arguments = [str(word) for word in words]
        return CliRunner().invoke(main, arguments, input=text, env={**given, **environment})

    return run


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Become]:
    """Give the list of what this process would have become."""
    return stay_here(monkeypatch)


def test_help_names_every_command(run: Run):
    shown = run("--help").stdout
    words = (
        "db",
        "demo",
        "doctor",
        "export",
        "import",
        "run",
        "serve",
        "status",
        "tenant",
        "token",
        "--version",
    )
    assert [word for word in words if f"\n  {word} " not in shown] == []


def test_version_is_the_packages(run: Run):
    assert run("--version").stdout == f"crm-gateway, version {version('unified-crm-gateway')}\n"


def test_key_stands_alone_on_stdout(run: Run, tenant: Home):
    result = run("token", "create", "--tenant", tenant.id, "--user", 7)
    assert result.exit_code == 0
    assert re.fullmatch(rf"crm{tenant.id}x[a-z2-7]{{10}}[\w-]{{43}}\n", result.stdout)


def test_created_key_opens_the_service(run: Run, tenant: Home, client: FlaskClient):
    key = run("token", "create", "--tenant", tenant.id, "--user", 7).stdout.strip()
    assert client.get("/activities", headers={"x-api-key": key}).status_code == 200
    assert run("token", "revoke", key[:-43]).exit_code == 0
    assert run("token", "revoke", key[:-43]).exit_code == 1


def test_jwt_opens_the_service(run: Run, tenant: Home):
    words = ["--tenant", tenant.id, "--user", 7, "--scopes", "read,admin", "--ttl", 60]
    result = run("token", "jwt", *words)
    claims = jwt.decode(result.stdout.strip(), JWT_SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["organization_id"]) == ("7", tenant.id)
    assert claims["scope"] == "admin read"
    assert claims["exp"] - claims["iat"] in (59, 60)  # Both are cut to seconds, a moment apart.


def test_jwt_needs_a_tenant_that_exists(run: Run, tenant: Home):
    result = run("token", "jwt", "--tenant", tenant.id, "--tenant", 999_999, "--user", 7)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no tenant 999999" in result.stderr


def test_jwt_needs_a_secret(run: Run, tenant: Home):
    result = run("token", "jwt", "--tenant", tenant.id, "--user", 45, GATEWAY_JWT_SECRET="")
    assert result.exit_code == 1
    assert "GATEWAY_JWT_SECRET" in result.stderr


@pytest.mark.parametrize(
    ("expires", "shown"), [("2099-01-01", "2099-01-01T00:00:00"), ("30d", "20"), ("90m", "20")]
)
def test_list_shows_keys_without_secrets(run: Run, tenant: Home, expires: str, shown: str):
    key = run("token", "create", "--tenant", tenant.id, "--user", 7, "--expires", expires).stdout
    listed = run("token", "list").stdout
    line = next(line for line in listed.splitlines() if line.startswith(key[:-44]))
    assert shown in line
    assert key.strip() not in listed


@pytest.mark.parametrize(
    "words",
    [
        ("--user", 0),
        ("--user", 7, "--scopes", "root"),
        ("--user", 7, "--expires", "soon"),
        ("--user", 7, "--expires", "2001-01-01"),
    ],
)
def test_impossible_keys_are_refused(run: Run, tenant: Home, words: tuple[object, ...]):
    result = run("token", "create", "--tenant", tenant.id, *words)
    assert result.exit_code != 0
    assert result.stdout == ""


def test_tenant_is_made_once(run: Run, tenant: Home):
    words = ["--id", tenant.id + 700_000, "--name", "New", "--timezone", "Asia/Tokyo"]
    assert run("tenant", "create", *words).exit_code == 0
    again = run("tenant", "create", *words)
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    assert "Asia/Tokyo" in run("export", "--tenant", tenant.id + 700_000).stdout


def test_tenant_needs_a_real_zone(run: Run):
    result = run("tenant", "create", "--id", 5, "--name", "N", "--timezone", "Mars/Base")
    assert (result.exit_code, "--timezone" in result.stderr) == (2, True)


def test_import_reads_standard_input(run: Run, tenant: Home):
    lines = '{"kind":"activity","id":7,"subject":"A"}\n'
    assert run("import", "-", "--tenant", tenant.id, text=lines).exit_code == 0
    exported = run("export", "--tenant", tenant.id).stdout.splitlines()
    assert [json.loads(line)["id"] for line in exported] == [tenant.id, 7]


def test_import_reads_a_file(run: Run, tenant: Home, tmp_path: Path):
    file = tmp_path / "lines.ndjson"
    file.write_text('{"kind":"company","id":7,"name":"C"}\n')
    result = run("import", file, "--tenant", tenant.id)
    assert (result.exit_code, result.stdout) == (0, "")
    told = result.stderr.splitlines()
    assert told[1] == "company: 1 created, 0 replaced, 0 unchanged"
    assert re.fullmatch(r"1 records in \d+\.\d s", told[2])


def test_import_reports_every_bad_line(run: Run, tenant: Home):
    lines = '{"kind":"user","id":1}\n{"kind":"company","id":7,"name":"C"}\noops\n'
    result = run("import", "-", "--tenant", tenant.id, text=lines)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line[:7] for line in lines] == ["Databas", "line 1:", "line 3:", "Error: "]
    assert len(run("export", "--tenant", tenant.id).stdout.splitlines()) == 1


def test_errors_are_one_line(run: Run):
    result = run("export", "--tenant", 999_999)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == ["Error: there is no tenant 999999"]
    unreachable = run("demo", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (unreachable.exit_code, len(unreachable.stderr.splitlines())) == (1, 2)


def test_bad_settings_are_named(run: Run):
    result = run("demo", DATABASE_URL="mysql://x")
    assert (result.exit_code, "DATABASE_URL" in result.stderr) == (1, True)


def test_foreign_database_is_never_upgraded_unasked(run: Run, own_postgres: Any):
    refused = run("demo", DATABASE_URL=own_postgres.url)
    assert (refused.exit_code, "db upgrade" in refused.stderr) == (1, True)
    assert run("db", "upgrade", DATABASE_URL=own_postgres.url).exit_code == 0
    assert run("demo", DATABASE_URL=own_postgres.url).exit_code == 0
    assert len(run("export", DATABASE_URL=own_postgres.url).stdout.splitlines()) == 24


def test_commands_start_no_redis(run: Run, tmp_path: Path):
    result = run("token", "list", REDIS_URL="", GATEWAY_DATA_DIR=str(tmp_path))
    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_serve_becomes_gunicorn(run: Run, executed: list[Become]):
    assert run("serve", "--host", "::1", "--port", 9000, "--workers", 3).exit_code == 0
    words, _ = executed[0]
    assert words[:3] == [sys.executable, "-m", "gunicorn"]
    assert words[5:] == [
        "--bind",
        "[::1]:9000",
        "--workers",
        "3",
        "gateway.server.wsgi:application",
    ]


def test_operators_port_is_bound_too(run: Run, executed: list[Become]):
    assert run("serve", "--port", 9000, GATEWAY_OPS_PORT="9001").exit_code == 0
    words, _ = executed[0]
    assert words[5:9] == ["--bind", "127.0.0.1:9000", "--bind", "127.0.0.1:9001"]


def test_taken_port_is_one_line(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", port)
    line = f"Error: another program listens on 127.0.0.1:{port}; choose one with --port"
    assert (result.exit_code, result.stderr.splitlines()[1:]) == (1, [line])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])
def test_serve_keeps_the_demo_key_at_home(
    run: Run, executed: list[Become], demo: Demo, database: Database, host: str
):
    refused = run("serve", "--host", host)
    assert (refused.exit_code, "sampleaccess" in refused.stderr, executed) == (1, True, [])
    Credentials(database).revoke("sampleaccess")
    assert run("serve", "--host", host).exit_code == 0
    assert len(executed) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_serve_shows_the_demo_to_this_machine(
    run: Run, executed: list[Become], demo: Demo, host: str
):
    assert run("serve", "--host", host).exit_code == 0
    assert len(executed) == 1


@pytest.mark.parametrize("secret", [JWT_SECRET, ""])
def test_run_prints_lines_that_work(
    run: Run, executed: list[Become], client: FlaskClient, secret: str
):
    banner = run("run", "--port", 9000, GATEWAY_JWT_SECRET=secret).stdout
    curls = re.findall(
        r"^curl 'http://127.0.0.1:9000(\S+)' -H '(\S+): (.+)'$", banner, re.MULTILINE
    )
    if not secret:  # The service of the tests has a secret, this one would not.
        assert "Authorization: Bearer crm27x" in banner
    answers = [client.get(path, headers={name: value}) for path, name, value in curls]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(executed) == 1


def test_demo_shows_the_page_key_for_key(client: FlaskClient, demo: Demo):
    sample = json.loads((GOLDEN / "read.json").read_text())["response"]["body"]
    shown = client.get("/v1/crm/activities/81", headers=demo.deskera.headers)
    assert json.dumps(shown.json) == json.dumps(sample)
    page = json.loads((GOLDEN / "list.json").read_text())["response"]["body"]
    query = "page=1&pageSize=10&sortBy=updated_at&sortDir=DESC"
    listed = client.get(f"/v1/crm/activities?{query}", headers=demo.deskera.headers).json
    assert listed["paginationInfo"] == page["paginationInfo"]
    assert json.dumps(page["data"][0]) in [json.dumps(activity) for activity in listed["data"]]


@pytest.mark.one_server("the database must have no extension citus")
def test_distribute_needs_citus(run: Run):
    result = run("db", "distribute")
    assert result.exit_code == 1
    assert "no extension citus" in result.output
