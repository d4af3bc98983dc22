"""Requests of a load over kept connections, and what came of each: an answer, or which failure.

Nothing is sent twice here: a connection that died under a request is an outcome, not a retry.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GIVE_UP_SECONDS = 12.0
PREFIXES = {"deskera": "/v1/crm/activities", "achieveapex": "/activities"}
DIED, LATE, REFUSED, BUSY, MALFORMED = "died", "no answer", "refused", "503", "503 of no dialect"
WRONG = "wrong answer"
"""Kinds of failures; any other one is a status, as in "500"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request; `failure` is "" where it was answered, and `seconds` how soon."""

    failure: str
    began_at: float
    seconds: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request in one dialect, as one caller; `headers` are more than the credential."""

    dialect: str
    key: str
    method: str
    target: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> bytes:
        """The bytes that go over the wire."""
        content = b"" if self.body is None else json.dumps(self.body).encode()
        named = {"Host": "127.0.0.1", "x-access-token": self.key, **self.headers}
        if content:
            named |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = [f"{name}: {value}" for name, value in named.items()]
        head = "\r\n".join(
            [f"{self.method} {PREFIXES[self.dialect]}{self.target} HTTP/1.1", *lines, "", ""]
        )
        return head.encode() + content


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """Connections to the gateways on some ports, which are called in turn."""

    def __init__(self, ports: Sequence[int]) -> None:
        """Connect to nothing yet."""
        self.ports = list(ports)
        self._calls = 0
        self._idle: dict[int, list[Streams]] = {}

    async def call(self, request: Request) -> Answer:
        """Send a request on an idle connection, or else a new one."""
        self._calls += 1
        port = self.ports[self._calls % len(self.ports)]
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                status, headers, body = await self._exchange(port, request.text)
        except ConnectionRefusedError:
            return _failed(REFUSED, began_at)
        except TimeoutError:
            return _failed(LATE, began_at)
        except (OSError, EOFError, ValueError):
            return _failed(DIED, began_at)
        failure = "" if status < 300 else _failure(request.dialect, status, headers, body)
        return Answer(failure, began_at, time.monotonic() - began_at, status, headers, body)

    async def _exchange(self, port: int, text: bytes) -> tuple[int, dict[str, str], Any]:
        idle = self._idle.setdefault(port, [])
        while idle and idle[-1][0].at_eof():  # The gateway closed it at rest.
            idle.pop()[1].close()
        reader, writer = (
            idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        )
        is_whole = False
        try:
            writer.write(text)
            head = await reader.readuntil(b"\r\n\r\n")
            status, headers = _read_head(head)
            content = await reader.readexactly(int(headers.get("content-length", "0")))
            body = json.loads(content) if content else None
            is_whole = headers.get("connection") != "close"
        finally:
            if is_whole:
                idle.append((reader, writer))
            else:
                writer.close()
        return status, headers, body

    def close(self) -> None:
        """Close all connections that are idle."""
        for idle in self._idle.values():
            for _, writer in idle:
                writer.close()
        self._idle.clear()


def _failed(kind: str, began_at: float) -> Answer:
    return Answer(kind, began_at, time.monotonic() - began_at)


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return int(first.split(" ", 2)[1]), headers


def _failure(dialect: str, status: int, headers: Mapping[str, str], body: Any) -> str:
    if status != 503:
        return str(status)
    has_delay = headers.get("retry-after", "").isdigit()
    names = {
        "deskera": ("httpStatus", "SERVICE_UNAVAILABLE"),
        "achieveapex": ("name", "Unavailable"),
    }
    name, value = names[dialect]
    is_right = isinstance(body, dict) and body.get(name) == value and body.get("code") == status
    return BUSY if has_delay and is_right else MALFORMED
