"""The README's shell lines, run as they stand there against a service with the demo data."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.callers import JWT_SECRET
from support.gateway_process import ROOT, served
from support.own_servers import OwnServer

from core.storage import migrate
from core.storage.database import Database
from core.transfer.demo import load_demo

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISED, _, _ = README.partition("## Run it in production")
LINES = "\n".join(re.findall(r"^```sh\n(.*?)^```", PROMISED, re.MULTILINE | re.DOTALL))
ADDRESS = "127.0.0.1:8000"
STRICT = 'set -euo pipefail\ncurl() { command curl --silent --show-error --fail "$@"; echo; }\n'


@pytest.fixture
def environ(own_postgres: OwnServer) -> dict[str, str]:
    """Give the settings of a database that holds nothing but the demo data."""
    database = Database(own_postgres.url)
    migrate.upgrade(database)
    load_demo(database)
    database.close()
    return {
        "DATABASE_URL": own_postgres.url,
        "REDIS_URL": "none",
        "GATEWAY_JWT_SECRET": JWT_SECRET,
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a directory in which the program lies where the README says."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "crm-gateway").symlink_to(Path(sys.executable).parent / "crm-gateway")
    return tmp_path


@pytest.fixture
def port(environ: dict[str, str], tmp_path: Path) -> Iterator[int]:
    """Give the port of the service."""
    with served(environ, log=tmp_path / "log", workers=1) as port:
        yield port


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's lines need curl")
def test_shell_lines_work_as_pasted(port: int, environ: dict[str, str], checkout: Path):
    script = STRICT + LINES.replace(ADDRESS, f"127.0.0.1:{port}")
    shell = ["bash", "-c", script]
    environ |= {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    ran = subprocess.run(
        shell, cwd=checkout, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert LINES.count("\ncurl") + LINES.startswith("curl") >= 8
    assert '"EmailSent"' in ran.stdout
    assert '{"updated":2,"ids":[123,124]}' in ran.stdout
    assert "Grace B. Hopper" in ran.stdout
