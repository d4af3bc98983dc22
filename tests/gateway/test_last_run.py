"""Which database a command works on, and that it says so."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.no_exec import stay_here
from support.own_servers import server_directory

from gateway.cli import session
from gateway.cli.program import main
from gateway.embedded import last_run
from gateway.settings import Settings


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an installation that never ran; the environment names no servers."""
    for name in ("DATABASE_URL", "GATEWAY_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REDIS_URL", "none")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    stay_here(monkeypatch)
    return tmp_path


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Give a directory for an embedded server."""
    with server_directory() as directory:
        yield directory


def run(*words: str, **environment: str) -> Result:
    """Return what a command says; it must succeed."""
    result = CliRunner().invoke(main, words, env=environment)
    assert result.exit_code == 0, result.stderr
    return result


def test_commands_work_beside_the_last_run(installation: Path, data_dir: Path):
    run("run", GATEWAY_DATA_DIR=str(data_dir))
    listed = run("token", "list")
    assert "sampleaccess" in listed.stdout
    assert listed.stderr == f"Database: embedded, in {data_dir}\n"


def test_own_directory_is_used_without_runs(installation: Path):
    assert session.environment().data_dir is None
    last_run.record(installation / "gone")
    assert session.environment().data_dir is None


def test_environment_wins_over_last_run(installation: Path, monkeypatch: pytest.MonkeyPatch):
    last_run.record(installation)
    assert session.environment().data_dir == installation
    monkeypatch.setenv("GATEWAY_DATA_DIR", "/elsewhere")
    assert session.environment().data_dir == Path("/elsewhere")


def test_other_directory_than_last_is_told(installation: Path):
    last_run.record(installation)
    told = session.description(Settings(data_dir=Path("/elsewhere")))
    assert told == f"embedded, in /elsewhere; the service last ran on {installation}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ann:secret@db.internal:5433/crm", "crm on db.internal:5433"),
        ("postgresql://ann@/crm?host=%2Ftmp&password=secret", "crm on /tmp"),
        ("postgresql:///crm", "crm on localhost"),
    ],
)
def test_database_is_named_without_secrets(url: str, told: str):
    assert session.description(Settings(database_url=url)) == f"{told} (DATABASE_URL)"
