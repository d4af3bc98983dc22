"""Files in and out at the console of a gateway that runs, with all its workers."""

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from support.console_visitor import TOKEN

from core.storage.credential_store import parse_key
from core.storage.database import Database
from core.storage.import_jobs import ImportJobs
from core.transfer.exporter import export_lines

IMPORTS = "/console/directory/imports"
GOOD = [
    {"kind": "contact", "id": 7, "name": "Grace"},
    {"kind": "activity", "id": 70, "subject": "From a file", "contact_ids": [7]},
]
BAD = {"kind": "activity", "id": 71, "colour": "red"}
STATE = re.compile(r'data-state="(\w+)"')
FILE_TOKEN = re.compile(r'data-token="([^"]+)"')
END_SECONDS = 30.0
TRY_AGAIN = 503
LONG_LINES = 60_000


class Session:
    """A login over real connections, each to whichever worker takes it."""

    def __init__(self, url: str, key: str) -> None:
        """Log in."""
        self.address = urlsplit(url)
        self.cookie = ""
        token = unescape(TOKEN.findall(self("GET", "/console/login")[2])[-1])
        form = urlencode({"csrf_token": token, "key": key})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert self("POST", "/console/login", form, headers)[0] == 303

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, str]:
        """Return the status, the headers and the text of an answer."""
        connection = http.client.HTTPConnection(str(self.address.netloc), timeout=20)
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body, cookie | (headers or {}))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        set_cookie = answer.headers.get("Set-Cookie")
        if set_cookie:
            self.cookie = set_cookie.partition(";")[0]
        return answer.status, answer.headers, text

    def send(self, body: bytes, *, tenant_id: int | None = None, **headers: str) -> tuple[int, str]:
        """Send a file; return the status, and where its import is shown or what is wrong."""
        token = unescape(FILE_TOKEN.findall(self("GET", IMPORTS)[2])[0])
        tenant = "" if tenant_id is None else f"&tenant_id={tenant_id}"
        path = f"{IMPORTS}?name=a%20file.ndjson{tenant}"
        status, told, text = self("POST", path, body, {"X-CSRF-Token": token} | headers)
        if status == TRY_AGAIN:  # The worker has just started.
            time.sleep(0.5)
            return self.send(body, tenant_id=tenant_id, **headers)
        return status, told.get("Location", text)

    def state(self, place: str) -> tuple[str, str]:
        """Return the state of an import, and what its page says."""
        text = self("GET", f"{place}?part=1")[2]
        return STATE.findall(text)[0], unescape(text)

    def end_of(self, place: str) -> tuple[str, str]:
        """Return the same when the import has ended."""
        give_up_at = time.monotonic() + END_SECONDS
        while (state := self.state(place))[0] == "running":
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
        return state


@pytest.fixture
def session(console_url: str, admin_key: str) -> Session:
    """Give a login of a tenant of its own."""
    return Session(console_url, admin_key)


@pytest.fixture
def tenant_id(admin_key: str) -> int:
    """Give that tenant."""
    names = parse_key(admin_key)
    assert names is not None
    return names[0]


@pytest.fixture
def stored(database_url: str) -> Iterator[Database]:
    """Give the gateway's database."""
    database = Database(database_url)
    yield database
    database.close()


