"""create_app: builds the core, mounts the dialects, answers what nothing else answers."""

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import flask
from flask import Flask, Response, request
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from structlog.typing import FilteringBoundLogger
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound
from werkzeug.routing import MapAdapter

from adapters import achieveapex, deskera
from adapters.cors import allow_browsers
from adapters.http import WireSettings
from adapters.rendered_records import RecordCache
from core.activities import Activities
from core.caching.entity_cache import EntityCache
from core.caching.redis_cache import RedisCache
from core.caching.shared_entity_cache import SharedEntityCache
from core.directory_entries import DirectoryEntries
from core.domain.clock import Clock, utc_now
from core.domain.counters import Counters
from core.storage.connector import ProbeConnection, TimedConnection, Timeouts
from core.storage.credential_store import Credentials
from core.storage.database import Database
from core.storage.database_identity import identity
from core.storage.entity_store import EntityStore
from core.storage.heartbeat import Heartbeat
from core.storage.replica_reader import Replica
from core.storage.revocation_store import Revocations
from gateway import directory, docs, pages
from gateway.auth import authenticator, rate_limits
from gateway.auth.failed_logins import FailedLogins
from gateway.auth.last_use import LastUses
from gateway.auth.tokens import TokenVerifier
from gateway.dialect_errors import DIALECT_HEADERS, error_response, owner_of
from gateway.observability import health, logs, places
from gateway.observability.log_lines import Lines
from gateway.observability.metrics import Metrics
from gateway.request import ANSWERED, ID_HEADER, Request, current_request
from gateway.settings import NO_REDIS, Settings, SettingsError

PRIVATE_BLUEPRINTS = frozenset({deskera.NAME, achieveapex.NAME, directory.blueprint.name})


