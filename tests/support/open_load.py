"""Requests that are sent at a fixed rate, whether those before them were answered or not."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from threading import Thread
from typing import NamedTuple

HOST = "127.0.0.1"
LIMIT_SECONDS = 30


class Answer(NamedTuple):
    """When a request was sent, by the monotonic clock, what came back, and how long that took."""

    sent_at: float
    status: int
    seconds: float


class OpenLoad(Thread):
    """Sends requests in turn, each on a connection of its own, until it is ended."""

    def __init__(self, port: int, requests: Sequence[bytes], *, per_second: float) -> None:
        """Begin to send as soon as it is started."""
        super().__init__(daemon=True)
        self._port = port
        self._requests = requests
        self._pause_seconds = 1 / per_second
        self._is_ending = False
        self.answers: list[Answer] = []

    def run(self) -> None:
        """Send."""
        asyncio.run(self._send_all())

    def end(self) -> list[Answer]:
        """Send no more; return all answers when they have come."""
        self._is_ending = True
        self.join()
        return self.answers

    async def _send_all(self) -> None:
        began_at = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(itertools.cycle(self._requests)):
                if self._is_ending:
                    break
                group.create_task(self._send(request))
                due_at = began_at + (number + 1) * self._pause_seconds
                await asyncio.sleep(max(0, due_at - time.monotonic()))

    async def _send(self, request: bytes) -> None:
        sent_at = time.monotonic()
        status = 0
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                writer.write(request)
                status = int((await reader.readline()).split()[1])
                writer.close()
        except (OSError, TimeoutError, IndexError):
            status = 0
        self.answers.append(Answer(sent_at, status, time.monotonic() - sent_at))


def get(path: str, key: str) -> bytes:
    """Return a GET with a credential."""
    return f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\nx-access-token: {key}\r\n\r\n".encode()


def post(path: str, key: str, body: bytes) -> bytes:
    """Return a POST of JSON with a credential."""
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\nx-access-token: {key}\r\n"
    framing = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + framing).encode() + body
