"""Lines: where finished log lines go, without ever holding up what logs them."""

import atexit
import os
import select
import stat
import sys
import time
from asyncio import AbstractEventLoop
from collections import deque
from threading import Event, Thread
from typing import BinaryIO

from core.domain.counters import Counters
from gateway.observability.places import LOG_LINES_DROPPED

STDOUT = 1
FLUSH_SECONDS, BUSY_FLUSH_SECONDS = 0.25, 0.025
BUSY_BYTES = 2**18
"""Lines of a second beyond which a flush is due sooner: a long write holds a processor up."""
END_SECONDS = 1.0
READY_SECONDS = 0.1
PIECE_BYTES = 4096  # PIPE_BUF on Linux: a write of so many bytes is never split.
FILE_PIECE_BYTES = 2**20  # A regular file takes every write whole.
MAX_BUFFERED_LINES = 10_000


class Lines:
    """Where finished lines go. A reader that went away must not fail the requests.

    At first each line is written at once, if the reader takes it soon. A worker buffers them
    instead: a write releases the interpreter lock, and getting that back from the other thread
    costs a request more than all the rest of its logging. Buffered lines are at most
    `FLUSH_SECONDS` late. A reader that stalls costs lines, never time: beyond `MAX_BUFFERED_LINES`
    they are dropped, and counted.

    A thread writes them, but not to a pipe where an event loop calls `flush_on`: a pipe refuses
    what it cannot take at once. The thread asks for the interpreter after every piece, and each
    time the loop stands still until the kernel has found a processor for the thread.
    """

    def __init__(self, file: BinaryIO | None = None, *, counters: Counters | None = None) -> None:
        """Write to a file, by default to standard output; dropped lines are counted there."""
        self._file = file
        self._counters = counters
        self._buffer: deque[bytes] | None = None
        self._rest = b""  # Of a piece that was not taken whole.
        self._descriptor = STDOUT if file is None else _descriptor(file)
        self._piece_bytes = PIECE_BYTES
        self._can_refuse = self._is_looped = False
        self._ended = Event()
        self._thread: Thread | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads along."""
        return self._file is None and sys.stdout.isatty()

    def start_buffering(self) -> None:
        """Buffer lines, and flush them from a thread of its own, until `end`."""
        kind = _kind(self._descriptor)
        self._piece_bytes = FILE_PIECE_BYTES if stat.S_ISREG(kind) else PIECE_BYTES
        self._can_refuse = stat.S_ISFIFO(kind) and _pipes_can_refuse()
        self._buffer = buffer = deque[bytes]()
        self._thread = Thread(target=self._keep_writing, args=(buffer,), name="log lines")
        self._thread.daemon = True
        self._thread.start()
        atexit.register(self.end)

    def end(self) -> None:
        """Write the buffered lines, and later ones at once; drop both if nobody reads."""
        buffer, thread = self._buffer, self._thread
        if buffer is None or thread is None:
            return
        self._ended.set()
        thread.join(END_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        while self._is_looped and not self.flush() and time.monotonic() < deadline:
            time.sleep(READY_SECONDS / 10)
        self._thread = None
        if buffer or thread.is_alive():
            self._count_dropped(len(buffer) + self._rest.count(b"\n"))
            self._buffer = deque(maxlen=0)
        else:
            self._buffer = None

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

    def flush_on(self, loop: AbstractEventLoop) -> None:
        """Write what is buffered to a pipe, and what it does not take as soon as it takes more.

        For an event loop, ten times a second. Anything but a pipe is left to the thread.
        """
        if self.flush():
            loop.remove_writer(self._descriptor)
        else:
            loop.add_writer(self._descriptor, self.flush_on, loop)

    def flush(self) -> bool:
        """Write what is buffered to a pipe; return False if it does not take all of it at once."""
        buffer, thread = self._buffer, self._thread
        self._is_looped = self._can_refuse
        if not self._is_looped or buffer is None or thread is None or thread.is_alive():
            return True  # The thread does it, perhaps for the last time.
        while buffer or self._rest:
            piece = self._rest or _next_piece(buffer, PIECE_BYTES)
            try:
                written = os.pwritev(self._descriptor, [piece], -1, os.RWF_NOWAIT)
            except BlockingIOError:
                written = 0
            except OSError:  # Nobody will ever read.
                written = len(piece)
            self._rest = piece[written:]
            if self._rest:
                return False
        return True

    def _count_dropped(self, lines: int) -> None:
        if self._counters is not None:
            self._counters[LOG_LINES_DROPPED] += lines

    def _keep_writing(self, buffer: deque[bytes]) -> None:
        has_ended, seconds = False, FLUSH_SECONDS
        while not has_ended and not self._is_looped:
            has_ended, written = self._ended.wait(seconds), 0
            while buffer:
                piece = _next_piece(buffer, self._piece_bytes)
                self._write(piece)
                written += len(piece)
            is_busy = written >= BUSY_BYTES * seconds
            seconds = BUSY_FLUSH_SECONDS if is_busy else FLUSH_SECONDS

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


def _descriptor(file: BinaryIO) -> int:
    """Return the number of an open file; -1 if it has none."""
    try:
        return file.fileno()
    except (OSError, ValueError):  # ValueError: it is closed.
        return -1


def _kind(descriptor: int) -> int:
    """Return the mode of what is open, which tells files from pipes; 0 if nothing is."""
    try:
        return os.fstat(descriptor).st_mode
    except OSError:
        return 0


def _pipes_can_refuse() -> bool:
    """Return whether the kernel writes to pipes without waiting, where it is told to."""
    reader, writer = os.pipe()
    try:
        return bool(os.pwritev(writer, [b"\n"], -1, os.RWF_NOWAIT))
    except OSError:  # Before Linux 6.
        return False
    finally:
        os.close(reader)
        os.close(writer)


def _next_piece(lines: deque[bytes], max_bytes: int) -> bytes:
    """Take off as many lines as fit, but one at least."""
    piece = [lines.popleft()]
    size = len(piece[0])
    while lines and size + len(lines[0]) <= max_bytes:
        piece.append(lines.popleft())
        size += len(piece[-1])
    return b"".join(piece)
