"""What reads bytes of strangers, as functions of bytes: none raises what it does not declare.

Hypothesis and a byte-level fuzzer drive them. Where there is more than one way to the same result,
a target takes both and compares.
"""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_from_bytes

from flask import Flask
from jwt import PyJWS
from support.callers import JWT_SECRET
from support.factories import make_activity, make_tenant

from adapters import http
from adapters.achieveapex import query as apex_query
from adapters.achieveapex import translate as apex
from adapters.achieveapex.errors import FeathersError
from adapters.achieveapex.fields import FIELDS
from adapters.achieveapex.query_values import parse_value
from adapters.deskera import body_values as deskera_values
from adapters.deskera import query as deskera_query
from adapters.deskera import translate as deskera
from adapters.deskera.filters import to_condition
from adapters.json_bodies import parse_json
from core.domain.clock import utc_now
from core.domain.errors import InvalidEntity, InvalidInput, NotAuthenticated
from core.domain.validators import Refused
from core.storage.credential_store import parse_key, parse_key_id
from core.transfer import ndjson
from gateway.auth.authenticator import VENDOR_ORDER, credential_of
from gateway.auth.tokens import TokenVerifier, hmac_key, revocable
from gateway.server.environ import apply_forwarded
from gateway.server.known_heads import KnownHeads
from gateway.server.limits import Limits
from gateway.server.refusals import Refusal
from gateway.server.request_parser import RequestParser
from gateway.server.uploads import Uploads
from gateway.settings import Settings
from gateway.variables import networks

APP = Flask("fuzzed")
ACTIVITY, TENANT = make_activity(), make_tenant(timezone="America/New_York")
SETTINGS = http.WireSettings()
LIMITS = Limits(max_body_bytes=2**14, max_connections=16)
SIGNED = Settings(jwt_secret=JWT_SECRET)
VERIFIER = TokenVerifier(SIGNED)
DESKERA_ORDER = VENDOR_ORDER["deskera"]
ANYONE = networks("0.0.0.0/0,::/0")
MOST_REQUESTS = 50
SEEDS = Path(__file__).parents[1] / "security" / "seeds"


def _text(data: bytes) -> str:
    """Return bytes as a text that can be sent."""
    return data.decode("utf-8", "replace")


def _each(parsers: list[Callable[[str], object]], data: bytes) -> None:
    for parse in parsers:
        try:
            parse(_text(data))
        except (Refused, InvalidInput):
            continue


def deskera_url(data: bytes) -> None:
    """Read a query string."""
    with contextlib.suppress(InvalidInput):
        deskera_query.to_query(data)


def deskera_conditions(data: bytes) -> None:
    """Read the parameter `query`, by itself and in a query string, which mean the same."""
    outcomes = []
    for read in (
        lambda: to_condition(data.decode()),
        lambda: deskera_query.to_query(b"query=" + quote_from_bytes(data).encode()).query.where,
    ):
        try:
            outcomes.append(repr(read()))
        except UnicodeDecodeError:
            outcomes.append("refused")
        except InvalidInput:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1] or not data or b"\0" in data


def deskera_body(data: bytes) -> None:
    """Apply a body; what it makes can be shown."""
    try:
        changed = deskera.apply(ACTIVITY, parse_json(data), TENANT)
    except InvalidInput:
        return
    deskera.show(changed, {}, TENANT)
    apex.show(changed, {}, TENANT)


def deskera_texts(data: bytes) -> None:
    """Read base64, a length of time and a timestamp."""
    read = deskera_values
    _each([read.parse_notes, read.parse_duration, read.parse_timestamp], data)


def apex_url(data: bytes) -> None:
    """Read a query string."""
    with contextlib.suppress(InvalidInput, FeathersError):
        apex_query.to_query(data, b"", SETTINGS)


def apex_query_body(data: bytes) -> None:
    """Read the body of a GET."""
    with contextlib.suppress(InvalidInput, FeathersError):
        apex_query.to_query(b"", data, SETTINGS)


def apex_body(data: bytes) -> None:
    """Apply a body; what it makes can be shown."""
    try:
        body = parse_json(data)
        changed = apex.apply(ACTIVITY, body, TENANT) if isinstance(body, dict) else ACTIVITY
    except InvalidInput:
        return
    apex.show(changed, {}, TENANT)
    deskera.show(changed, {}, TENANT)


