"""The example proxies, checked by themselves and run before a real gateway."""

import http.client
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.deploy_files import DEPLOY, checked, program
from support.gateway_process import free_port

NAME = "crm.example.com"
START_SECONDS = 10
UPSTREAM = re.compile(r"10\.0\.0\.1\d:8000")


def make_certificate(folder: Path) -> None:
    """Write a certificate for the example's name, its key, and both in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "certificate.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(private)
    (folder / "both.pem").write_bytes(certificate + private)


def configured(folder: Path, source: str, gateway_port: int) -> tuple[Path, int]:
    """Return an example's file with our ports and certificate in it, and its port of TLS."""
    make_certificate(folder)
    plain, tls = free_port(), free_port()
    text = (DEPLOY / source).read_text()
    for old, new in {
        "/etc/nginx/tls/crm.example.com.pem": f"{folder}/certificate.pem",
        "/etc/nginx/tls/crm.example.com.key": f"{folder}/key.pem",
        "/etc/haproxy/crm.example.com.pem": f"{folder}/both.pem",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl": f"listen 127.0.0.1:{tls} ssl",
        "bind :80": f"bind 127.0.0.1:{plain}",
        "bind :443": f"bind 127.0.0.1:{tls}",
    }.items():
        text = text.replace(old, new)
    file = folder / source
    file.write_text(UPSTREAM.sub(f"127.0.0.1:{gateway_port}", text))
    return file, tls


@contextmanager
def running(words: list[str], port: int) -> Iterator[None]:
    """Run a proxy until the end of the block."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    try:
        while time.monotonic() < deadline:
            try:
                if ask(port, "GET", "/version").status == http.HTTPStatus.OK:
                    break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def ask(port: int, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    """Make a request through the proxy's TLS and return the answer, read."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b'{"query": {"subject": "x"}}' if method == "GET" and path == "/activities" else None
    connection.request(method, path, body, {"Host": NAME, **named})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, gateway_port: int
) -> Iterator[int]:
    """Give the port of a proxy whose file its own checker accepts."""
    name: str = request.param
    found = program(name, name)
    folder = tmp_path_factory.mktemp(name)
    source = "nginx.conf" if name == "nginx" else "haproxy.cfg"
    file, port = configured(folder, source, gateway_port)
    if name == "nginx":
        assert "successful" in checked(found, "-t", "-c", file)
        words = [found, "-c", str(file), "-g", "daemon off;"]
    else:
        assert "valid" in checked(found, "-c", "-V", "-f", file)
        words = [found, "-db", "-f", str(file)]
    with running(words, port):
        yield port


def test_proxies_pass_requests_and_hide_the_rest(proxy: int):
    answer = ask(proxy, "GET", "/activities", X_Request_Id="seen by both")
    assert (answer.status, answer.headers["X-Request-Id"]) == (401, "seen by both")
    assert len(ask(proxy, "GET", "/version").headers["X-Request-Id"]) >= 32
    assert ask(proxy, "GET", "/v1/crm/activities//").status == 404
    for internal in ("/metrics", "/health/ready"):
        assert ask(proxy, "GET", internal).getheader("X-Request-Id") is None
