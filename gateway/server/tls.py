"""TLS between a connection's transport and its protocol, on the event loop.

The loop's own TLS tells a protocol of a connection only after the handshake, and ends it when the
client has said that it sends nothing more. Here the protocol knows its connection from the first
moment on: a handshake has the deadline of a head and counts as a connection, and a client that has
sent its last request still gets its answer.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, cast

from gateway.server.connections import Eviction
from gateway.server.protocol import HttpProtocol

RECORD_BYTES = 2**14

State = Enum("State", ["HANDSHAKE", "OPEN", "SENT_ALL", "BROKEN"])
HANDSHAKE, OPEN, SENT_ALL, BROKEN = State


class TlsConnection(asyncio.Protocol, asyncio.Transport):
    """The protocol of a transport, and the transport of an `HttpProtocol`."""

    _transport: asyncio.Transport

    def __init__(self, context: ssl.SSLContext, make_protocol: Callable[[], HttpProtocol]) -> None:
        """Expect a handshake."""
        super().__init__()
        self._protocol = make_protocol()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._state = HANDSHAKE
        self._has_ended = False  # The client sends nothing more.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.connection_made(self)

    def data_received(self, data: bytes) -> None:
        """Take in records."""
        if self._state is SENT_ALL:
            self._protocol.data_received(data)  # Which drops them, and counts their bytes.
        if self._state not in (HANDSHAKE, OPEN):
            return
        self._incoming.write(data)
        try:
            if self._state is HANDSHAKE:
                self._tls.do_handshake()
                self._state = OPEN
            received, is_end = self._decrypt()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._flush()  # The alert that says why.
            self._state = BROKEN
            self._protocol.evict(Eviction.TLS)
        else:
            self._flush()
            self._deliver(received, is_end=is_end)

    def _decrypt(self) -> tuple[bytes, bool]:
        """Return all that has come, and whether the client says that it was the last."""
        pieces = []
        with suppress(ssl.SSLWantReadError):
            while piece := self._tls.read(RECORD_BYTES):
                pieces.append(piece)
            return b"".join(pieces), True
        return b"".join(pieces), False

    def _deliver(self, received: bytes, *, is_end: bool) -> None:
        if received:
            self._protocol.data_received(received)
        if is_end:
            self.eof_received()

    def eof_received(self) -> bool:
        """Take note that nothing more comes; the protocol may have something to answer.

        Requests say themselves where they end: it makes no difference who cut the connection.
        """
        if self._has_ended:
            return True
        self._has_ended = True
        if self._state is HANDSHAKE or not self._protocol.eof_received():
            self.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass on that not everything is sent."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that everything is sent."""
        self._protocol.resume_writing()

    def write(self, data: Any) -> None:
        """Send; there is nothing to say before the handshake, nor after the end."""
        if self._state is not OPEN:
            return
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    def _say_goodbye(self) -> None:
        """Tell the client that this is the end, and not that somebody cut the connection."""
        if self._state is OPEN:
            self._state = SENT_ALL
            with suppress(ssl.SSLError):  # It does not wait for the client's own.
                self._tls.unwrap()
            self._flush()

    def write_eof(self) -> None:
        """Send nothing more, and read on."""
        self._say_goodbye()
        self._transport.write_eof()

    def close(self) -> None:
        """Close when everything is sent."""
        self._say_goodbye()
        self._transport.close()

    def abort(self) -> None:
        """Close at once, but for the alert that is on its way."""
        if self._state is BROKEN:
            self._transport.close()
        else:
            self._transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection; an `ssl_object` tells it from others."""
        if name == "ssl_object":
            return self._tls
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not taken in."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when `pause_writing` is called."""
        self._transport.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Read nothing for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()
