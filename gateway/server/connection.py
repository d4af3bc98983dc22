"""Connections as gunicorn uses them, at a third of the system calls.

Each system call on a socket lets go of the interpreter, and while other threads wait for it,
getting it back costs several times as much as the call. gunicorn makes eight of them for an answer
without need: five changes of blocking and timeout that nothing depends on, and a head apart from
its body.
"""

import socket
from typing import Any

FINAL_HEADS = tuple(f"HTTP/1.{minor} {hundred}".encode() for minor in "01" for hundred in "2345")
END_OF_HEAD = b"\r\n\r\n"


class Connection(socket.socket):
    """A blocking connection; a timeout is set when it matters, a head is sent with its body."""

    _timeout: float | None = None
    _head = b""

    def setblocking(self, flag: bool) -> None:
        """Do nothing: a connection that is polled for reading may as well block."""

    def gettimeout(self) -> float | None:
        """Return the timeout of the next call."""
        return self._timeout

    def settimeout(self, value: float | None) -> None:
        """Let a timeout hold from the next call on."""
        self._timeout = value

    def recv(self, *arguments: Any) -> bytes:
        """Receive, under the timeout that was set last."""
        self._settle()
        return super().recv(*arguments)

    def sendall(self, data: Any, *flags: int) -> None:
        """Send all, under the timeout that was set last; the head of an answer waits for more."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(FINAL_HEADS) and data.endswith(END_OF_HEAD):
            self._head = data
            return
        self._settle()
        super().sendall(data, *flags)

    def send(self, data: Any, *flags: int) -> int:
        """Send some, after a head that waits."""
        self.flush()
        return super().send(data, *flags)

    def sendfile(self, *arguments: Any, **options: Any) -> int:
        """Send a file, after a head that waits."""
        self.flush()
        return super().sendfile(*arguments, **options)

    def flush(self) -> None:
        """Send a head that waits: nothing comes after it."""
        if self._head:
            head, self._head = self._head, b""
            self._settle()
            super().sendall(head)

    def _settle(self) -> None:
        if super().gettimeout() != self._timeout:
            super().settimeout(self._timeout)


class Listener:
    """What gunicorn accepts connections from, as far as it uses it for that."""

    def __init__(self, listener: Any) -> None:
        """Take gunicorn's own."""
        self._listener = listener
        self.getsockname = listener.getsockname

    def accept(self) -> tuple[Connection, Any]:
        """Return a new connection and the client's address."""
        plain, address = self._listener.accept()
        family, kind, protocol = plain.family, plain.type, plain.proto
        return Connection(family, kind, protocol, fileno=plain.detach()), address
