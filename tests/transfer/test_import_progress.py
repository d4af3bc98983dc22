"""The bar of an import tells how far it is: never back, never beyond, and to the end."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import orjson
from support.callers import Home
from support.gateway_process import ROOT

from core.storage.database import Database
from core.transfer.importer import COMPARING, SORTING, WRITING, import_lines

COUNT = 2_500
AMOUNT = re.compile(
    r"(Reading|Comparing|Writing) \S+ ([\d.,]+)( [a-zA-Z]+)? of ([\d.,]+)( [a-zA-Z]+)?"
)
UNITS = {"": 1, " byte": 1, " bytes": 1, " kB": 1_000, " MB": 1_000_000}
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def lines(tenant: Home, count: int, subject: str) -> list[bytes]:
    contact = {"kind": "contact", "tenant_id": tenant.id, "name": subject}
    activity = {"kind": "activity", "tenant_id": tenant.id, "subject": subject}
    numbers = range(1, count + 1)
    return [orjson.dumps({**one, "id": n}) for one in (contact, activity) for n in numbers]


def test_stages_count_every_record(database: Database, tenant: Home) -> None:
    """Half of the activities are stored already and equal; of one id there are two lines."""
    told: list[tuple[str, int, int]] = []
    import_lines(database, lines(tenant, COUNT // 2, "a"))
    file = lines(tenant, COUNT, "a")
    import_lines(database, [*file, file[-1]], tell=lambda *what: told.append(what))
    new = COUNT - COUNT // 2
    totals = {COMPARING: COUNT, WRITING: COUNT + new, SORTING: 0}
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == [SORTING, COMPARING, WRITING]
    assert {(stage, total) for stage, _, total in told} == set(totals.items())
    for stage, total in totals.items():
        done = [each[1] for each in told if each[0] == stage]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, total)


def number(text: str, unit: str) -> float:
    return float(text.replace(",", "")) * UNITS[unit]


def shown_on_terminal(database_url: str, file: Path) -> str:
    """Return what an import shows on a terminal, without its escapes."""
    own, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "import", str(file)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, "COLUMNS": "120", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(own, 65536)
        except OSError:  # The other end is closed.
            break
    os.close(own)
    assert process.wait(30) == 0
    return ESCAPES.sub("", shown.decode()).replace("\r", "\n")


def test_terminal_shows_all_stages(database_url: str, tenant: Home, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"\n".join(lines(tenant, COUNT, "a")))
    shown = shown_on_terminal(database_url, file)
    seen = [
        (stage, number(done, unit), number(total, of_unit))
        for stage, done, unit, total, of_unit in AMOUNT.findall(shown)
    ]
    assert list(dict.fromkeys(stage for stage, _, _ in seen)) == ["Reading", COMPARING, WRITING]
    for stage in ("Reading", COMPARING, WRITING):
        done = [each[1] for each in seen if each[0] == stage]
        assert done == sorted(done)
        assert all(each[1] <= each[2] for each in seen if each[0] == stage)
    assert (WRITING, 0, 2 * COUNT) in seen
    assert f"{2 * COUNT:,} records in" in shown