def apex_texts(data: bytes) -> None:
    """Read a value of every column in a filter, and of every key in a body."""
    for field in FIELDS:
        _each([lambda text, field=field: parse_value(field, text, field.wire)], data)
        if field.parse is not None:
            _each([field.parse], data)


def import_line(data: bytes) -> None:
    """Read a line of an import; what it makes is written as it reads."""
    try:
        record = ndjson.read(ndjson.parse(data), tenant_id=1)
        if record.kind == "tenant":
            ndjson.write_tenant(ndjson.to_tenant(record))
        elif record.kind == "activity":
            written = ndjson.write_activity(ndjson.to_activity(record, TENANT, now=utc_now()))
            ndjson.read(ndjson.parse(written))
    except InvalidEntity:
        pass


def request_headers(data: bytes) -> None:
    """Read If-Match, an Idempotency-Key and a proxy's headers."""
    value = data.decode("latin-1").translate({0: None, 10: None, 13: None})
    headers = {"If-Match": value, "Idempotency-Key": value}
    with APP.test_request_context("/", headers=headers):
        http.if_match_versions()
        with contextlib.suppress(InvalidInput):
            http.idempotency_key("deskera", {})
    environ = {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http", "PATH_INFO": f"{value}/x"}
    names = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PREFIX")
    environ |= dict.fromkeys(names, value)
    apply_forwarded(environ, ANYONE)
    assert environ["wsgi.url_scheme"] in ("http", "https")
    if "SCRIPT_NAME" in environ:
        assert re.fullmatch(r"(/[\w.~-]+)+", environ["SCRIPT_NAME"], re.ASCII)
        assert f"{value}/x".endswith(environ["PATH_INFO"])


def credentials(data: bytes) -> None:
    """Read a credential as it comes, and as what somebody signed."""
    text = data.decode("latin-1")
    with contextlib.suppress(NotAuthenticated):
        credential_of({"HTTP_AUTHORIZATION": text, "HTTP_X_API_KEY": text}, DESKERA_ORDER)
    parse_key(text)
    parse_key_id(text)
    for token in (text, PyJWS().encode(data, hmac_key(JWT_SECRET), "HS256")):
        with contextlib.suppress(NotAuthenticated):
            VERIFIER.verify(token, now=utc_now())
    revocable(SIGNED, text)


def request_bytes(data: bytes) -> None:
    """Read requests in one piece and in pieces, of a size that the first byte tells: the same.

    So are those whose heads are known.
    """
    if data:
        size, data = data[0] % 61 + 1, data[1:]
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        heads = KnownHeads()
        first = _requests([data], heads)
        assert first == _requests(pieces, heads), (size, data)
        assert first == _requests([data], heads), (size, data)


def _requests(pieces: list[bytes], heads: KnownHeads) -> list[object]:
    """Return the requests in these pieces, and the refusal that ends them."""
    parser, found = RequestParser(LIMITS, Uploads(), heads=heads), []
    parser.reset({})
    for piece in pieces:
        fed = piece
        while True:
            try:
                is_whole = parser.feed(fed)
            except Refusal as refusal:
                parser.release()
                return [*found, refusal.status]
            if not is_whole:
                break
            environ = parser.environ
            body = environ.pop("wsgi.input").read()
            found.append((sorted(environ.items()), body, parser.is_last))
            if parser.is_last or len(found) >= MOST_REQUESTS:
                parser.release()
                return found
            fed, parser.rest = parser.rest, b""
            parser.reset({})
            if not fed:
                break
    parser.release()
    return found


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        deskera_url,
        deskera_conditions,
        deskera_body,
        deskera_texts,
        apex_url,
        apex_query_body,
        apex_body,
        apex_texts,
        import_line,
        request_headers,
        credentials,
        request_bytes,
    )
}


def seed_file(name: str) -> Path:
    """Return the file of the inputs that are kept of a target: a list of texts in Latin-1."""
    return SEEDS / f"{name}.json"


def read_seeds(name: str) -> list[bytes]:
    """Return the inputs that are kept of a target."""
    file = seed_file(name)
    return [one.encode("latin-1") for one in json.loads(file.read_text())] if file.exists() else []
