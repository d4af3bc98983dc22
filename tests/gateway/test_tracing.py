"""Traces, as a collector gets them."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.callers import Home

from gateway import app as app_module
from gateway.settings import SettingsError

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """An OTLP collector that keeps what it gets."""

    def __init__(self) -> None:
        """Listen."""
        self.spans: list[Any] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest()
                sent.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in sent.resource_spans:
                    for scope in resource.scope_spans:
                        owner.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Give a collector."""
    collector = Collector()
    yield collector
    collector.stop()


def test_request_becomes_a_span(make_app: Callable[..., Flask], collector: Collector, tenant: Home):
    app = make_app(otel_endpoint=collector.url)
    headers = {**tenant.caller().headers, "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    app.test_client().get("/activities?subject=hunter2", headers=headers)
    app.test_client().get("/version")
    app.extensions["tracer_provider"].shutdown()
    (span,) = collector.spans
    values = {pair.key: pair.value for pair in span.attributes}
    assert (span.name, span.trace_id.hex()) == ("GET /activities", TRACE_ID)
    assert values["http.response.status_code"].int_value == 200
    assert any("credentials" in str(event) for event in span.events)
    assert "hunter2" not in str(span)
    assert tenant.caller().key not in str(span)


def test_missing_extra_is_named(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(app_module, "import_module", missing)
    with pytest.raises(SettingsError, match="extra `tracing`"):
        make_app(otel_endpoint="http://127.0.0.1:1")


def test_no_tracing_imports_nothing(make_app: Callable[..., Flask]):
    assert "tracer_provider" not in make_app().extensions
