"""Calls of a dialect's own views, as its clients make them, on behalf of who is logged in.

So the pages read and write by the very code that answers those clients: its parsing, its
preconditions, its errors. Only the credential is left out: the visitor's own session stands for it.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from adapters import achieveapex, deskera
from adapters.achieveapex.errors import FeathersError
from adapters.cors import allow_browsers
from core.domain.errors import CoreError
from core.domain.model import Principal
from core.storage.database import allowing
from gateway.dialect_errors import DIALECT_HEADERS

CREDENTIAL_HEADERS: Mapping[str, str] = {
    deskera.NAME: "x-access-token",
    achieveapex.NAME: "x-api-key",
}
KEY_VARIABLE = "$CRM_KEY"
"""What the commands have in place of a credential: a variable of the shell that runs them."""


class Exchange(NamedTuple):
    """A request as a client would have sent it, and the response that it gets."""

    dialect: str
    method: str
    url: str
    sent_headers: Mapping[str, str]
    sent: str | None
    status: int
    headers: Iterable[tuple[str, str]]
    text: str

    @property
    def is_success(self) -> bool:
        """Whether the call did what it should."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def etag(self) -> str:
        """The ETag of the response, if there is one."""
        return dict(self.headers).get("ETag", "")

    @property
    def json(self) -> Any:
        """The body of the response."""
        return json.loads(self.text)

    @property
    def pretty(self) -> str:
        """The body of the response as people read it."""
        return pretty(self.json) if self.text else ""

    @property
    def curl(self) -> str:
        """The request as a command, with `KEY_VARIABLE` in place of a credential."""
        parts = ["curl -sS -i"]
        if self.method != "GET":
            parts[0] += f" -X {self.method}"
        parts[0] += f" {shlex.quote(self.url)}"
        parts.append(f'-H "{CREDENTIAL_HEADERS[self.dialect]}: {KEY_VARIABLE}"')
        parts += [
            f"-H {shlex.quote(f'{name}: {value}')}" for name, value in self.sent_headers.items()
        ]
        if self.sent is not None:
            parts.append(f"--data-raw {shlex.quote(self.sent)}")
        return " \\\n  ".join(parts)

    @property
    def raw_response(self) -> str:
        """The response as it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\n".join([*lines, "", self.text])


def pretty(value: Any) -> str:
    """Return a value as JSON that people read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def call(
    caller: Principal,
    dialect: str,
    method: str,
    path: str,
    *,
    sent: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Exchange:
    """Have a dialect's view answer a request of a caller, and return both."""
    own_headers = dict(headers or {})
    if sent is not None:
        own_headers["Content-Type"] = "application/json"
    url = request.host_url.rstrip("/") + path
    app: Flask = cast(Any, current_app)._get_current_object()
    visitor = g.principal
    try:
        with (
            allowing(caller.tenant_ids),
            app.test_request_context(path, method=method, data=sent, headers=own_headers),
        ):
            g.principal = caller
            response = _answer(app)
            response.headers.update(DIALECT_HEADERS)
            allow_browsers(response)
            found = list(response.headers.items())
            text = response.get_data(as_text=True)
    finally:
        g.principal = visitor
    return Exchange(dialect, method, url, own_headers, sent, response.status_code, found, text)


def _answer(app: Flask) -> Response:
    """Return what the view of the request at hand answers, with errors in its dialect's words."""
    try:
        return app.make_response(app.dispatch_request())
    except (CoreError, FeathersError, HTTPException) as error:
        return app.make_response(app.handle_user_exception(error))
