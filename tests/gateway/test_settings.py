"""The environment, read once and checked whole."""

from pathlib import Path

import pytest

from gateway.settings import VARIABLES, Settings, SettingsError

GOOD = {
    "DATABASE_URL": "postgresql://crm:secret@db:5432/crm",
    "DATABASE_REPLICA_URL": "postgresql://crm:secret@near/crm, postgresql://crm:secret@far/crm",
    "REDIS_URL": "rediss://cache:6380/1",
    "GATEWAY_REDIS_CLUSTER": "yes",
    "GATEWAY_REDIS_DEADLINE_MS": "20",
    "GATEWAY_DATA_DIR": "/srv/crm",
    "GATEWAY_DEMO_TOKEN": "crm27x" + "a" * 53,
    "XDG_STATE_HOME": "/srv/state",
    "GATEWAY_JWT_SECRET": "x" * 32,
    "GATEWAY_JWKS": "https://keys.example/jwks.json",
    "GATEWAY_JWT_AUDIENCE": "crm",
    "GATEWAY_JWT_ISSUER": "feathers",
    "GATEWAY_JWT_USER_CLAIMS": "iamUserId, sub",
    "GATEWAY_JWT_TENANT_CLAIMS": "org",
    "GATEWAY_JWT_SCOPE_CLAIM": "scp",
    "GATEWAY_STATEMENT_TIMEOUT_MS": "5000",
    "GATEWAY_LOCK_TIMEOUT_MS": "1000",
    "GATEWAY_ROW_SECURITY": "true",
    "GATEWAY_CREDENTIAL_RATE_LIMIT": "600/minute",
    "GATEWAY_TENANT_RATE_LIMIT": "20/second",
    "GATEWAY_FAILED_LOGIN_LIMIT": "5/minute",
    "GATEWAY_STRICT_REFERENCES": "TRUE",
    "GATEWAY_MAX_BODY_BYTES": "2048",
    "GATEWAY_APEX_DEFAULT_LIMIT": "25",
    "GATEWAY_APEX_MAX_LIMIT": "50",
    "GATEWAY_DIRECTORY_CACHE_BYTES": "0",
    "GATEWAY_CORS_ORIGINS": "https://crm.example.com, https://app.example.com",
    "GATEWAY_ANSWER_CACHE_BYTES": "1000000",
    "GATEWAY_RECORD_CACHE_BYTES": "0",
    "GATEWAY_WORKERS": "3",
    "GATEWAY_THREADS": "4",
    "GATEWAY_MAX_CONNECTIONS": "500",
    "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
    "GATEWAY_OPS_PORT": "9000",
    "GATEWAY_DB_POOL_SIZE": "5",
    "GATEWAY_LOG_LEVEL": "Warning",
    "GATEWAY_CONSOLE": "on",
    "GATEWAY_IMPORT_BYTES": "1000000",
    "PROMETHEUS_MULTIPROC_DIR": "/dev/shm",
    "GATEWAY_OTEL_ENDPOINT": "http://127.0.0.1:4318",
}


def refusal(**environ: str) -> str:
    """Return what is said of an environment that cannot be used."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(environ)
    return str(refused.value)


def test_empty_environment_gives_defaults():
    assert Settings.from_env({}) == Settings()
    assert Settings.from_env(dict.fromkeys(GOOD, " ")) == Settings()


def test_every_variable_is_read():
    assert set(GOOD) == {variable.name for variable in VARIABLES.values()}
    settings, defaults = Settings.from_env(GOOD), Settings()
    assert [name for name in VARIABLES if getattr(settings, name) == getattr(defaults, name)] == []


@pytest.mark.parametrize("name", [v.name for v in VARIABLES.values() if v.secret])
def test_secret_is_read_from_a_file(tmp_path: Path, name: str):
    path = tmp_path / "secret"
    path.write_text(f"{GOOD[name]}\n")
    assert Settings.from_env({f"{name}_FILE": str(path)}) == Settings.from_env({name: GOOD[name]})
    both = {name: GOOD[name], f"{name}_FILE": str(path)}
    assert f"either it or {name}_FILE" in refusal(**both)
    assert f"{name}_FILE cannot be read" in refusal(**{f"{name}_FILE": str(tmp_path / "none")})
    path.write_text("1")
    assert f"{name} is (not shown)" in refusal(**{f"{name}_FILE": str(path)})


def test_settings_show_no_secret():
    shown = repr(Settings.from_env(GOOD))
    assert [name for name in VARIABLES if f"{name}=" not in shown] == [
        name for name, variable in VARIABLES.items() if variable.secret
    ]
    assert "secret@" not in shown


def test_values_become_what_they_mean():
    settings = Settings.from_env(GOOD)
    assert settings.jwt_user_claims == ("iamUserId", "sub")
    assert (settings.redis_cluster, settings.strict_references) == (True, True)
    assert (settings.data_dir, settings.log_level) == (Path("/srv/crm"), "warning")


def test_all_faults_are_named_at_once():
    said = refusal(GATEWAY_WORKERS="0", GATEWAY_STRICT_REFERENCES="maybe", GATEWAY_THREAD="2")
    assert "GATEWAY_WORKERS is '0', expected a whole number from 1 to 1024" in said
    assert "GATEWAY_STRICT_REFERENCES is 'maybe', expected true or false" in said
    assert "GATEWAY_THREAD: there is no such setting" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db/crm"),
        ("DATABASE_URL", "postgresql:"),
        ("DATABASE_URL", "postgresql://db1,/crm"),
        ("DATABASE_URL", "postgresql://db1,db2:port/crm"),
        ("DATABASE_URL", "postgresql://db:port/crm"),
        ("REDIS_URL", "None"),
        ("REDIS_URL", "http://cache"),
        ("GATEWAY_REDIS_DEADLINE_MS", "50ms"),
        ("GATEWAY_REDIS_DEADLINE_MS", "-1"),
        ("GATEWAY_MAX_BODY_BYTES", "١٠٢٤"),
        ("GATEWAY_DATA_DIR", "data"),
        ("GATEWAY_DATA_DIR", __file__),
        ("GATEWAY_JWT_SECRET", "é" * 7),
        ("GATEWAY_JWKS", "/there/is/no/file"),
        ("GATEWAY_JWT_USER_CLAIMS", "sub,,userId"),
        ("GATEWAY_LOG_LEVEL", "loud"),
    ],
)
def test_unusable_value_is_named(name: str, value: str):
    assert f"{name} is " in refusal(**{name: value})


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "GATEWAY_JWT_SECRET"])
def test_secret_values_are_not_shown(name: str):
    assert "hunter2" not in refusal(**{name: "hunter2"})


@pytest.mark.parametrize("url", ["redis://h", "unix:///run/redis.sock", "none"])
def test_redis_may_be_anywhere_or_none(url: str):
    assert Settings.from_env({"REDIS_URL": url}).redis_url == url


def test_useless_key_file_is_named(tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text('{"keys": []}')
    said = refusal(GATEWAY_JWKS=str(path))
    assert f"GATEWAY_JWKS is '{path}', expected the URL or the file of a JWK set" in said


def test_default_page_fits_largest_page():
    assert "is above GATEWAY_APEX_MAX_LIMIT" in refusal(GATEWAY_APEX_MAX_LIMIT="5")
