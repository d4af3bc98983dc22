"""Settings: everything that the environment may say, read once and checked before anything starts.

`VARIABLES` is the whole list; the README's table is checked against it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.jwk_set import KeySetError, is_url, load_keys

LIKENESS = 0.9
MIN_SECRET_BYTES = 16  # RFC 7518 asks for 32; secrets of running systems are often shorter.
PREFIX = "GATEWAY_"
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
LOG_LEVELS = ("debug", "info", "warning", "error")
NO_REDIS = "none"

Reader = Callable[[str], Any]


class SettingsError(Exception):
    """The environment cannot be used; the message names every variable that is wrong."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment.

    `read` turns its text into the setting's value, or raises ValueError with what was expected.
    An unset or empty variable gives `default`.
    """

    name: str
    read: Reader
    default: Any
    purpose: str
    secret: bool


def _variable(
    name: str, read: Reader, purpose: str, *, default: Any = None, secret: bool = False
) -> Any:
    variable = Variable(name, read, default, purpose, secret)
    return field(default=default, metadata={"variable": variable})


def _url(*schemes: str, word: str | None = None) -> Reader:
    choices = [f"{scheme}://..." for scheme in schemes] + ([word] if word else [])

    def read(text: str) -> str:
        if text == word:
            return text
        try:
            parts = urlsplit(text)
            has_target = parts.port != 0 and bool(parts.netloc or parts.path.strip("/"))
        except ValueError:
            has_target = False
        if not has_target or parts.scheme not in schemes:
            raise ValueError(" or ".join(choices))
        return text

    return read


def _whole_number(least: int, most: int) -> Reader:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _flag(text: str) -> bool:
    if text.lower() in TRUE_WORDS:
        return True
    if text.lower() in FALSE_WORDS:
        return False
    raise ValueError("true or false")


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(" or ".join(LOG_LEVELS))
    return text.lower()


def _secret(text: str) -> str:
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"at least {MIN_SECRET_BYTES} bytes")
    return text


def _key_set(text: str) -> str:
    if is_url(text):
        return text  # Whoever publishes it may start later.
    try:
        load_keys(text)
    except KeySetError as error:
        raise ValueError(f"the URL or the file of a JWK set; {error}") from error
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError("names separated by commas")
    return names


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or (path.exists() and not path.is_dir()):
        raise ValueError("the absolute path of a directory, which may be missing")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service was told; each field is one variable, described beside its name."""

    database_url: str | None = _variable(
        "DATABASE_URL",
        _url("postgresql", "postgres"),
        "PostgreSQL; unset: an embedded one is started",
        secret=True,
    )
    redis_url: str | None = _variable(
        "REDIS_URL",
        _url("redis", "rediss", "unix", word=NO_REDIS),
        "Redis or Valkey; unset: an embedded one is started; `none`: memory only",
        secret=True,
    )
    redis_cluster: bool = _variable(
        "GATEWAY_REDIS_CLUSTER",
        _flag,
        "Whether `REDIS_URL` is a node of a Redis Cluster",
        default=False,
    )
    redis_deadline_ms: int = _variable(
        "GATEWAY_REDIS_DEADLINE_MS",
        _whole_number(1, 10_000),
        "Milliseconds that a request waits for Redis before it does without",
        default=50,
    )
    data_dir: Path | None = _variable(
        "GATEWAY_DATA_DIR",
        _directory,
        "Files of the embedded servers; unset: a directory of this installation's own, for commands"
        " that of the service's last run",
    )
    state_home: Path | None = _variable(
        "XDG_STATE_HOME",
        _directory,
        "Where that directory is made; unset: `~/.local/state`, for root `/var/lib`",
    )
    jwt_secret: str | None = _variable(
        "GATEWAY_JWT_SECRET",
        _secret,
        f"HS256 secret of at least {MIN_SECRET_BYTES} bytes; unset: no HS256 tokens",
        secret=True,
    )
    jwks: str | None = _variable(
        "GATEWAY_JWKS",
        _key_set,
        "File or URL of the public keys of RS256 and ES256 tokens; unset: no such tokens",
    )
    jwt_audience: str | None = _variable(
        "GATEWAY_JWT_AUDIENCE", str, "The `aud` that a JWT must carry; unset: any"
    )
    jwt_issuer: str | None = _variable(
        "GATEWAY_JWT_ISSUER", str, "The `iss` that a JWT must carry; unset: any"
    )
    jwt_user_claims: tuple[str, ...] = _variable(
        "GATEWAY_JWT_USER_CLAIMS",
        _names,
        "Claims that may hold the user's id; the first present counts",
        default=("sub", "userId"),
    )
    jwt_tenant_claims: tuple[str, ...] = _variable(
        "GATEWAY_JWT_TENANT_CLAIMS",
        _names,
        "Claims that may hold a tenant's id or a list of them; the first present counts",
        default=("organization_id", "tenant_id"),
    )
    jwt_scope_claim: str = _variable(
        "GATEWAY_JWT_SCOPE_CLAIM",
        str,
        "Claim of the scopes, as words or a list; a token without it may read and write",
        default="scope",
    )
    strict_references: bool = _variable(
        "GATEWAY_STRICT_REFERENCES",
        _flag,
        "Whether writes may name only entities that the directory knows",
        default=False,
    )
    max_body_bytes: int = _variable(
        "GATEWAY_MAX_BODY_BYTES",
        _whole_number(1024, 2**30),
        "Largest request body; a larger one is answered 413",
        default=2**20,
    )
    apex_default_limit: int = _variable(
        "GATEWAY_APEX_DEFAULT_LIMIT",
        _whole_number(1, 10_000),
        "AchieveApex: records of a page without `$limit`",
        default=10,
    )
    apex_max_limit: int = _variable(
        "GATEWAY_APEX_MAX_LIMIT",
        _whole_number(1, 10_000),
        "AchieveApex: cap of `$limit`",
        default=100,
    )
    directory_cache_entries: int = _variable(
        "GATEWAY_DIRECTORY_CACHE_ENTRIES",
        _whole_number(0, 10**8),
        "Related entities kept in the memory of each worker",
        default=100_000,
    )
    answer_cache_bytes: int = _variable(
        "GATEWAY_ANSWER_CACHE_BYTES",
        _whole_number(0, 2**40),
        "Bytes of whole answers kept in the memory of each worker; 0: none",
        default=2**25,
    )
    workers: int | None = _variable(
        "GATEWAY_WORKERS", _whole_number(1, 1024), "Worker processes; unset: one for each core"
    )
    threads: int = _variable(
        "GATEWAY_THREADS", _whole_number(1, 64), "Request threads of each worker", default=2
    )
    db_pool_size: int = _variable(
        "GATEWAY_DB_POOL_SIZE",
        _whole_number(1, 1000),
        "Database connections that each worker keeps for reads, and as many for writes",
        default=4,
    )
    metrics_dir: Path | None = _variable(
        "PROMETHEUS_MULTIPROC_DIR",
        _directory,
        "Where workers share their metrics; set by the gunicorn configuration",
    )
    log_level: str = _variable(
        "GATEWAY_LOG_LEVEL", _log_level, f"One of {', '.join(LOG_LEVELS)}", default="info"
    )
    otel_endpoint: str | None = _variable(
        "GATEWAY_OTEL_ENDPOINT",
        _url("http", "https"),
        "OTLP/HTTP endpoint of traces (needs the extra `tracing`); unset: no tracing",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Return the settings of an environment, by default the process's own.

        Raises: SettingsError, naming every faulty variable, its value unless it is secret, and
        what was expected; a variable whose name is nearly one of ours is faulty too.
        """
        environ = os.environ if environ is None else environ
        problems = [f"{name}: there is no such setting" for name in _unknown_names(environ)]
        values = {}
        for setting, variable in VARIABLES.items():
            text = environ.get(variable.name, "").strip()
            if not text:
                continue
            try:
                values[setting] = variable.read(text)
            except ValueError as error:
                shown = "(not shown)" if variable.secret else repr(text)
                problems.append(f"{variable.name} is {shown}, expected {error}")
        settings = cls(**values)
        if settings.apex_default_limit > settings.apex_max_limit:
            problems.append("GATEWAY_APEX_DEFAULT_LIMIT is above GATEWAY_APEX_MAX_LIMIT")
        if problems:
            raise SettingsError("\n  ".join(["The environment cannot be used.", *problems]))
        return settings


VARIABLES: Mapping[str, Variable] = {
    setting.name: setting.metadata["variable"] for setting in fields(Settings)
}
"""Every variable, by the name of its setting."""


def _unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Return variables that look like ours, misspelt.

    Others that begin alike are let be: Kubernetes sets GATEWAY_PORT and more for a service that is
    named "gateway".
    """
    ours = {variable.name for variable in VARIABLES.values()}
    foreign = sorted(name for name in environ if name.startswith(PREFIX) and name not in ours)
    return [name for name in foreign if get_close_matches(name, ours, cutoff=LIKENESS)]
