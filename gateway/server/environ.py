"""The WSGI environ of a request, built from its head as it came over the wire."""

import ipaddress
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

    Names with an underscore are left out: they could pass for another header's.
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
    """Take the client's address and scheme from a proxy's headers, if that proxy is trusted.

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


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_within(text: str, networks: Sequence[Network]) -> bool:
    return _is_address(text) and any(ipaddress.ip_address(text) in network for network in networks)