def ndjson(*records: dict[str, Any]) -> bytes:
    """Return records as a file."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_good_file_is_imported(session: Session):
    status, place = session.send(ndjson(*GOOD))
    assert status == 201
    state, text = session.end_of(place)
    assert (state, "2 records were imported" in text) == ("done", True)
    assert "a file.ndjson" in session("GET", IMPORTS)[2]
    assert "From a file" in session("GET", "/console/activities?text=file")[2]


def test_bad_file_is_refused_by_lines(session: Session):
    status, place = session.send(ndjson(*GOOD, BAD) + b"no JSON\n")
    assert status == 201
    state, text = session.end_of(place)
    assert (state, "2 bad lines" in text) == ("refused", True)
    assert "colour: is not a field of kind activity" in text
    assert re.findall(r'<th scope="row" class="number">(\d+)</th>', text) == ["3", "4"]
    assert "has no activity yet" in session("GET", "/console/activities")[2]


def test_file_longer_than_bodies_is_imported(session: Session):
    notes = "x" * 2000
    lines = [{"kind": "activity", "id": n, "notes": notes} for n in range(1, 1501)]
    status, place = session.send(ndjson(*lines))
    assert status == 201
    assert "1,500 records" in session.end_of(place)[1]


def test_export_is_what_the_command_gives(session: Session, stored: Database, tenant_id: int):
    session.end_of(session.send(ndjson(*GOOD))[1])
    status, headers, text = session("GET", "/console/directory/export")
    assert status == 200
    assert headers["Transfer-Encoding"] == "chunked"
    assert f'filename="tenant-{tenant_id}-' in headers["Content-Disposition"]
    assert text.encode() == b"".join(export_lines(stored, tenant_id=tenant_id))
    assert session.end_of(session.send(text.encode())[1])[0] == "done"


def test_lines_of_other_tenants_are_bad(session: Session, tenant_id: int):
    _, place = session.send(ndjson({**GOOD[0], "tenant_id": tenant_id + 1}))
    assert session.end_of(place)[0] == "refused"


def test_other_tenants_files_are_out_of_reach(
    session: Session, console_url: str, admin_key: str, stored: Database, tenant_id: int
):
    other = tenant_id + 500_000
    job_id = ImportJobs(stored).begin(other, user_id=1, file_name="x", file_bytes=1)
    assert session("GET", f"{IMPORTS}/{other}/{job_id}")[0] == 404
    assert session("GET", f"/console/directory/export?tenant_id={other}")[0] == 404
    assert session.send(ndjson(*GOOD), tenant_id=other)[0] == 404


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_strangers_send_no_files(session: Session, size: int):
    for cookie in ("", "crm_console=forged"):
        session.cookie = cookie
        connection = http.client.HTTPConnection(str(session.address.netloc), timeout=20)
        connection.putrequest("POST", IMPORTS)
        connection.putheader("Content-Length", str(size))
        connection.putheader("Cookie", cookie)
        connection.endheaders(b"x" * 10)
        assert connection.getresponse().status == 403
        connection.close()


def test_file_needs_the_token_of_its_form(session: Session):
    assert session.send(ndjson(*GOOD), **{"X-CSRF-Token": "forged"})[0] == 400


def test_ended_session_sends_no_file(session: Session):
    token = unescape(TOKEN.findall(session("GET", IMPORTS)[2])[-1])
    cookie = session.cookie
    form = urlencode({"csrf_token": token})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert session("POST", "/console/logout", form, headers)[0] == 303
    session.cookie = cookie
    status, _, _ = session("POST", IMPORTS, ndjson(*GOOD), {"X-CSRF-Token": token})
    assert status in (303, 400)


def test_second_import_waits_for_the_first(session: Session, stored: Database, tenant_id: int):
    jobs = ImportJobs(stored)
    job_id = jobs.begin(tenant_id, user_id=1, file_name="first", file_bytes=1)
    assert job_id is not None
    status, told = session.send(ndjson(*GOOD))
    assert (status, "Another import" in told) == (409, True)
    jobs.give_up(tenant_id, job_id)
    status, place = session.send(ndjson(*GOOD))
    assert (status, session.end_of(place)[0]) == (201, "done")


def test_killed_process_leaves_nothing(session: Session, stored: Database, tenant_id: int):
    lines = [{"kind": "activity", "id": n, "subject": "x"} for n in range(1, LONG_LINES)]
    status, place = session.send(ndjson(*lines))
    assert status == 201
    os.kill(_importer(), signal.SIGKILL)
    state, text = session.end_of(place)
    assert (state, "Nothing of the file was written" in text) == ("broken", True)
    assert len(list(export_lines(stored, tenant_id=tenant_id))) == 1


def _importer() -> int:
    """Return the number of the process that imports now; those of other tests are not ours."""
    mine = Path("/proc/self/task") / str(os.getpid()) / "children"
    waiting, found = list(map(int, mine.read_text().split())), []
    while waiting:
        pid = waiting.pop()
        if b"core.transfer.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
            found.append(pid)
        listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=False)
        waiting += map(int, listed.stdout.split())
    (importer,) = found
    return importer
