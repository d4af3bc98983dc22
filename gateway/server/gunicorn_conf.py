"""gunicorn's configuration; `crm-gateway serve` names it as `python:gateway.server.gunicorn_conf`.

It lives in the package, so that it is there wherever the package is installed. The embedded
servers, where they are used, are leased here for as long as the master runs.
"""

import os
import shutil
import ssl
import sys
from collections.abc import Callable
from typing import Any

from gunicorn.glogging import Logger

from gateway import footprint
from gateway.embedded import lease
from gateway.observability import logs
from gateway.observability.log_lines import Lines
from gateway.server import certificate
from gateway.server.listener import release_slot
from gateway.server.scratch import make_scratch
from gateway.settings import Settings


class ServerLogger(Logger):
    """gunicorn's messages as JSON lines, without its access log: each request's line is ours."""

    def access(self, *_details: Any) -> None:
        """Log nothing, and above all format nothing."""


_settings, _servers = lease.resolve_servers(Settings.from_env())
if _settings.jwks is None:  # It verifies the signatures of such keys alone.
    footprint.import_without("jwt", "cryptography")
_scratch = make_scratch()

bind = ["127.0.0.1:8000"]
if _settings.ops_port is not None:
    bind.append(f"127.0.0.1:{_settings.ops_port}")
workers = _settings.workers or os.cpu_count() or 1
worker_class = "gateway.server.worker.Worker"
graceful_timeout = 30
worker_tmp_dir = str(_scratch)
# Several gunicorns of one user would fight over the control socket in the user's home.
control_socket_disable = True
logger_class = ServerLogger
logconfig_dict = logs.server_logging(_settings.log_level)
# prometheus_client looks at the environment, and when it is first imported.
raw_env = [f"PROMETHEUS_MULTIPROC_DIR={_scratch}"]


def ssl_context(_config: Any, make_default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return what connections speak TLS with, where there is a certificate."""
    return certificate.harden(make_default())


def on_starting(server: Any) -> None:
    """Read the certificate, and do not start without one that is of use.

    The master's own messages are dropped from now on when their reader stalls: it must see to its
    workers.
    """
    logs.redirect_server_logging(Lines())
    try:
        certificate.load(server.cfg)
    except certificate.CertificateError as error:
        server.log.error("TLS: %s", error)
        on_exit(server)
        sys.exit(1)


def on_reload(server: Any) -> None:
    """Read the certificate anew, for the workers that follow; one of no use changes nothing."""
    try:
        certificate.load(server.cfg)
    except certificate.CertificateError as error:
        server.log.error("TLS: the certificate stays as it was: %s", error)


def post_worker_init(worker: Any) -> None:
    """Buffer log lines and watch the database from now on; keep the collector out of the way."""
    lines = worker.wsgi.extensions["log_lines"]
    lines.start_buffering()
    logs.redirect_server_logging(lines)
    worker.wsgi.extensions["metrics"].begin_sampling()
    worker.wsgi.extensions["heartbeat"].start()
    worker.wsgi.extensions["database"].nodes.start(worker.wsgi.extensions["probed_database"].open)
    if "metrics_history" in worker.wsgi.extensions:
        worker.wsgi.extensions["metrics_history"].begin_sampling()
    footprint.spare_collector()


def worker_exit(_server: Any, worker: Any) -> None:
    """Watch the database no more, and write the log lines that are still buffered."""
    application = getattr(worker, "wsgi", None)  # None: it never came so far.
    if application is not None:
        application.extensions["heartbeat"].stop()
        application.extensions["database"].nodes.stop()
        application.extensions["log_lines"].end()


def child_exit(_server: Any, worker: Any) -> None:
    """Let the other workers know, in the master, that this one takes no connections any more."""
    release_slot(worker.age)


def on_exit(_server: Any) -> None:
    """Give the embedded servers back; the last one out stops them."""
    shutil.rmtree(_scratch, ignore_errors=True)
    if _servers is not None:
        _servers.release()
