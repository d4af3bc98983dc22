"""The service with TLS of its own: its certificate, what it refuses, and genuine clients."""

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from support.callers import JWT_SECRET
from support.certificates import Certificates, make_certificates
from support.gateway_process import ROOT, command, free_port, make_keys, served
from support.node_suites import USER, installed, organizations, records, run_suite
from support.raw_http import connect, request, tls_ports
from support.secrets_in_logs import secrets_in

from gateway.cli.program import main

DAY_TESTS = 56
TLS_OFFSET = 500
RELOAD_SECONDS = 30
STOP_SECONDS = 45


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    """Give a certificate that the test may spoil."""
    return make_certificates(tmp_path)


def trusting(certificates: Certificates) -> ssl.SSLContext:
    """Return the context of a client that trusts no other authority."""
    return ssl.create_default_context(cafile=str(certificates.authority))


def options(certificates: Certificates) -> tuple[str, ...]:
    """Return the options that name a certificate."""
    return "--certfile", str(certificates.certificate), "--keyfile", str(certificates.key)


@pytest.fixture(scope="module")
def environ(database_url: str, redis_url: str) -> dict[str, str]:
    """Give the environment of a service on the shared servers."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "warning",
    }


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give the certificate of the service that tests share."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def port(
    environ: dict[str, str], certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Give the port of a service with TLS, and of operators without it."""
    context = trusting(certificates)
    log = tmp_path_factory.mktemp("tls") / "log"
    with served(environ, *options(certificates), log=log, tls=context) as port:
        tls_ports[port] = context
        yield port
        del tls_ports[port]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_are_spoken(
    port: int, certificates: Certificates, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
):
    context = trusting(certificates)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = context.maximum_version = version
    monkeypatch.setitem(tls_ports, port, context)
    with connect(port) as client:
        assert client.tls.version() == f"TLSv1.{version - ssl.TLSVersion.TLSv1}"
        assert client.tls.selected_alpn_protocol() == "http/1.1"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_version_is_refused(
    port: int, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
):
    context = trusting(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    monkeypatch.setitem(tls_ports, port, context)
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        connect(port)


def test_requests_are_kept_and_pipelined(port: int):
    wanted = request("/docs/deskera/openapi.json", headers={}) * 3
    last = request("/version", headers={"Connection": "close"})
    with connect(port) as client:
        client.sendall(wanted + last)
        received = b""
        while piece := client.recv(2**16):
            received += piece
        assert received.count(b"HTTP/1.1 200 OK") == 4
        assert not client.was_cut


def test_feathers_client_does_day_by_tls(
    port: int,
    environ: dict[str, str],
    certificates: Certificates,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
):
    cache = pytestconfig.cache
    folder = installed(Path(cache.mkdir("clients")) if cache else None)
    command(environ, "import", "-", given=records(folder, seed=1, offset=TLS_OFFSET))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(certificates.authority))
    homes = organizations(TLS_OFFSET)
    config = {
        "url": f"https://localhost:{port}",
        "secret": JWT_SECRET,
        "organizations": make_keys(environ["DATABASE_URL"], user_id=USER, **homes),
    }
    report = run_suite(folder, "day", config, seconds=60)
    assert (report.counts["pass"], report.counts["tests"]) == (DAY_TESTS, DAY_TESTS)


def certificate_at(port: int) -> bytes | None:
    """Return the certificate that a service shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    connection.connect()
    shown = connection.sock.getpeercert(binary_form=True)
    connection.close()
    return shown


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until something holds; an OSError says that it does not."""
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("it took too long")


@contextmanager
def gunicorn(
    environ: dict[str, str], port: int, log: Path, *words: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run gunicorn itself, with the configuration of the package, until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "python:gateway.server.gunicorn_conf"]
            + ["--bind", f"127.0.0.1:{port}", "--workers", "1", *words]
            + ["gateway.server.wsgi:application"],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        assert secrets_in(log.read_text()) == []


def test_hangup_reads_the_certificate_anew(
    environ: dict[str, str], files: Certificates, tmp_path: Path
):
    port, log = free_port(), tmp_path / "log"
    environ = environ | {"GATEWAY_LOG_LEVEL": "info"}
    with gunicorn(environ, port, log, *options(files)) as process:
        wait_for(lambda: certificate_at(port))
        before = certificate_at(port)
        make_certificates(tmp_path)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: certificate_at(port) != before)
        after = certificate_at(port)
        files.key.write_text("spoilt")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "stays as it was" in log.read_text())
        wait_for(lambda: log.read_text().count("Worker exiting") == 2)
        wait_for(lambda: certificate_at(port) == after)


def test_gunicorn_starts_with_no_useless_certificate(
    environ: dict[str, str], files: Certificates, tmp_path: Path
):
    files.key.write_text("spoilt")
    with gunicorn(environ, free_port(), tmp_path / "log", *options(files)) as process:
        assert process.wait(RELOAD_SECONDS) == 1
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert "are not a certificate and its key" in last


def protect(files: Certificates) -> None:
    """Give the key a password."""
    key = load_pem_private_key(files.key.read_bytes(), None)
    protection = BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))


def exchange_keys(files: Certificates) -> None:
    """Put another certificate's key there."""
    certificate = files.certificate.read_bytes()
    make_certificates(files.key.parent)
    files.certificate.write_bytes(certificate)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda files: files.key.unlink(), "server.key cannot be read: No such file"),
        (lambda files: files.certificate.unlink(), "server.pem cannot be read: No such file"),
        (lambda files: files.certificate.write_text("x"), "are not a certificate and its key"),
        (lambda files: files.key.write_text(""), "are not a certificate and its key"),
        (exchange_keys, "server.key is not the key of the certificate in"),
        (protect, "the key has a password"),
    ],
    ids=["no key", "no certificate", "no PEM", "empty key", "another key", "password"],
)
def test_useless_certificate_is_told_at_once(
    files: Certificates, spoil: Callable[[Certificates], None], said: str
):
    spoil(files)
    result = CliRunner().invoke(main, ["serve", *options(files)])
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("kept", [slice(0, 2), slice(2, 4)])
def test_certificate_and_key_belong_together(files: Certificates, kept: slice):
    result = CliRunner().invoke(main, ["serve", *options(files)[kept]])
    assert (result.exit_code, "belong together" in result.stderr) == (2, True)


def test_serving_others_by_tls_needs_no_proxy(
    database_url: str, files: Certificates, monkeypatch: pytest.MonkeyPatch
):
    started: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda _, words, __: started.append(words))
    monkeypatch.setattr("gateway.cli.service.demo_key_is_active", lambda *_: False)
    environment = {"DATABASE_URL": database_url, "REDIS_URL": "none"}
    words = ["serve", "--host", "0.0.0.0", *options(files)]
    result = CliRunner().invoke(main, words, env=environment)
    assert (result.exit_code, "put a proxy" in result.stderr) == (0, False)
    assert started[0][5:9] == list(options(files))
