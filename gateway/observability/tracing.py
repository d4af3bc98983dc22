"""OpenTelemetry tracing, sent to an OTLP collector; needs the extra `tracing`.

A request is one span, from the moment when the front had the whole of it, inside the client's span
if a `traceparent` header names one. Below it are the wait for a thread, each statement, as text
with placeholders, and each call of Redis. Values are never sent. A response that the event loop
has kept is a span by itself.
"""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial, wraps
from typing import Any

from flask import Flask, Response, g
from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from sqlalchemy import event

from core.caching.redis_cache import RedisCache
from core.storage.database import Database
from gateway.request import BEGAN, current_request

SERVICE = "crm-gateway"
SERVER_ERROR = 500
QUEUE, STATEMENT = "wait for a thread", "statement"
REDIS_CALLS = {"get_many": "MGET", "set_many": "SET"}
SQL_TEXT, SYSTEM = "db.query.text", "db.system.name"


def install(
    app: Flask,
    database: Database,
    redis: RedisCache | None,
    *,
    endpoint: str,
    blueprints: Collection[str | None],
) -> None:
    """Trace every request of these blueprints, to `endpoint`/v1/traces."""
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer(SERVICE)
    _trace_requests(app, tracer, blueprints)
    _trace_statements(database, tracer)
    if redis is not None:
        for name, command in REDIS_CALLS.items():
            attributes = {SYSTEM: "redis", "db.operation.name": command}
            _trace_calls(tracer, redis, name, span_name=command, attributes=attributes)
    app.extensions["tracer_provider"] = provider
    app.extensions["trace_kept"] = partial(_trace_kept, tracer)


def _trace_requests(app: Flask, tracer: Tracer, blueprints: Collection[str | None]) -> None:
    def begin() -> None:
        request = current_request()
        if request.blueprint not in blueprints:
            return
        rule = request.url_rule
        route = rule.rule if rule else ""
        number = request.request_id
        span = _server_span(tracer, request.method, route, number, request.headers, request.began)
        g.span, g.traced = span, context.attach(set_span_in_context(span))
        tracer.start_span(QUEUE, start_time=_nanoseconds(request.began)).end()

    def end(response: Response) -> Response:
        span: Span | None = g.pop("span", None)
        if span is not None:
            context.detach(g.pop("traced"))
            _end(span, response.status_code)
        return response

    app.before_request(begin)
    app.after_request(end)


def _trace_kept(
    tracer: Tracer, environ: Mapping[str, Any], route: str, number: str, status: int
) -> None:
    """Trace a request that the event loop answered with a response that it had kept."""
    prefix = "HTTP_"
    headers = {
        name.removeprefix(prefix).lower(): value
        for name, value in environ.items()
        if name.startswith(prefix)
    }
    method = environ["REQUEST_METHOD"]
    span = _server_span(tracer, method, route, number, headers, environ[BEGAN])
    span.set_attribute("crm.kept", True)
    _end(span, status)


def _server_span(
    tracer: Tracer, method: str, route: str, number: str, headers: Any, began: float
) -> Span:
    """Begin the span of a request, inside the client's if its headers name one."""
    return tracer.start_span(
        f"{method} {route}",
        context=extract(headers),
        kind=SpanKind.SERVER,
        start_time=_nanoseconds(began),
        attributes={
            "http.request.method": method,
            "http.route": route,
            "crm.request_id": number,
        },
    )


def _end(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= SERVER_ERROR:
        span.set_status(StatusCode.ERROR)
    span.end()


def _trace_statements(database: Database, tracer: Tracer) -> None:
    """Trace reads and the statements of transactions, each with its text."""

    def describe(sql: str, *_: Any) -> Mapping[str, str]:
        return {SYSTEM: "postgresql", SQL_TEXT: sql}

    def before(
        _connection: Any, _cursor: Any, sql: str, _parameters: Any, run: Any, *_: Any
    ) -> None:
        run.span = tracer.start_span(STATEMENT, kind=SpanKind.CLIENT, attributes=describe(sql))

    def after(
        _connection: Any, _cursor: Any, _sql: str, _parameters: Any, run: Any, *_: Any
    ) -> None:
        run.span.end()

    def failed(error: Any) -> None:
        span: Span | None = getattr(error.execution_context, "span", None)
        if span is not None:
            span.set_status(StatusCode.ERROR)
            span.end()

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "after_cursor_execute", after)
    event.listen(database.engine, "handle_error", failed)
    _trace_calls(tracer, database, "read", span_name=STATEMENT, describe=describe)


def _trace_calls(
    tracer: Tracer,
    owner: object,
    name: str,
    *,
    span_name: str,
    attributes: Mapping[str, str] | None = None,
    describe: Callable[..., Mapping[str, str]] | None = None,
) -> None:
    """Put a span around each call of a method, of this object alone."""
    plain = getattr(owner, name)

    @wraps(plain)
    def traced(*arguments: Any, **options: Any) -> Any:
        said = attributes if describe is None else describe(*arguments)
        with tracer.start_as_current_span(span_name, kind=SpanKind.CLIENT, attributes=said):
            return plain(*arguments, **options)

    setattr(owner, name, traced)


def _nanoseconds(moment: float) -> int:
    """Return a moment of `time.perf_counter` in nanoseconds since 1970."""
    return time.time_ns() - int((time.perf_counter() - moment) * 1e9)
