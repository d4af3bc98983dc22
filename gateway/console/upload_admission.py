"""Who may send a file that is written to disk: told by the head of the request, on the event loop.

So nothing is looked up here: the cookie must be one that we signed, for a login that has not ended
by itself. Whether its credential still holds is asked before anything is done with the file.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from itsdangerous import BadSignature
from werkzeug.http import parse_cookie

from core.domain.clock import Clock
from core.domain.errors import Unavailable
from gateway.console.session_cookie import COOKIE, SigningKey
from gateway.console.shell import LOGIN
from gateway.request import UNDECIDED


class UploadAdmission:
    """Admits the files of one path."""

    def __init__(self, key: SigningKey, *, path: str, max_bytes: int, clock: Clock) -> None:
        """Admit files of at most `max_bytes`."""
        self._key = key
        self._path = path
        self._max_bytes = max_bytes
        self._clock = clock
        self._learning: Thread | None = None

    def __call__(self, environ: Mapping[str, Any]) -> int | None:
        """Return how long the body of a request may be; 0: not at all; None: as all others.

        UNDECIDED, while the key of the cookies is not known yet.
        """
        path = environ["PATH_INFO"].removesuffix("/")
        if path != self._path or environ["REQUEST_METHOD"] != "POST":
            return None
        if not self._key.is_known:
            self._learn()
            return UNDECIDED
        return self._max_bytes if self._is_logged_in(environ) else 0

    def _learn(self) -> None:
        """Have the key read, by one thread however many strangers come meanwhile."""
        if self._learning is None or not self._learning.is_alive():
            self._learning = Thread(target=self.prepare, daemon=True)
            self._learning.start()

    def prepare(self) -> None:
        """Learn the key of the cookies, which stands in the database."""
        with suppress(Unavailable):  # Then it is tried again for the next one who comes.
            self._key.serializer()

    def _is_logged_in(self, environ: Mapping[str, Any]) -> bool:
        cookie = parse_cookie(environ.get("HTTP_COOKIE")).get(COOKIE, "")
        try:
            stored = self._key.serializer().loads(cookie).get(LOGIN)
        except BadSignature:
            return False
        return bool(stored) and self._clock() < datetime.fromtimestamp(stored["ends"], UTC)
