"""One port before several gateways, as a proxy is: each new connection goes to the current one."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

from support.gateway_process import free_port

CHUNK_BYTES = 2**16


class PortForwarder:
    """Forwards bytes both ways; connections stay with the gateway that they were made to."""

    def __init__(self, targets: Sequence[int]) -> None:
        """Forward to these ports in turn."""
        self.port = free_port()
        self.targets = list(targets)
        self._made = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._started = threading.Event()

    def __enter__(self) -> "PortForwarder":
        """Listen."""
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        starting = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        server = self._loop.run_until_complete(starting)
        self._loop.call_soon(self._started.set)
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.wait(tasks) if tasks else asyncio.sleep(0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._made += 1
        target = self.targets[self._made % len(self.targets)]
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, far_writer))
            group.create_task(_copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
