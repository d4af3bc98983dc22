"""Lines: where finished log lines go, without ever holding up what logs them."""

import atexit
import os
import select
import sys
from collections import deque
from threading import Event, Thread
from typing import BinaryIO

from core.domain.counters import Counters
from gateway.observability.places import LOG_LINES_DROPPED

STDOUT = 1
FLUSH_SECONDS = 0.1
END_SECONDS = 1.0
READY_SECONDS = 0.1
PIECE_BYTES = 4096  # PIPE_BUF on Linux: a write of so many bytes is never split.
MAX_BUFFERED_LINES = 10_000


class Lines:
    """Where finished lines go. A reader that went away must not fail the requests.

    At first each line is written at once, if the reader takes it soon. A worker buffers them
    instead: a write releases the interpreter lock, and getting that back from the other thread
    costs a request more than all the rest of its logging. Buffered lines are at most
    `FLUSH_SECONDS` late. A reader that stalls costs lines, never time: beyond `MAX_BUFFERED_LINES`
    they are dropped, and counted.
    """

    def __init__(self, file: BinaryIO | None = None, *, counters: Counters | None = None) -> None:
        """Write to a file, by default to standard output; dropped lines are counted there."""
        self._file = file
        self._counters = counters
        self._buffer: deque[bytes] | None = None
        self._ended = Event()
        self._thread: Thread | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads along."""
        return self._file is None and sys.stdout.isatty()

    def start_buffering(self) -> None:
        """Buffer lines, and flush them from a thread of its own, until `end`."""
        self._buffer = buffer = deque[bytes]()
        self._thread = Thread(target=self._flush, args=(buffer,), name="log lines", daemon=True)
        self._thread.start()
        atexit.register(self.end)

    def end(self) -> None:
        """Write the buffered lines, and later ones at once; drop both if nobody reads."""
        buffer, self._buffer = self._buffer, None
        thread, self._thread = self._thread, None
        if buffer is None or thread is None:
            return
        self._ended.set()
        thread.join(END_SECONDS)
        if thread.is_alive():
            self._count_dropped(len(buffer))
            self._buffer = deque(maxlen=0)

    def write(self, line: bytes) -> None:
        """Write one line, or buffer it."""
        buffer = self._buffer
        line += b"\n"  # And so a copy: the bytes that orjson returns occupy 8 KiB.
        if buffer is None:
            self._write_soon(line)
        elif len(buffer) < MAX_BUFFERED_LINES:
            buffer.append(line)
        else:
            self._count_dropped(1)

    debug = info = warning = error = write

    def _count_dropped(self, lines: int) -> None:
        if self._counters is not None:
            self._counters[LOG_LINES_DROPPED] += lines

    def _flush(self, buffer: deque[bytes]) -> None:
        has_ended = False
        while not has_ended:
            has_ended = self._ended.wait(FLUSH_SECONDS)
            if buffer:
                self._write_all(buffer)

    def _write_all(self, lines: deque[bytes]) -> None:
        """Write in pieces that a pipe takes whole, so that lines of processes do not mix."""
        piece = b""
        while lines:
            line = lines.popleft()
            if piece and len(piece) + len(line) > PIECE_BYTES:
                self._write(piece)
                piece = b""
            piece += line
        self._write(piece)

    def _write_soon(self, line: bytes) -> None:
        """Write a line unless its reader stalls: gunicorn's master, for one, has more to do."""
        while line:
            if self._file is None and not _is_ready(STDOUT):
                self._count_dropped(1)
                return
            self._write(line[:PIECE_BYTES])
            line = line[PIECE_BYTES:]

    def _write(self, piece: bytes) -> None:
        try:
            if self._file is not None:
                self._file.write(piece)
                self._file.flush()
            # Past Python's own buffer: its lock, kept by a write that hangs, would spoil the exit.
            while self._file is None and piece:
                piece = piece[os.write(STDOUT, piece) :]
        except (OSError, ValueError):  # ValueError: the file was closed.
            return


def _is_ready(file: int) -> bool:
    """Return whether a piece can be written without waiting, now or in a moment."""
    poll = select.poll()
    poll.register(file, select.POLLOUT)
    return bool(poll.poll(READY_SECONDS * 1000))
