"""A small application behind a front, with bounds of fractions of a second."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from support.certificates import Certificates
from support.raw_http import tls_ports
from support.served_front import ServedFront

from gateway.server.certificate import harden
from gateway.server.limits import Limits

LIMITS = Limits(
    max_body_bytes=1000,
    max_connections=20,
    head_seconds=0.4,
    body_seconds=0.4,
    send_seconds=0.4,
    idle_seconds=0.6,
    linger_seconds=0.3,
    stopping_seconds=0.1,
    unsent_bytes=30_000_000,
)
LARGE_BYTES = 20_000_000
SLOW_SECONDS = 0.1


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with what was received."""
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/large":
        start_response("200 OK", [])
        return [b"x" * LARGE_BYTES]
    if environ["PATH_INFO"] == "/slow":
        time.sleep(SLOW_SECONDS)
    if environ["PATH_INFO"] == "/scheme":
        body = environ["wsgi.url_scheme"].encode()
    if environ["PATH_INFO"] == "/none":
        start_response("204 No Content", [])
        return []
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1"), b" ", body]


@contextmanager
def serving(certificates: Certificates | None) -> Iterator[ServedFront]:
    """Serve it until the end of the block, by TLS with a certificate."""
    context = None
    if certificates is not None:
        context = harden(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        context.load_cert_chain(certificates.certificate, certificates.key)
    served = ServedFront(application, LIMITS, tls=context)
    if certificates is not None:
        tls_ports[served.port] = ssl.create_default_context(cafile=str(certificates.authority))
    served.start()
    yield served
    served.stop()
    tls_ports.pop(served.port, None)
