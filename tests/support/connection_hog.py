"""Takes every connection that a PostgreSQL has, and lets nobody else have one."""

import threading
import time
from contextlib import suppress

import psycopg

PAUSE_SECONDS = 0.005


class ConnectionHog:
    """Connections that do nothing; others are ended, and their places taken."""

    def __init__(self, url: str) -> None:
        """Take nothing yet."""
        self._url = url
        self._taken: list[psycopg.Connection[object]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._take)

    def begin(self) -> None:
        """Take all places that are free, and end who has the others."""
        self._thread.start()

    def end(self) -> None:
        """Give all back."""
        self._is_over.set()
        self._thread.join()
        for connection in self._taken:
            connection.close()

    def _take(self) -> None:
        while not self._is_over.wait(PAUSE_SECONDS):
            with suppress(psycopg.OperationalError):
                while not self._is_over.is_set():
                    self._taken.append(psycopg.connect(self._url, autocommit=True))
            self._end_one()

    def _end_one(self) -> None:
        own = [connection.info.backend_pid for connection in self._taken]
        self._taken[0].execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> ALL (%s) LIMIT 1",
            [own],
        )
        time.sleep(PAUSE_SECONDS)
