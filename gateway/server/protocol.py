"""HttpProtocol: one client's connection, from its first byte to its end.

A connection has one request under way at most: what a client sends beyond it waits unparsed, and
nothing more is read. Every phase has a deadline, which `Connections` sees to.
"""

import asyncio
import time
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import cast

from gateway.request import request_id
from gateway.server.connections import Activity, Eviction
from gateway.server.environ import Environ
from gateway.server.fair_queue import Job
from gateway.server.front import Front
from gateway.server.job_owners import STRANGERS
from gateway.server.outbox import PROGRESS_SECONDS, Outbox
from gateway.server.refusals import Refusal
from gateway.server.request_parser import RequestParser
from gateway.server.responses import CONTINUE, Response, Stream, chunk
from gateway.server.uploads import NO_ROOM

TOO_MUCH = "Too much is being sent by too many; try again in a moment."
NEVER = float("inf")
Phase = Enum("Phase", ["READING", "ANSWERING", "SENDING", "LINGERING", "CLOSED"])
READING, ANSWERING, SENDING, LINGERING, CLOSED = Phase


class HttpProtocol(asyncio.Protocol):
    """A connection; its methods are called by the event loop, `Connections` and the bridge."""

    _transport: asyncio.Transport
    _template: Environ
    """What every request's environ of this connection begins with."""

    def __init__(self, front: Front) -> None:
        """Expect a first request."""
        self._front = front
        self._limits = front.limits
        proxies, heads = front.trusted_proxies, front.known_heads
        self._parser = RequestParser(front.limits, front.uploads, heads=heads, proxies=proxies)
        self._phase = READING
        self._job: Job | None = None
        self._stream: Stream | None = None  # What is left of the response.
        self._has_sent = False
        self._has_ended = False  # The client sends nothing more.
        self._is_paused = False  # Nothing is read while a request is answered and another waits.
        self._closes_gently = False
        self._lingered_bytes, self.deadline = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        evict = partial(self.evict, Eviction.MEMORY)
        self._outbox = Outbox(self._transport, self._front.unsent, evict=evict)
        self._template = self._front.environ_of(transport)
        self._client = str(self._template["REMOTE_ADDR"])
        self._parser.reset(self._template.copy())
        self.deadline = time.monotonic() + self._limits.head_seconds
        self._front.welcome(self)
        if self._front.is_stopping:
            self.stop()

    def data_received(self, data: bytes) -> None:
        """Take in what the client sends."""
        if self._phase is READING:
            self._feed(data)
        elif self._phase is LINGERING or self._parser.is_last:
            self._drop(data)
        else:
            self._parser.rest += data
            self._is_paused = True
            self._transport.pause_reading()
            self._front.received.note(self, len(self._parser.rest))

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        was_in_body, had_begun = parser.in_body, parser.has_begun
        try:
            is_whole = parser.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if is_whole and not parser.has_unwritten:
            self._front.received.note(self, len(parser.rest))
            self._begin_answer()
            return
        self._front.received.note(self, parser.received_bytes)
        if parser.in_body and not was_in_body:
            self.deadline = time.monotonic() + self._limits.body_seconds
            if parser.wants_continue:
                self._transport.write(CONTINUE)
        elif parser.has_begun and not had_begun:
            self.deadline = time.monotonic() + self._limits.head_seconds
        if parser.spool is not None and parser.has_unwritten:
            self._transport.pause_reading()
            self.deadline = NEVER
            self._front.files.run(parser.spool.write_out, self._after_written)

    def _after_written(self, is_whole: bool | None) -> None:
        """Go on when what came of a long body is on disk."""
        spool = self._parser.spool
        if self._phase is not READING or spool is None:
            return  # The client went away.
        self.deadline = spool.deadline(self._limits.body_seconds)
        self._resume()
        if is_whole:
            self._begin_answer()
        elif is_whole is None:
            self._refuse(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, NO_ROOM))

    def _begin_answer(self) -> None:
        front, environ = self._front, self._parser.environ
        self._phase = ANSWERING
        self.deadline = NEVER
        self._has_sent = True
        front.connections.touch(self)
        job = front.bridge.handle(environ, self._answer)
        if self._phase is ANSWERING:  # It may be answered already.
            self._job = job

    def _answer(self, response: Response) -> None:
        """Send the response to the request under way."""
        if self._phase is not ANSWERING:
            return  # The client went away.
        job, self._job = self._job, None
        parser, front = self._parser, self._front
        self._outbox.owner = job.owner if job else STRANGERS
        front.answered += 1
        is_last = parser.is_last or front.is_stopping or (self._has_ended and not parser.rest)
        # What the client may still be sending after its last request is read and dropped.
        self._closes_gently = not parser.says_close
        self._send(response, method=parser.method, is_last=is_last)

    def _send(self, response: Response, *, method: str, is_last: bool) -> None:
        is_old, self._stream = self._parser.is_old, response.stream
        # To old clients only the end of the connection tells the end of a stream.
        is_last = self._parser.is_last = is_last or (is_old and self._stream is not None)
        self._phase = SENDING
        writer = self._front.writer
        self._write(writer.to_bytes(response, method=method, is_last=is_last, is_old=is_old))

    def _write(self, pieces: list[bytes]) -> None:
        if self._outbox.write(pieces):
            self._after_sending()
        else:
            self.deadline = time.monotonic() + PROGRESS_SECONDS

    def _send_piece(self, piece: bytes | None) -> None:
        """Send a piece of a stream; None: it broke, and nobody may take what came for the whole."""
        if self._phase is not SENDING or piece is None:
            self._abort()
        else:
            self._stream = self._stream if piece else None
            self._write([piece if self._parser.is_old else chunk(piece)])

    def _after_sending(self) -> None:
        if self._stream is not None:
            self.deadline = NEVER  # What takes time now is not the client.
            self._front.files.run(self._stream.read, self._send_piece)
            return
        rest = self._parser.rest
        if self._parser.is_last or (self._has_ended and not rest):
            self._close()
            return
        self._phase = READING
        self.deadline = time.monotonic() + self._limits.idle_seconds
        if self._front.is_stopping:
            self.stop()
        self._parser.rest = b""
        self._parser.reset(self._template.copy())
        if rest:  # By way of the loop, because there may be many requests in it.
            self._phase = ANSWERING
            asyncio.get_running_loop().call_soon(self._go_on, rest)
        elif self._is_paused:
            self._resume()

    def _go_on(self, rest: bytes) -> None:
        """Take in what came while another request was answered."""
        if self._phase is not ANSWERING:
            return
        self._phase = READING
        more, self._parser.rest = self._parser.rest, b""
        self._feed(rest + more)
        if self._phase is READING:
            self._resume()
            if self._has_ended and not self.eof_received():
                self._transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application, as the last thing on this connection."""
        parser = self._parser
        number = request_id(parser.environ)
        self._front.received.discard(self)
        target = parser.target.removeprefix(parser.environ["SCRIPT_NAME"].encode())
        response = self._front.refuse(refusal, target, number=number, client=self._client)
        self._closes_gently = True
        self._send(response, method=parser.method, is_last=True)

    def _close(self) -> None:
        """Close when everything is sent; gently, if unread input would destroy the response."""
        if not self._closes_gently or self._has_ended:
            self._phase = CLOSED
            self._transport.close()
            return
        self._phase = LINGERING
        self.deadline = time.monotonic() + self._limits.linger_seconds
        self._resume()
        self._transport.write_eof()

    def _resume(self) -> None:
        self._is_paused = False
        self._transport.resume_reading()

    def _drop(self, data: bytes) -> None:
        self._lingered_bytes += len(data)
        if self._lingered_bytes > self._limits.linger_bytes:
            self._abort()

    def _abort(self) -> None:
        self._phase = CLOSED
        self._transport.abort()

    def eof_received(self) -> bool:
        """Take note that the client sends nothing more; it may still be reading."""
        self._has_ended = True
        if self._phase is LINGERING or (self._phase is READING and not self._parser.in_body):
            self._phase = CLOSED
            return False
        if self._phase is READING:
            self._refuse(Refusal(HTTPStatus.BAD_REQUEST, "The body ends before its length."))
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """End: nobody reads an answer."""
        self._phase = CLOSED
        self._front.connections.discard(self)
        self._front.received.discard(self)
        self._outbox.resume()
        if self._job is not None:
            self._job.is_cancelled = True
        if self._stream is not None:
            self._stream.close()
        self._parser.release()

    def pause_writing(self) -> None:
        """Take note that the client does not take in everything at once."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Take note that the client has taken in everything."""
        self._outbox.resume()
        if self._phase is SENDING:
            self._after_sending()

    @property
    def activity(self) -> Activity:
        """What happens on it now."""
        if self._phase is READING:
            return Activity.READING if self._parser.has_begun else Activity.IDLE
        return Activity.WAITING if self._phase is ANSWERING else Activity.WRITING

    def expire(self) -> None:
        """End what took too long."""
        if self._phase is SENDING:
            if self._outbox.stalled_seconds() >= self._limits.send_seconds:
                self.evict(Eviction.UNREAD)
            self.deadline = time.monotonic() + PROGRESS_SECONDS
        elif self._phase is READING and self._parser.in_body:
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, "The body took too long."))
        elif self._phase is READING and self._parser.has_begun:
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, "The head took too long."))
        elif self._phase is READING and not self._has_sent:
            self.evict(Eviction.SILENT)
        else:
            self._abort()

    def evict(self, reason: Eviction) -> None:
        """Close at once."""
        self._front.tell_eviction(reason, client=self._client)
        self._abort()

    def give_up(self) -> None:
        """Refuse what came of a request, or what came during another one as soon as that ends."""
        if self._phase is READING:
            self._refuse(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MUCH))
        else:
            self._parser.rest = b""
            self._parser.is_last = True

    def stop(self) -> None:
        """Answer what has begun, and a request that is on its way on a kept connection."""
        if self._phase is READING and not self._parser.has_begun:
            soon = time.monotonic() + self._limits.stopping_seconds
            self.deadline = min(self.deadline, soon)
