"""Traces, as a collector gets them."""

import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.callers import Home
from support.gateway_process import served

from gateway import app as app_module
from gateway.settings import SettingsError

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
REQUESTS = 20  # Of the same page: the later ones are answered with what is kept.
CLIENT_SPAN = bytes.fromhex("b7ad6b7169203331")


def text_of(span: Any) -> str:
    """Return the statement of a span, "" if it is of something else."""
    texts = [pair.value.string_value for pair in span.attributes if pair.key == "db.query.text"]
    return texts[0].strip() if texts else ""


def requests_of(collector: "Collector") -> list[Any]:
    """Return the spans of whole requests."""
    return [span for span in list(collector.spans) if span.name == "GET /activities"]


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
    spans = {each.name: each for each in collector.spans}
    span = spans["GET /activities"]
    values = {pair.key: pair.value for pair in span.attributes}
    assert (span.name, span.trace_id.hex()) == ("GET /activities", TRACE_ID)
    assert values["http.response.status_code"].int_value == 200
    assert {each.trace_id for each in collector.spans} == {span.trace_id}
    assert {each.parent_span_id for each in collector.spans} == {span.span_id, CLIENT_SPAN}
    assert spans["wait for a thread"].start_time_unix_nano <= span.start_time_unix_nano + 10**6
    assert any("credentials" in text_of(each) for each in collector.spans)
    assert "hunter2" not in str(collector.spans)
    assert tenant.caller().key not in str(collector.spans)


def test_writes_and_redis_become_spans(
    make_app: Callable[..., Flask], collector: Collector, tenant: Home
):
    app = make_app(otel_endpoint=collector.url)
    client, headers = app.test_client(), tenant.caller(1, "read", "write").headers
    body = {"subject": "hunter2", "contact_id": 5}
    assert client.post("/activities", headers=headers, json=body).status_code == 201
    assert client.get("/v1/crm/activities", headers=headers).status_code == 200
    app.extensions["tracer_provider"].shutdown()
    texts = [text_of(each) for each in collector.spans]
    assert any(text.startswith("INSERT INTO activities") for text in texts)
    assert {"MGET", "statement", "POST /activities"} <= {each.name for each in collector.spans}
    assert all(each.end_time_unix_nano >= each.start_time_unix_nano for each in collector.spans)
    assert "hunter2" not in str(collector.spans)


def test_whole_service_is_traced_from_the_front(
    database_url: str, redis_url: str, collector: Collector, tenant: Home, tmp_path: Path
):
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_OTEL_ENDPOINT": collector.url,
    }
    headers = {**tenant.caller().headers, "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    with served(environ, log=tmp_path / "log", workers=1) as port:
        for _ in range(REQUESTS):
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/activities", headers=headers)
            assert connection.getresponse().status == 200
            connection.close()
        deadline = time.monotonic() + 10
        while len(requests_of(collector)) < REQUESTS and time.monotonic() < deadline:
            time.sleep(0.1)
    assert {each.trace_id.hex() for each in collector.spans} == {TRACE_ID}
    assert len(requests_of(collector)) == REQUESTS
    assert any("crm.kept" in str(each) for each in requests_of(collector))


def test_missing_extra_is_named(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(app_module, "import_module", missing)
    with pytest.raises(SettingsError, match="extra `tracing`"):
        make_app(otel_endpoint="http://127.0.0.1:1")


def test_no_tracing_imports_nothing(make_app: Callable[..., Flask]):
    assert "tracer_provider" not in make_app().extensions
