"""Settings: everything that the environment may say, read once and checked before anything starts.

`VARIABLES` is the whole list; the README's table is checked against it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from gateway.variables import (
    LOG_LEVELS,
    MIN_SECRET_BYTES,
    Network,
    Variable,
    directory,
    key_set,
    log_level,
    misspelt,
    names,
    networks,
    number_between,
    rate,
    read_values,
    secret,
    setting,
    url,
    urls,
    yes_or_no,
)

NO_REDIS = "none"
DEMO_TOKEN_VARIABLE = "GATEWAY_DEMO_TOKEN"
CONSOLE_VARIABLE = "GATEWAY_CONSOLE"


class SettingsError(Exception):
    """The environment cannot be used; the message names every variable that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of the service; each field is one variable, described beside its name."""

    database_url: str | None = setting(
        "DATABASE_URL",
        url("postgresql", "postgres"),
        "PostgreSQL; several hosts stand with commas between; unset: an embedded one is started",
        secret=True,
    )
    database_replica_urls: tuple[str, ...] | None = setting(
        "DATABASE_REPLICA_URL",
        urls("postgresql", "postgres"),
        "Streaming replicas of it for lists and gets, separated by commas; unset: none",
        secret=True,
    )
    redis_url: str | None = setting(
        "REDIS_URL",
        url("redis", "rediss", "unix", word=NO_REDIS),
        "Redis or Valkey; unset: an embedded one is started; `none`: memory only",
        secret=True,
    )
    redis_cluster: bool = setting(
        "GATEWAY_REDIS_CLUSTER",
        yes_or_no,
        "Whether `REDIS_URL` is a node of a Redis Cluster",
        default=False,
    )
    redis_deadline_ms: int = setting(
        "GATEWAY_REDIS_DEADLINE_MS",
        number_between(1, 10_000),
        "Milliseconds that a request waits for Redis before it does without",
        default=50,
    )
    data_dir: Path | None = setting(
        "GATEWAY_DATA_DIR",
        directory,
        "Files of the embedded servers; unset: a directory of this installation's own, for commands"
        " that of the service's last run",
    )
    state_home: Path | None = setting(
        "XDG_STATE_HOME",
        directory,
        "Where that directory is made; unset: `~/.local/state`, for root `/var/lib`",
    )
    jwt_secret: str | None = setting(
        "GATEWAY_JWT_SECRET",
        secret,
        f"HS256 secret of at least {MIN_SECRET_BYTES} bytes; unset: no HS256 tokens",
        secret=True,
    )
    jwks: str | None = setting(
        "GATEWAY_JWKS",
        key_set,
        "File or URL of the public keys of RS256 and ES256 tokens; unset: no such tokens",
    )
    jwt_audience: str | None = setting(
        "GATEWAY_JWT_AUDIENCE", str, "The `aud` that a JWT must carry; unset: any"
    )
    jwt_issuer: str | None = setting(
        "GATEWAY_JWT_ISSUER", str, "The `iss` that a JWT must carry; unset: any"
    )
    jwt_user_claims: tuple[str, ...] = setting(
        "GATEWAY_JWT_USER_CLAIMS",
        names,
        "Claims that may hold the user's id; the first present counts",
        default=("sub", "userId"),
    )
    jwt_tenant_claims: tuple[str, ...] = setting(
        "GATEWAY_JWT_TENANT_CLAIMS",
        names,
        "Claims that may hold a tenant's id or a list of them; the first present counts",
        default=("organization_id", "tenant_id"),
    )
    jwt_scope_claim: str = setting(
        "GATEWAY_JWT_SCOPE_CLAIM",
        str,
        "Claim of the scopes, as words or a list; a token without it may read and write",
        default="scope",
    )
    row_security: bool = setting(
        "GATEWAY_ROW_SECURITY",
        yes_or_no,
        "Whether `DATABASE_URL` names the service's role of `crm-gateway db roles`, which sees the"
        " tenants of each credential alone",
        default=False,
    )
    credential_rate_limit: str | None = setting(
        "GATEWAY_CREDENTIAL_RATE_LIMIT",
        rate,
        "Requests of each credential, as `600/minute`; unset: any number",
    )
    tenant_rate_limit: str | None = setting(
        "GATEWAY_TENANT_RATE_LIMIT",
        rate,
        "Requests of each tenant, as `6000/minute`; unset: any number",
    )
    failed_login_limit: str = setting(
        "GATEWAY_FAILED_LOGIN_LIMIT",
        rate,
        "Credentials that a worker refuses to one address before it tries no further unknown one",
        default="300/minute",
    )
    strict_references: bool = setting(
        "GATEWAY_STRICT_REFERENCES",
        yes_or_no,
        "Whether writes may name only entities that the directory knows",
        default=False,
    )
    max_body_bytes: int = setting(
        "GATEWAY_MAX_BODY_BYTES",
        number_between(1024, 2**30),
        "Largest request body; a larger one is answered 413",
        default=2**20,
    )
    import_bytes: int = setting(
        "GATEWAY_IMPORT_BYTES",
        number_between(1024, 2**40),
        "Largest file that the console imports; it comes to `TMPDIR` first",
        default=2**28,
    )
    apex_default_limit: int = setting(
        "GATEWAY_APEX_DEFAULT_LIMIT",
        number_between(1, 10_000),
        "AchieveApex: records of a page without `$limit`",
        default=10,
    )
    apex_max_limit: int = setting(
        "GATEWAY_APEX_MAX_LIMIT",
        number_between(1, 10_000),
        "AchieveApex: cap of `$limit`",
        default=100,
    )
    cors_origins: tuple[str, ...] = setting(
        "GATEWAY_CORS_ORIGINS",
        names,
        "Origins whose pages may call the dialects, as in `https://crm.example.com`; `*`: all",
        default=("*",),
    )
    directory_cache_bytes: int = setting(
        "GATEWAY_DIRECTORY_CACHE_BYTES",
        number_between(0, 2**36),
        "Bytes of related entities cached in the memory of each worker; 0: none",
        default=64 * 2**20,
    )
    answer_cache_bytes: int = setting(
        "GATEWAY_ANSWER_CACHE_BYTES",
        number_between(0, 2**40),
        "Bytes of responses cached in the memory of each worker; 0: none, as with rate limits and"
        " row-level security",
        default=2**25,
    )
    record_cache_bytes: int = setting(
        "GATEWAY_RECORD_CACHE_BYTES",
        number_between(0, 2**40),
        "Bytes of rendered records of lists cached in the memory of each worker; 0: none",
        default=2**24,
    )
    workers: int | None = setting(
        "GATEWAY_WORKERS", number_between(1, 1024), "Worker processes; unset: one for each core"
    )
    threads: int = setting(
        "GATEWAY_THREADS",
        number_between(1, 64),
        "Most request threads of each worker; two, and more only while statements are slow",
        default=8,
    )
    max_connections: int = setting(
        "GATEWAY_MAX_CONNECTIONS",
        number_between(16, 100_000),
        "Most connections of each worker; one more closes the longest idle one",
        default=2000,
    )
    trusted_proxies: tuple[Network, ...] | None = setting(
        "GATEWAY_TRUSTED_PROXIES",
        networks,
        "Networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Prefix` count; unset: none",
    )
    ops_port: int | None = setting(
        "GATEWAY_OPS_PORT",
        number_between(1, 65535),
        "Port of `/health/*` and `/metrics` alone; unset: they are on the main port",
    )
    db_pool_size: int = setting(
        "GATEWAY_DB_POOL_SIZE",
        number_between(2, 1000),
        "Database connections that a worker opens at most for writes; twice as many for reads, 4"
        " for health probes and 1 for cached responses: with 8 it opens at most 29, and 24 to a"
        " replica",
        default=8,
    )
    statement_timeout_ms: int = setting(
        "GATEWAY_STATEMENT_TIMEOUT_MS",
        number_between(100, 600_000),
        "Milliseconds that a statement of a request may run before the request is answered 503",
        default=10_000,
    )
    lock_timeout_ms: int = setting(
        "GATEWAY_LOCK_TIMEOUT_MS",
        number_between(10, 600_000),
        "Milliseconds that it may wait for a lock before the request is answered 503",
        default=3_000,
    )
    console: bool = setting(
        CONSOLE_VARIABLE,
        yes_or_no,
        "Whether the operators' pages are served at `/console`",
        default=False,
    )
    metrics_dir: Path | None = setting(
        "PROMETHEUS_MULTIPROC_DIR",
        directory,
        "Where workers share their metrics; set by the gunicorn configuration",
    )
    log_level: str = setting(
        "GATEWAY_LOG_LEVEL", log_level, f"One of {', '.join(LOG_LEVELS)}", default="info"
    )
    otel_endpoint: str | None = setting(
        "GATEWAY_OTEL_ENDPOINT",
        url("http", "https"),
        "OTLP/HTTP endpoint of traces (needs the extra `tracing`); unset: no tracing",
    )

    demo_token: str | None = setting(
        DEMO_TOKEN_VARIABLE,
        secret,
        "Credential that AchieveApex's API page is filled with; set by `crm-gateway run`",
        secret=True,
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Return the settings of an environment, by default the process's own.

        Raises: SettingsError, naming every faulty variable, its value unless it is secret, and
        what was expected; a variable whose name is nearly one of ours is faulty too.
        """
        environ = os.environ if environ is None else environ
        problems = [
            f"{name}: there is no such setting" for name in misspelt(environ, VARIABLES.values())
        ]
        settings = cls(**read_values(VARIABLES, environ, problems))
        if settings.apex_default_limit > settings.apex_max_limit:
            problems.append("GATEWAY_APEX_DEFAULT_LIMIT is above GATEWAY_APEX_MAX_LIMIT")
        if problems:
            raise SettingsError("\n  ".join(["The environment cannot be used.", *problems]))
        return settings


def environment_with(changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return this process's environment with some variables set, or left out where None."""
    changed = {**os.environ, **changes}
    return {name: text for name, text in changed.items() if text is not None}


VARIABLES: Mapping[str, Variable] = {
    field.name: field.metadata["variable"] for field in fields(Settings)
}
"""Every variable, by the name of its setting."""
