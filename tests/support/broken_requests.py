"""Broken requests by the hundred: of the right form with wrong parts, and of no form at all."""

import json
import random
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from adapters.achieveapex.fields import FIELDS as APEX_FIELDS
from adapters.achieveapex.filters import OPERATORS
from adapters.deskera.fields import FIELDS as DESKERA_FIELDS
from adapters.deskera.filters import KEYS

DESKERA, APEX = "/v1/crm/activities", "/activities"
CALLS = (
    *((method, DESKERA) for method in ("GET", "GET", "POST", "POST")),
    *((method, f"{DESKERA}/1") for method in ("GET", "PUT", "PUT", "PUT")),
    *(("PATCH", f"{DESKERA}/bulkUpdate"), ("POST", f"{DESKERA}/bulkDelete")),
    *((method, APEX) for method in ("GET", "GET", "GET", "POST", "POST", "PATCH")),
    *((method, f"{APEX}/1") for method in ("GET", "PATCH", "PATCH", "PATCH")),
)
PATHS = (
    *(f"{DESKERA}/999", f"{DESKERA}/%00", f"{DESKERA}/-1", f"{DESKERA}/1/2", f"{DESKERA}//"),
    *(f"{DESKERA}/{'9' * 50}", f"{DESKERA}/bulkX", "/v1/crm/%ff", f"{APEX}/999", f"{APEX}/1/2"),
    *(f"{APEX}/%ED%A0%80", f"{APEX}/\u0661", f"{APEX}//", f"{APEX}/%2e%2e", f"{APEX}/{'9' * 5000}"),
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW")
NAMES = (
    *(field.wire for field in (*DESKERA_FIELDS, *APEX_FIELDS)),
    *("ids", "query", "__proto__", "constructor", "", "\0", "\ud800", "a.b[c]"),
)
FILTERS = (*OPERATORS, "$or", "$and", "$limit", "$skip", "$sort", "$select", "$nope")
PARAMETERS = ("page", "pageSize", "sortBy", "sortDir", "query", *FILTERS, *NAMES)
GOOD = (
    *("call", "2025-04-15", "10:00", "2025-04-15T10:00:00Z", "1h 5m", "Asia/Kolkata", "private"),
    *(b64encode(b"x").decode(), 1, 2, 30, True, None, "id", "ASC", "1", "-1", "name=a,date>1"),
)
BAD = (
    *("", "\0", "\ud800", "\uffff", "\U0001f642", "a" * 9000, "null", "1e400", "NaN", "%", "\\"),
    *("%s", "%(tenant_id)s", ":x", "{0}", "date>999999999999", "=", ",,", "'; DROP TABLE x; --"),
    *("2021-02-30", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "24:00", "9" * 400),
    *(0, -1, 1.5, 2**31, 2**53, 2**63, 2**64, 10**400, -(10**30), 1e308, 5e-324, -0.0, False),
    *(float("nan"), float("inf")),
)
HEADERS = (
    *(("If-Match", value) for value in ("", '"', '"1-', f'"{"9" * 400}-0"', "W/*", "é")),
    *(("If-None-Match", value) for value in ("", '"', "*", "W/", ",", "é")),
    *(("Idempotency-Key", value) for value in ("", "k", "k" * 300, "é", "\x01")),
    *(("Content-Type", value) for value in ("", "text/plain", "multipart/form-data", ";;;", "é")),
    *(("X-Service-Method", "find"), ("X-Request-Id", "x" * 500), ("X-Request-Id", "é")),
    *(("x-access-token", value) for value in ("", f"crm1x{'a' * 53}", "a.b.c", "é", "x" * 9000)),
    *(("x-api-key", value) for value in ("", "é", "x" * 9000)),
    *(("Range", "bytes=0-5"), ("Expect", "200-ok"), ("Accept-Encoding", "br;q=x")),
)


class BrokenRequests:
    """Requests that are the same in every run with the same seed."""

    def __init__(self, seed: int) -> None:
        """Draw from this seed."""
        self._random = random.Random(seed)
        self._choice = self._random.choice

    def _happens(self, chance: float) -> bool:
        return self._random.random() < chance

    def _scalar(self) -> Any:
        return self._choice(GOOD if self._happens(0.5) else BAD)

    def _value(self, depth: int) -> Any:
        """Return a JSON value, or a part of one."""
        if depth > 4 or self._happens(0.6):
            return self._scalar()
        if self._happens(0.5):
            return [self._value(depth + 1) for _ in range(self._random.randrange(4))]
        names = FILTERS if self._happens(0.5) else NAMES
        return {self._choice(names): self._value(depth + 1) for _ in range(self._choice((1, 1, 2)))}

    def _document(self) -> Any:
        """Return a body: most are objects with names that mean something."""
        if self._happens(0.1):
            return self._value(0)
        body = {self._choice(NAMES): self._value(2) for _ in range(self._choice((1, 1, 2, 4)))}
        if self._happens(0.4):
            body |= {"subject": "a", "ids": [1, 2], "done": True, "is_status": False}
        if self._happens(0.4):
            body["query"] = {self._choice(PARAMETERS): self._value(1)}
        return body

    def _body(self) -> bytes:
        data = bytearray(json.dumps(self._document()).encode())
        for _ in range(self._choice((0, 0, 0, 0, 0, 1, 3))):
            place = self._random.randrange(len(data) + 1)
            data[place : place + self._random.randrange(3)] = self._random.randbytes(2)
        return bytes(data)

    def _term(self) -> str:
        key, operator = self._choice((*KEYS, "nope")), self._choice(("=", ">", "<=", "!null", "!"))
        return f"{key}{operator}{self._scalar()}"

    def _parameter(self) -> str:
        name = self._choice(PARAMETERS)
        for _ in range(self._choice((0, 0, 1, 2))):
            name += f"[{self._choice((*FILTERS, '', '0', '7', 'id'))}]"
        value = ",".join(self._term() for _ in range(2)) if name == "query" else self._scalar()
        place, text = (quote(str(part), "[]$", errors="surrogatepass") for part in (name, value))
        return f"{place}={text}" if self._happens(0.9) else f"{place}%ff=%00{text}"

    def request(self) -> dict[str, Any]:
        """Return the arguments of one request."""
        method, path = self._choice(CALLS)
        if self._happens(0.1):
            method, path = self._choice(METHODS), self._choice((path, *PATHS))
        query = "&".join(self._parameter() for _ in range(self._choice((0, 0, 0, 1, 2))))
        return {
            "method": method,
            "path": path,
            "query_string": query[:7000],
            "headers": [self._choice(HEADERS)] if self._happens(0.15) else [],
            "data": self._body() if self._happens(0.8) else None,
        }
