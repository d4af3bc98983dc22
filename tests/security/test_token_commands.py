"""crm-gateway token: names, rotation, last use, revocation of JWTs."""

from collections.abc import Callable

import jwt
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from support.callers import JWT_SECRET, Home

from gateway.cli.program import main

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str) -> Run:
    """Give a function that runs `token` on the database of the tests."""
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "GATEWAY_JWT_SECRET": JWT_SECRET,
    }

    def run(*words: object) -> Result:
        return CliRunner().invoke(main, ["token", *map(str, words)], env=environment)

    return run


@pytest.fixture
def key(run: Run, tenant: Home) -> str:
    """Give a key that has a name."""
    words = ("--tenant", tenant.id, "--user", 7, "--name", "nightly report")
    return run("create", *words).stdout.strip()


def line_of(run: Run, key: str) -> str:
    """Return the line of a key in the list."""
    lines = run("list").stdout.splitlines()
    return next(line for line in lines if line.startswith(key[:-43]))


def test_list_shows_names_and_uses(run: Run, key: str):
    line = line_of(run, key)
    assert line.endswith("active   nightly report")
    assert line.count("never") == 2


def test_rotation_prints_the_new_key_alone(run: Run, key: str, client: FlaskClient):
    result = run("rotate", key[:-43], "--overlap", "24h")
    new = result.stdout.strip()
    assert client.get("/activities", headers={"x-api-key": new}).status_code == 200
    assert line_of(run, new).endswith("nightly report")
    assert line_of(run, key).count("never") == 1


def test_rotation_without_overlap_ends_the_old(run: Run, key: str):
    assert run("rotate", key[:-43], "--overlap", "0").exit_code == 0
    assert "expired" in line_of(run, key)
    again = run("rotate", key[:-43])
    assert (again.exit_code, again.stdout) == (1, "")


@pytest.mark.parametrize("words", [("--name", "x" * 101), ("--name", "a\nb")])
def test_unprintable_names_are_refused(run: Run, tenant: Home, words: tuple[str, ...]):
    result = run("create", "--tenant", tenant.id, "--user", 7, *words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_bad_overlap_is_named(run: Run, key: str):
    result = run("rotate", key[:-43], "--overlap", "soon")
    assert (result.exit_code, "--overlap" in result.stderr) == (2, True)


def test_jwt_carries_the_jti_given(run: Run, tenant: Home):
    token = run("jwt", "--tenant", tenant.id, "--user", 7, "--jti", "abc").stdout.strip()
    assert jwt.decode(token, options={"verify_signature": False})["jti"] == "abc"
    assert run("jwt", "--tenant", tenant.id, "--user", 7, "--jti", "a\nb").exit_code == 2


@pytest.mark.parametrize("whole", [True, False])
def test_jwt_is_revoked_by_itself_or_jti(run: Run, tenant: Home, client: FlaskClient, whole: bool):
    token = run("jwt", "--tenant", tenant.id, "--user", 7, "--ttl", 10**9).stdout.strip()
    jti = jwt.decode(token, options={"verify_signature": False})["jti"]
    words = (token,) if whole else (jti, "--tenant", tenant.id)
    assert run("revoke", *words).exit_code == 0
    assert run("revoke", *words).exit_code == 1
    assert client.get("/activities", headers={"Authorization": token}).status_code == 401
