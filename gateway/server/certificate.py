"""The certificate that the service speaks TLS with, checked before anything depends on it.

The master reads it, at its start and on SIGHUP, and its workers inherit it: a new one that is of no
use is reported, and the old one stays.
"""

import ssl
from pathlib import Path
from typing import Any, NoReturn

from gunicorn import sock

_loaded: list[ssl.SSLContext] = []


class CertificateError(Exception):
    """A certificate, or its key, is of no use; the message says why."""


def check(certfile: str, keyfile: str | None) -> None:
    """Raise CertificateError unless the files hold a certificate and its key."""
    for path in filter(None, (certfile, keyfile)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise CertificateError(f"{path} cannot be read: {error.strerror}") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, _no_password)
    except ssl.SSLError as error:
        raise CertificateError(_reason(error, certfile, keyfile or certfile)) from error


def _no_password() -> NoReturn:
    raise CertificateError("the key has a password: nobody could type it when the service starts")


def _reason(error: ssl.SSLError, certfile: str, keyfile: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{keyfile} is not the key of the certificate in {certfile}"
    return f"{certfile} and {keyfile} are not a certificate and its key as PEM: {error.reason}"


def load(config: Any) -> None:
    """Take up what gunicorn's configuration names, if it does.

    Raises: CertificateError; what was taken up before then stays.
    """
    if not config.is_ssl:
        _loaded.clear()
        return
    if not config.certfile:
        raise CertificateError("there is a keyfile, and no certfile")
    check(config.certfile, config.keyfile)
    _loaded[:] = [sock.ssl_context(config)]


def current() -> ssl.SSLContext | None:
    """Return what the service speaks TLS with; None if it does not."""
    return _loaded[0] if _loaded else None


def harden(context: ssl.SSLContext) -> ssl.SSLContext:
    """Leave out what is old, and what lets a client keep the service busy."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context
