"""What `crm-gateway doctor` looks at: each check gives findings, and each finding what to do."""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from core.caching.redis_cache import FAILURES, RedisCache
from core.domain.errors import Unavailable
from core.storage.credential_store import DEMO_TOKEN
from core.storage.database import Database
from core.storage.database_identity import is_ahead, is_current
from core.storage.server_facts import EXTENSIONS, ServerFacts, read_facts
from core.transfer.demo import demo_key_is_active
from gateway.jwk_set import KeySetError, load_keys
from gateway.observability.health import FAIL, PASS, WARN
from gateway.server.scratch import scratch_parent
from gateway.settings import NO_REDIS, Settings

OLDEST_POSTGRES, OLDEST_REDIS = 140_000, (6, 2)
SHORT_SECRET_BYTES = 32
CLOCK_WARN, CLOCK_FAIL = timedelta(seconds=1), timedelta(seconds=30)
MEBIBYTE = 2**20
SCRATCH_BYTES, SPOOL_BYTES = 32 * MEBIBYTE, 512 * MEBIBYTE
FILES_OF_A_WORKER = 256
POOLS = 3  # For each connection that writes two that read.
OWN_CONNECTIONS = (
    5  # Three of probes, a heartbeat, and one that reads versions for cached responses.
)


class Finding(NamedTuple):
    """What was found, whether that is well, and what to do if it is not."""

    check: str
    status: str
    observed: str
    action: str = ""


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Look at settings that are accepted and may still be wrong."""
    yield Finding("settings", PASS, "every variable can be read")
    secret, jwks = settings.jwt_secret, settings.jwks
    if secret is None and jwks is None and settings.database_url is not None:
        yield Finding(
            "tokens",
            WARN,
            "no key is set: only opaque keys open anything",
            "set GATEWAY_JWT_SECRET or GATEWAY_JWKS if clients carry JWTs",
        )
    elif secret is not None and len(secret.encode()) < SHORT_SECRET_BYTES:
        yield Finding(
            "tokens",
            WARN,
            "GATEWAY_JWT_SECRET is short",
            "take one of 32 bytes or more: openssl rand -base64 48",
        )
    if jwks is not None:
        yield _of_key_set(jwks)


def _of_key_set(location: str) -> Finding:
    try:
        keys = load_keys(location)
    except KeySetError as error:
        return Finding("key set", FAIL, str(error), "correct GATEWAY_JWKS, or what it names")
    return Finding("key set", PASS, f"{len(keys)} usable keys")


def of_machine(settings: Settings) -> Iterator[Finding]:
    """Look at disks and limits of this machine."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + _connections(settings) + FILES_OF_A_WORKER
    yield Finding(
        "open files",
        PASS if soft >= needed else FAIL,
        f"{soft} allowed for a process, {needed} needed",
        "" if soft >= needed else f"ulimit -n {needed}, or LimitNOFILE={needed} of the service",
    )
    places = {"shared memory": (scratch_parent(), SCRATCH_BYTES)}
    places["temporary files"] = (Path(tempfile.gettempdir()), SPOOL_BYTES)
    if settings.data_dir is not None:
        places["data directory"] = (settings.data_dir, SPOOL_BYTES)
    for name, (directory, wanted) in places.items():
        yield _of_disk(name, directory, wanted)


