"""The WSGI environ of a request, built from its head as it came over the wire."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

Environ = dict[str, Any]
Headers = Sequence[tuple[bytes, bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

COMMON_NAMES = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Origin",
    "Referer",
    "Transfer-Encoding",
    "User-Agent",
    "X-Access-Token",
    "X-Api-Key",
    "X-Forwarded-For",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Request-Id",
)


def _key(name: str) -> str:
    upper = name.upper().replace("-", "_")
    return upper if upper in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{upper}"


KEYS = {
    spelling.encode(): _key(name)
    for name in COMMON_NAMES
    for spelling in (name, name.lower(), name.upper())
}
"""Keys of common headers in common spellings; nothing that a client sends is added."""

SCRIPT_NAME = "gateway.script_name"
KEYS |= dict.fromkeys((b"SCRIPT_NAME", b"Script_Name", b"script_name"), SCRIPT_NAME)

# Letters that mean nothing in a link, a header or a cookie; no segment is empty, "." or "..".
MOUNT = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)+", re.ASCII)
MAX_MOUNT = 200
METRICS_PATH = "/metrics"


def split_target(target: bytes) -> tuple[str, str]:
    """Return the decoded path of a request's target, as WSGI wants it, and its query string."""
    path, _, query = target.partition(b"#")[0].partition(b"?")
    if not path.startswith(b"/") and b"://" in path:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("latin-1"), query.decode("latin-1")


def add_headers(environ: Environ, headers: Headers) -> None:
    """Add headers; those that came twice are joined, as HTTP has it.

    Names with an underscore are left out, because they could pass for another header's; what a
    header `SCRIPT_NAME` says is kept under a key of its own.
    """
    for name, raw in headers:
        key = KEYS.get(name)
        if key is None:
            if b"_" in name:
                continue
            key = _key(name.decode("latin-1"))
        value = raw.decode("latin-1").strip()
        environ[key] = f"{environ[key]},{value}" if key in environ else value


def apply_forwarded(environ: Environ, proxies: Sequence[Network]) -> None:
    """Take address, scheme and mount point from a proxy's headers, if that proxy is trusted.

    Each proxy appends the address that it saw: the last that is not a trusted proxy's counts.
    """
    if not _is_within(environ["REMOTE_ADDR"], proxies):
        return
    for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = hop.strip()
        if not _is_address(address):
            break
        environ["REMOTE_ADDR"] = address
        if not _is_within(address, proxies):
            break
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme
    _mount(environ)


def _mount(environ: Environ) -> None:
    """Note the path that a proxy has the service at, and take it off the request's own.

    A proxy may have taken it off already. `SCRIPT_NAME` is gunicorn's way to tell it, and counts
    first. Proxies hand on an `X-Forwarded-Prefix` of their clients unless they are told otherwise:
    it never makes another path one of the metrics, which proxies keep from strangers.
    """
    script_name = environ.get(SCRIPT_NAME)
    given = script_name or environ.get("HTTP_X_FORWARDED_PREFIX", "")
    prefix = given.rpartition(",")[2].strip().rstrip("/")
    if len(prefix) > MAX_MOUNT or not MOUNT.fullmatch(prefix):
        return
    environ["SCRIPT_NAME"] = prefix
    before, _, path = environ["PATH_INFO"].partition(prefix)
    if before or path[:1] not in ("", "/"):
        return
    if script_name or path.rstrip("/") != METRICS_PATH:
        environ["PATH_INFO"] = path or "/"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_within(text: str, networks: Sequence[Network]) -> bool:
    return _is_address(text) and any(ipaddress.ip_address(text) in network for network in networks)
