"""Heartbeat: finds out again and again whether the database answers, and keeps its circuit so.

It has a connection of its own, which no request can wait for. A quarter of a second after a beat
comes the next; one that has no answer within 1.5 s opens the circuit, so that less than 2 s pass
until a frozen server is known, and the next answer closes the circuit. Each answer tells the time,
too: the gateways of a database take the present from its clock, and not each from its own.
"""

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import psycopg

from core.domain.clock import SharedClock
from core.storage.circuit import Circuit

INTERVAL_SECONDS = 0.25
FAILURES = (psycopg.Error, OSError, ValueError)
"""None of these ends the thread, since the circuit would stay as it is for ever."""

QUESTION = "SELECT extract(epoch FROM clock_timestamp())::FLOAT8"


class Heartbeat:
    """The only judge of a circuit."""

    def __init__(self, circuit: Circuit, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        """Ask nothing yet; `connect` makes connections whose statements end in time."""
        self._circuit = circuit
        self._connect = connect
        self.clock = SharedClock()
        """What each answer tells the time to."""
        self._connection: psycopg.Connection[Any] | None = None
        self._stopping = Event()

    def start(self) -> None:
        """Beat from now on, in a thread of its own, and once at once."""
        self._circuit.is_watched = True
        # A daemon, because a process must be able to end while a server is frozen.
        Thread(target=self._run, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Beat no more; the circuit stays as it is."""
        self._stopping.set()

    def _run(self) -> None:
        self.beat()
        while not self._stopping.wait(INTERVAL_SECONDS):
            self.beat()
        self._disconnect()

    def beat(self) -> None:
        """Ask once, and open or close the circuit."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._read_clock(self._connection)
        except FAILURES:
            self._disconnect()
            if not self._circuit.is_open:
                self._circuit.open()
        else:
            if self._circuit.is_open:
                self._circuit.close()

    def _read_clock(self, connection: psycopg.Connection[Any]) -> None:
        sent_at = time.monotonic()
        answer = connection.execute(QUESTION, prepare=False)
        received_at = time.monotonic()
        for (reading,) in answer:
            self.clock.learn(reading, sent_at=sent_at, received_at=received_at)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
