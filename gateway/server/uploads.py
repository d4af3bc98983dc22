"""Uploads: request bodies that are too large for memory, written to disk while they come.

Who may send one is told by the head of its request, before any of it is taken; how many come at a
time is bounded, and so is how slowly. The file has no name: when its request, or the process, has
ended, nothing is left of it.
"""

import os
import tempfile
import time
import weakref
from collections.abc import Callable
from http import HTTPStatus
from io import FileIO
from threading import BoundedSemaphore

from gateway.request import UNDECIDED
from gateway.server.environ import Environ
from gateway.server.refusals import Refusal

UPLOADS_AT_A_TIME = 2
LEAST_BYTES_PER_SECOND = 64 * 2**10
"""A body that comes more slowly, on average, is given up."""
NO_ROOM = "There is no room on disk."

Admit = Callable[[Environ], int | None]
"""Tells by a request's head how long its body may be on disk; 0: the caller may not send it.

None: it is one like all others. `UNDECIDED`: that cannot be told now.
"""
NOT_ADMITTED = "Only who is logged in may send a file."
TRY_AGAIN = "Nobody can be let in at the moment; try again."


def admit_nobody(_environ: Environ) -> int | None:
    """Have every body be one like all others."""
    return None


class Spool:
    """The body of one request, on its way to a file."""

    def __init__(self, file: FileIO, length: int) -> None:
        """Expect `length` bytes."""
        self.file = file
        self._length = length
        self._received = 0
        self._pending: list[bytes] = []
        self._began_at = time.monotonic()

    @property
    def has_pending(self) -> bool:
        """Whether there is something to write."""
        return bool(self._pending)

    def take(self, data: bytes) -> None:
        """Take in a piece of the body, which is then to be written out."""
        self._pending.append(data)
        self._received += len(data)

    def write_out(self) -> bool:
        """Write what was taken in; return whether the body is whole, and the file at its beginning.

        Raises: OSError.
        """
        pending, self._pending = self._pending, []
        for piece in pending:
            rest = memoryview(piece)
            while rest:
                rest = rest[self.file.write(rest) :]
        is_whole = self._received == self._length
        if is_whole:
            self.file.seek(0)
        return is_whole

    def deadline(self, seconds: float) -> float:
        """Return until when more must have come, by `time.monotonic`; at first in `seconds`."""
        return self._began_at + seconds + self._received / LEAST_BYTES_PER_SECOND


class Uploads:
    """The bodies that come to one worker's disk at the moment."""

    def __init__(self, admit: Admit = admit_nobody) -> None:
        """Let `admit` say who may send how much."""
        self._admit = admit
        self._places = BoundedSemaphore(UPLOADS_AT_A_TIME)

    def open(self, environ: Environ, length: int) -> Spool | None:
        """Return where a body of this length goes; None: into memory, like all others.

        Raises: Refusal.
        """
        limit = self._admit(environ)
        if limit is None:
            return None
        if limit == UNDECIDED:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, TRY_AGAIN)
        if not limit:
            raise Refusal(HTTPStatus.FORBIDDEN, NOT_ADMITTED)
        if length > limit:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
        if not self._places.acquire(blocking=False):
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many files come at the moment.")
        try:
            file = _nameless_file()
        except OSError as error:
            self._places.release()
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, NO_ROOM) from error
        spool = Spool(file, length)
        weakref.finalize(spool, _end, file, self._places)
        return spool


def _nameless_file() -> FileIO:
    number, name = tempfile.mkstemp()
    os.unlink(name)
    return FileIO(number, "r+b")


def _end(file: FileIO, places: BoundedSemaphore) -> None:
    file.close()
    places.release()
