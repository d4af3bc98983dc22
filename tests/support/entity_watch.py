"""Contacts that are renamed again and again, and readers who must see each acknowledged name.

A name tells whose it is, and how often it was changed. Every read goes to one of the gateways, in
either dialect, and shows all contacts; one that shows an older name than was acknowledged before it
was sent is stale.
"""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTACTS = 12
RENAMES_A_SECOND, READS_A_SECOND = 12, 25
GIVE_UP_SECONDS = 10


@dataclass(slots=True)
class EntityWatch:
    """Callers of one tenant with a key of scope `directory`; all `seconds` are of reads."""

    ports: Sequence[int]
    key: str
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _counts: list[int] = field(default_factory=lambda: [0] * (CONTACTS + 1))
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _activity_id: int = 0

    def __enter__(self) -> "EntityWatch":
        """Make the contacts and a record that shows them, and begin."""
        for number in range(1, CONTACTS + 1):
            self._rename(self.ports[0], number)
        contacts = {"name": "all", "contact_ids": list(range(1, CONTACTS + 1))}
        made = self._call(self.ports[0], "POST", "/v1/crm/activities", contacts)
        self._activity_id = made["id"]
        targets = [self._write, *(self._reader(number) for number in range(len(self.ports)))]
        self._threads = [threading.Thread(target=target) for target in targets]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        for turn in itertools.count():
            if self._stopping.wait(1 / RENAMES_A_SECOND):
                return
            try:
                self._rename(self.ports[turn % len(self.ports)], turn % CONTACTS + 1)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.wrong.append(f"rename: {error!r}")

    def _rename(self, port: int, number: int) -> None:
        count = self._counts[number] + 1
        self._call(port, "PUT", f"/directory/contact/{number}", {"name": f"{number}:{count}"})
        self._counts[number] = count

    def _reader(self, first: int) -> Any:
        def read() -> None:
            for turn in itertools.count(first):
                if self._stopping.wait(1 / READS_A_SECOND):
                    return
                least = list(self._counts)
                try:
                    shown = self._shown(self.ports[turn % len(self.ports)], is_deskera=turn % 3 > 0)
                except (OSError, http.client.HTTPException, AssertionError) as error:
                    self.wrong.append(f"read: {error!r}")
                    continue
                stale = [number for number, count in shown.items() if count < least[number]]
                if stale or not shown:
                    self.wrong.append(f"shown {shown}, acknowledged {least}")

        return read

    def _shown(self, port: int, *, is_deskera: bool) -> Mapping[int, int]:
        """Return the counts of the contacts that a read shows; AchieveApex shows the first."""
        path = f"/v1/crm/activities/{self._activity_id}"
        began_at = time.monotonic()
        body = self._call(port, "GET", path if is_deskera else path.removeprefix("/v1/crm"))
        self.seconds.append(time.monotonic() - began_at)
        if not is_deskera:
            return _counts([body["contact"]], name="full_name")
        found = _counts(body["contact_details"], name="name")
        assert len(found) == CONTACTS, f"contacts are missing: {found}"
        return found

    def _call(self, port: int, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECONDS)
        try:
            headers = {"x-access-token": self.key, "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 300, f"{answer.status}: {content[:200]!r}"
            return json.loads(content)
        finally:
            connection.close()


def _counts(contacts: Sequence[Mapping[str, Any]], *, name: str) -> Mapping[int, int]:
    """Return the counts in the names of contacts, which must be their own."""
    counts = {}
    for contact in contacts:
        number, _, count = contact[name].partition(":")
        assert int(number) == contact["id"], f"{contact[name]} is shown for {contact['id']}"
        counts[contact["id"]] = int(count)
    return counts
