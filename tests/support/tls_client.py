"""A client of TLS that can say it sends nothing more and read on, as Python's own cannot."""

import socket
import ssl
import sys
from types import TracebackType
from typing import Self

HOST = "localhost"
RECORD_BYTES = 2**14


class TlsClient:
    """A connection; its methods are those of a socket."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        """Shake hands on a connection."""
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=HOST)
        self._is_shaken = self._has_ended = self.was_cut = False
        self._received = b""
        try:
            self._shake_hands()
        except OSError:
            plain.close()
            raise

    def _shake_hands(self) -> None:
        while not self._is_shaken:
            try:
                self._tls.do_handshake()
                self._is_shaken = True
            except ssl.SSLWantReadError:
                self._flush()
                self._take_in()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._plain.sendall(self._outgoing.read())

    def _take_in(self) -> None:
        data = self._plain.recv(2**18)
        self.was_cut = not data
        if self.was_cut and not self._is_shaken:
            raise ConnectionResetError("the server closed during the handshake")
        self._incoming.write(data)

    @property
    def tls(self) -> ssl.SSLObject:
        """What was agreed upon."""
        return self._tls

    def sendall(self, data: bytes) -> None:
        """Send."""
        self._tls.write(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        """Return what has come, b"" at the end, also one that the server did not tell."""
        self._decrypt(size)
        while not (self._received or self._has_ended or self.was_cut):
            self._take_in()
            self._decrypt(size)
        piece, self._received = self._received[:size], self._received[size:]
        return piece

    def _decrypt(self, size: int) -> None:
        try:
            while not self._has_ended and len(self._received) < size:
                piece = self._tls.read(RECORD_BYTES)
                self._has_ended = not piece
                self._received += piece
        except ssl.SSLZeroReturnError:  # Both sides have said that it was all.
            self._has_ended = True
        except ssl.SSLWantReadError:
            pass

    def shutdown(self, _how: int) -> None:
        """Say that nothing more is sent, by TLS and by TCP."""
        self._decrypt(sys.maxsize)  # Or it would be taken for sent after the end.
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            self._flush()
        self._plain.shutdown(socket.SHUT_WR)

    def settimeout(self, seconds: float) -> None:
        """Wait so long for what comes."""
        self._plain.settimeout(seconds)

    def close(self) -> None:
        """Close."""
        self._plain.close()

    def __enter__(self) -> Self:
        """Close at the end of the block."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
