"""OpenTelemetry tracing: one span a request, sent to an OTLP collector; needs the extra `tracing`.

A `traceparent` header is continued. Each SQL statement is an event of its request's span, as text
with placeholders: values are never sent.
"""

from collections.abc import Collection
from typing import Any

from flask import Flask, Response, g, has_request_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from core.storage.database import Database
from gateway.request import Request, current_request

SERVICE = "crm-gateway"
SERVER_ERROR = 500


def install(
    app: Flask, database: Database, *, endpoint: str, blueprints: Collection[str | None]
) -> None:
    """Trace every request of these blueprints, to `endpoint`/v1/traces."""
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer(SERVICE)

    def begin() -> None:
        request = current_request()
        if request.blueprint in blueprints:
            g.span = _span(tracer, request)

    def end(response: Response) -> Response:
        span: Span | None = g.pop("span", None)
        if span is not None:
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= SERVER_ERROR:
                span.set_status(StatusCode.ERROR)
            span.end()
        return response

    def note_statement(sql: str, _parameters: Any) -> None:
        span: Span | None = g.get("span") if has_request_context() else None
        if span is not None:
            span.add_event("statement", {"db.query.text": sql})

    app.before_request(begin)
    app.after_request(end)
    database.observers.append(note_statement)
    app.extensions["tracer_provider"] = provider


def _span(tracer: Tracer, request: Request) -> Span:
    """Begin the span of a request, inside the client's if it names one."""
    rule = request.url_rule
    route = rule.rule if rule else ""
    return tracer.start_span(
        f"{request.method} {route}",
        context=extract(request.headers),
        kind=SpanKind.SERVER,
        attributes={
            "http.request.method": request.method,
            "http.route": route,
            "crm.request_id": request.request_id,
        },
    )