def _of_disk(name: str, directory: Path, wanted: int) -> Finding:
    existing = next(each for each in (directory, *directory.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    observed = f"{free // MEBIBYTE} MiB free in {directory}"
    if free >= wanted:
        return Finding(name, PASS, observed)
    return Finding(name, FAIL, observed, f"make room: at least {wanted // MEBIBYTE} MiB")


def of_database(settings: Settings, database: Database) -> Iterator[Finding]:
    """Look at PostgreSQL; nothing but the connection where there is none."""
    before = datetime.now(UTC)
    try:
        facts = read_facts(database)
    except Unavailable as error:
        action = "start PostgreSQL, or correct DATABASE_URL: host, port, name, password"
        yield Finding("postgresql", FAIL, str(error), action)
        return
    middle = before + (datetime.now(UTC) - before) / 2
    major, minor = divmod(facts.version, 10_000)
    is_old = facts.version < OLDEST_POSTGRES
    action = "upgrade PostgreSQL to 14 or newer" if is_old else ""
    yield Finding("postgresql", FAIL if is_old else PASS, f"version {major}.{minor}", action)
    yield _of_clock(facts.now - middle)
    for look in (_of_encoding, _of_extensions, _of_role, _of_privileges, _of_autovacuum):
        yield look(facts)
    yield _of_connections(settings, facts)
    yield _of_migrations(database)
    yield from _of_demo_key(settings, database)


def _of_clock(difference: timedelta) -> Finding:
    size = abs(difference)
    status = FAIL if size > CLOCK_FAIL else WARN if size > CLOCK_WARN else PASS
    observed = f"the database's clock differs by {difference.total_seconds():+.3f} s"
    return Finding("clock", status, observed, "" if status == PASS else "synchronise both by NTP")


def _of_encoding(facts: ServerFacts) -> Finding:
    if facts.encoding == "UTF8":
        return Finding("encoding", PASS, facts.encoding)
    return Finding("encoding", FAIL, facts.encoding, "make the database with ENCODING 'UTF8'")


def _of_extensions(facts: ServerFacts) -> Finding:
    missing = [name for name in EXTENSIONS if name not in facts.usable_extensions]
    if not missing:
        return Finding("extensions", PASS, ", ".join(EXTENSIONS))
    action = "install PostgreSQL's contrib package on its machine"
    return Finding("extensions", FAIL, f"{', '.join(missing)} cannot be made", action)


def _of_role(facts: ServerFacts) -> Finding:
    if not facts.is_superuser:
        return Finding("role", PASS, f"{facts.role}, no superuser")
    action = "make a role of its own that owns the database: CREATE ROLE crm LOGIN"
    return Finding("role", WARN, f"{facts.role} is a superuser", action)


def _of_privileges(facts: ServerFacts) -> Finding:
    if facts.is_replica:
        return Finding("privileges", FAIL, "the server is a replica", "name the primary")
    if not facts.refused_tables:
        return Finding("privileges", PASS, "every table can be read and written")
    tables = ", ".join(facts.refused_tables)
    action = f"as their owner: GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {facts.role}"
    return Finding("privileges", FAIL, f"{tables} may not be used", action)


def _of_autovacuum(facts: ServerFacts) -> Finding:
    if facts.has_autovacuum:
        return Finding("autovacuum", PASS, "on")
    return Finding("autovacuum", WARN, "off: counts become slow", "set autovacuum = on")


def _connections(settings: Settings) -> int:
    """Return how many connections to the database a worker opens at most."""
    return POOLS * settings.db_pool_size + OWN_CONNECTIONS


def _of_connections(settings: Settings, facts: ServerFacts) -> Finding:
    needed = (settings.workers or os.cpu_count() or 1) * _connections(settings)
    observed = f"{facts.connection_limit} allowed, up to {needed} used by one gateway"
    if needed <= facts.connection_limit:
        return Finding("connections", PASS, observed)
    action = "raise max_connections, lower GATEWAY_DB_POOL_SIZE, or put PgBouncer between"
    return Finding("connections", WARN, observed, action)


def _of_migrations(database: Database) -> Finding:
    if is_current(database):
        ahead = ", and some that this program does not know" * is_ahead(database)
        return Finding("migrations", PASS, f"every migration is applied{ahead}")
    return Finding("migrations", FAIL, "some are missing", "run crm-gateway db upgrade")


def _of_demo_key(settings: Settings, database: Database) -> Iterator[Finding]:
    if settings.database_url and is_current(database) and demo_key_is_active(database):
        action = "crm-gateway token revoke sampleaccess"
        yield Finding("demo key", FAIL, f"everybody knows the key {DEMO_TOKEN}", action)


def of_redis(settings: Settings, make: Callable[[Settings], RedisCache]) -> Iterator[Finding]:
    """Look at Redis, where one is used; without it the service is slower, and right."""
    if settings.redis_url in (None, NO_REDIS):
        return
    redis = make(settings)
    try:
        redis.ping()
        began = time.perf_counter()
        redis.ping()
        milliseconds = (time.perf_counter() - began) * 1000
        facts = redis.server_facts()
    except FAILURES as error:
        action = "start Redis, or correct REDIS_URL; until then all is slower, and right"
        yield Finding("redis", WARN, str(error) or type(error).__name__, action)
        return
    version = str(facts["redis_version"])
    is_old = tuple(map(int, version.split(".")[:2])) < OLDEST_REDIS
    action = "upgrade Redis to 6.2 or newer" if is_old else ""
    yield Finding("redis", FAIL if is_old else PASS, f"version {version}", action)
    yield _of_latency(milliseconds, settings.redis_deadline_ms)
    yield _of_eviction(int(facts.get("maxmemory", 0)), str(facts.get("maxmemory_policy", "")))
    if bool(facts.get("cluster_enabled")) != settings.redis_cluster:
        action = "GATEWAY_REDIS_CLUSTER says the opposite: change it"
        yield Finding("redis cluster", FAIL, "one is a cluster, one is not", action)


def _of_latency(milliseconds: float, deadline_ms: int) -> Finding:
    observed = f"answers in {milliseconds:.1f} ms of {deadline_ms} allowed"
    if milliseconds * 2 <= deadline_ms:
        return Finding("redis latency", PASS, observed)
    action = "bring Redis nearer, or raise GATEWAY_REDIS_DEADLINE_MS"
    return Finding("redis latency", WARN, observed, action)


def _of_eviction(max_memory: int, policy: str) -> Finding:
    observed = f"{policy} at {max_memory // MEBIBYTE} MiB"
    if not max_memory:
        action = "set maxmemory and maxmemory-policy allkeys-lru: entries are never removed by us"
        return Finding("redis eviction", WARN, "memory is not bounded", action)
    if policy.startswith("allkeys"):
        return Finding("redis eviction", PASS, observed)
    action = "set maxmemory-policy allkeys-lru: a full Redis would refuse new entries"
    return Finding("redis eviction", WARN, observed, action)