def create_app(settings: Settings, *, clock: Clock = utc_now) -> Flask:
    """Return the whole service as a WSGI application.

    The settings name a database and a Redis, as `lease.resolve_servers` makes sure; nothing is
    connected before the first request. `clock` gives the present instant.
    Raises: SettingsError, KeySetError.
    """
    app = _Service("gateway", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1  # See `Request.get_data`.
    app.url_map.strict_slashes = False  # A trailing slash is accepted everywhere, and nothing is
    app.url_map.merge_slashes = False  # ever redirected: docs/dialects/deskera.md D10.
    app.extensions["settings"] = settings
    metrics = app.extensions["metrics"] = Metrics(settings.metrics_dir, build=health.build_labels())
    lines = app.extensions["log_lines"] = Lines(counters=metrics.counters)
    redis = _redis(settings, metrics.counters)
    database = _install_core(app, settings, redis=redis, clock=clock)
    if settings.otel_endpoint is not None:
        _trace(app, database, redis, endpoint=settings.otel_endpoint)
    probed = app.extensions["probed_database"] = _probed_database(settings)
    app.extensions["heartbeat"] = Heartbeat(database.circuit, probed.open)
    verified = _authenticator(app, settings, database, clock=clock)
    authenticator.install(app, verified, count_failure=metrics.count_credential_failure)
    limits = rate_limits.RateLimits(settings, lambda: identity(database).name)
    rate_limits.install(app, limits)
    for document in docs.DOCUMENTS:
        docs.mount(app, document)
    pages.install(app, database, demo_token=settings.demo_token)
    app.register_blueprint(directory.blueprint)
    _sample_levels(app, metrics)
    app.extensions["health"] = health.Health(probed, redis)
    health.install(app, app.extensions["health"], metrics)
    logger = logs.make_logger(lines, settings.log_level)
    if settings.console:
        console = import_module("gateway.console.registry")  # It takes 2 MiB of a worker.
        console.install(app, database, verified, logger=logger, clock=clock)
    incidents = app.extensions.get("incidents")
    log = app.extensions["request_log"] = logs.RequestLog(lines, settings.log_level, incidents)
    app.after_request(_finisher(log, metrics))
    _install_last_handlers(app, logger)
    return app


class _NoSessions(SessionInterface):
    _none = NullSession()

    def open_session(self, app: Flask, request: flask.Request) -> NullSession:
        return self._none

    def is_null_session(self, obj: object) -> bool:
        return True


class _Service(Flask):
    """Flask without sessions, coroutines and hosts: unused, they would cost every request."""

    request_class = Request
    session_interface = _NoSessions()

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        """Match by method and path alone: neither a host nor a redirect plays a part in it."""
        if request is None:
            return None
        if request.path.startswith("//"):
            raise NotFound  # The adapter would take the slashes for one.
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def _database_url(settings: Settings) -> str:
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is not set")
    return settings.database_url


def _redis(settings: Settings, counters: Counters) -> RedisCache | None:
    if settings.redis_url in (None, NO_REDIS):
        return None
    return RedisCache(
        str(settings.redis_url),
        deadline_ms=settings.redis_deadline_ms,
        is_cluster=settings.redis_cluster,
        counters=counters,
    )


def _install_core(
    app: Flask, settings: Settings, *, redis: RedisCache | None, clock: Clock
) -> Database:
    """Build the use cases, and leave them where the views find them."""
    counters = app.extensions["metrics"].counters
    database = Database(
        _database_url(settings),
        pool_size=settings.db_pool_size,
        limits=_limits(settings),
        row_security=settings.row_security,
        counters=counters,
    )
    shared = SharedEntityCache(redis, partial(identity, database)) if redis else None
    entities = app.extensions["entities"] = EntityCache(
        EntityStore(database),
        shared,
        max_bytes=settings.directory_cache_bytes,
        counters=counters,
    )
    app.extensions["database"] = database
    replicas = app.extensions["replicas"] = _replicas(settings)
    app.extensions["activities"] = Activities(
        database,
        entities,
        replicas=replicas,
        clock=clock,
        strict_references=settings.strict_references,
    )
    app.extensions["record_cache"] = RecordCache(max_bytes=settings.record_cache_bytes)
    app.extensions["wire_settings"] = WireSettings(
        apex_default_limit=settings.apex_default_limit,
        apex_max_limit=settings.apex_max_limit,
        cors_origins=settings.cors_origins,
    )
    app.extensions[directory.EXTENSION] = DirectoryEntries(database)
    return database


def _probed_database(settings: Settings) -> Database:
    """Return a way to the database that no request waits for, and that waits for no answer long."""
    return Database(
        _database_url(settings),
        pool_size=1,
        connect=ProbeConnection.connect,
        row_security=settings.row_security,
    )


def _limits(settings: Settings) -> Timeouts:
    return Timeouts(settings.statement_timeout_ms, settings.lock_timeout_ms)


def _replicas(settings: Settings) -> list[Replica]:
    return [
        Replica(
            Database(
                url,
                pool_size=settings.db_pool_size,
                limits=_limits(settings),
                connect=TimedConnection.connect,
                row_security=settings.row_security,
            )
        )
        for url in settings.database_replica_urls or ()
    ]


def _sample_levels(app: Flask, metrics: Metrics) -> None:
    """Have the sizes of pools and caches shown as they are."""
    database: Database = app.extensions["database"]
    entities: EntityCache = app.extensions["entities"]
    use_cases: Activities = app.extensions["activities"]
    for place, read in {
        places.POOL_OPEN: lambda: database.pool_sizes()[0],
        places.POOL_IN_USE: lambda: database.pool_sizes()[1],
        places.ENTITY_ENTRIES: lambda: len(entities),
        places.COUNT_ENTRIES: lambda: use_cases.cached_totals,
        places.CHECK_AGE_MILLISECONDS: lambda: round(entities.seconds_since_check() * 1000),
    }.items():
        metrics.sample(place, read)


def _authenticator(
    app: Flask, settings: Settings, database: Database, *, clock: Clock
) -> authenticator.Authenticator:
    credentials = app.extensions["credentials"] = Credentials(database, clock)
    aside = Credentials(app.extensions["probed_database"], clock)  # No request waits for it.
    last_uses = app.extensions["last_uses"] = LastUses(aside, clock=clock)
    return authenticator.Authenticator(
        credentials,
        Revocations(database, clock),
        TokenVerifier(settings),
        last_uses=last_uses,
        failed_logins=FailedLogins(settings.failed_login_limit),
        clock=clock,
    )


def _trace(app: Flask, database: Database, redis: RedisCache | None, *, endpoint: str) -> None:
    """Install the tracing, whose libraries are an extra and need not be there."""
    try:
        tracing = import_module("gateway.observability.tracing")
    except ModuleNotFoundError as error:
        raise SettingsError("GATEWAY_OTEL_ENDPOINT needs the extra `tracing`") from error
    tracing.install(app, database, redis, endpoint=endpoint, blueprints=PRIVATE_BLUEPRINTS)


def _finisher(log: logs.RequestLog, metrics: Metrics) -> Callable[[Response], Response]:
    """Return what is done with every answer: its last headers, its numbers, its line."""

    def finish(response: Response) -> Response:
        current = current_request()
        headers = response.headers
        headers.add(ID_HEADER, current.request_id)
        blueprint = current.blueprint
        is_dialect = bool(owner_of(current.path)[0])
        if is_dialect or blueprint in PRIVATE_BLUEPRINTS:
            for name, value in DIALECT_HEADERS.items():
                headers.add(name, value)
        if is_dialect:
            allow_browsers(response)
        rule = current.url_rule
        seconds = time.perf_counter() - current.began
        metrics.count(
            blueprint or "",
            rule.rule if rule else "",
            current.method,
            response.status_code,
            seconds,
        )
        log.write(current, response, seconds)
        current.environ[ANSWERED] = current.principal, rule.rule if rule else ""
        return response

    return finish


def _install_last_handlers(app: Flask, logger: FilteringBoundLogger) -> None:
    """Answer unhandled errors in the envelope of the dialect that owns the path.

    Registered by class, because a handler for one code would win over a dialect's own; and last,
    because flask-smorest registers one for the same class.
    """

    def on_http_error(error: HTTPException) -> Response:
        return error_response(error, request.path)

    def on_unexpected(error: Exception) -> HTTPException | ResponseReturnValue:
        logger.error("unexpected error", exc_info=error)
        return app.handle_http_exception(InternalServerError())  # The console has its own page.

    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Exception, on_unexpected)
