"""Request: what the service notes of each request, and how it reads a body."""

import re
import time
from collections.abc import Mapping
from ipaddress import ip_address
from random import getrandbits
from typing import Any, cast

import flask
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from core.domain.model import Principal

ID_HEADER = "X-Request-Id"
USABLE_ID = re.compile(r"[\x20-\x7e]{1,128}", re.ASCII)
ID_BITS = 128
BEGAN = "gateway.began"
"""Where a server notes when the whole request had come, by the clock of `time.perf_counter`."""
ANSWERED = "gateway.answered"
"""Where the application tells the server who was answered, and by which route."""
UNDECIDED = -1
"""What who admits long bodies returns for one of which he cannot tell now."""
SPOOL = "gateway.spool"
"""Where a server leaves a body that it wrote to disk: an object whose `file` is open."""
STREAM = "gateway.stream"
"""Where a view leaves the stream of its response's body, which the server reads and sends."""


def request_id(environ: Mapping[str, Any]) -> str:
    """Return the client's X-Request-Id if it is printable and not too long, else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    usable = given and USABLE_ID.fullmatch(given)
    return given if usable else f"{getrandbits(ID_BITS):032x}"


class Request(flask.Request):
    """A request that knows when it began, its id, and who is calling once that is known.

    `refusal` says for the log why a credential was not taken.
    """

    principal: Principal | None = None
    refusal: str | None = None
    rate_limit_headers: Mapping[str, str] = {}
    _request_id: str | None = None

    def __init__(self, environ: dict[str, Any], *rest: Any, **options: Any) -> None:
        """Note the time, unless the server did: a request that waits for a thread has begun."""
        self.began: float = environ.get(BEGAN) or time.perf_counter()
        super().__init__(environ, *rest, **options)
        if environ.get("PATH_INFO", "").startswith("//"):
            self.path = "/" + self.path  # Werkzeug makes one slash of several here.

    @property
    def request_id(self) -> str:
        """The client's X-Request-Id if it is printable and not too long, else one of ours."""
        if self._request_id is None:
            self._request_id = request_id(self.environ)
        return self._request_id

    def get_data(self, *rest: Any, **options: Any) -> Any:
        """Return the whole body; raises RequestEntityTooLarge, or BadRequest for one that is cut.

        Werkzeug silently cuts a body of unknown length off at its limit. Its limit is therefore
        one byte above ours, and what reaches that was too long.
        """
        if "CONTENT_LENGTH" not in self.environ and "HTTP_TRANSFER_ENCODING" not in self.environ:
            return "" if options.get("as_text") else b""  # Most requests send none.
        data = super().get_data(*rest, **options)
        if data and self.max_content_length and len(data) >= self.max_content_length:
            raise RequestEntityTooLarge
        if self.content_length and len(data) < self.content_length:
            raise BadRequest("The body ends before its Content-Length.")
        return data


def current_request() -> Request:
    """Return the request itself: every use of Flask's proxy costs as much as ten of its own."""
    current: Request = cast(Any, flask.request)._get_current_object()
    return current


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
