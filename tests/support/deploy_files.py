"""The files under deploy/, as the tests read them, and the programs that check them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from gateway.cli.program import main
from gateway.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECONDS = 60
METRIC = re.compile(r"\bcrm_gateway_[a-z_]+")
RANGES = {"$__rate_interval": "5m", "$instance": ".+"}


def documents(text: str) -> list[Any]:
    """Return the documents of a YAML text."""
    return list(yaml.safe_load_all(text))


def program(name: str, package: str) -> str:
    """Return where a program is; skips the test where Debian's package is not installed."""
    beside_python = Path(sys.executable).with_name(name)
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None and beside_python.exists():
        found = str(beside_python)
    if found is None:
        pytest.skip(f"{name} is not here: apt-get install {package}")
    return found


def checked(*words: str | Path, given: str = "") -> str:
    """Return all that a checker says; it must be content."""
    finished = subprocess.run(
        [str(word) for word in words],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
    print(finished.stdout)  # Seen with pytest -rP: the checkers' own closing lines.
    return finished.stdout


def assert_command_exists(words: list[str]) -> None:
    """Check that our program knows a command with these options."""
    assert words[0] == "crm-gateway"
    parsed = CliRunner().invoke(main, [*words[1:], "--help"])
    assert parsed.exit_code == 0, (words, parsed.output)


def assert_settings_exist(values: dict[str, str]) -> None:
    """Check that each is a setting, with a value that the service would accept."""
    known = {variable.name for variable in VARIABLES.values()}
    assert values.keys() - known == set()
    Settings.from_env(values)


def alert_rules() -> list[dict[str, Any]]:
    """Return every alert."""
    (rules,) = documents((DEPLOY / "prometheus/alerts.yml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"]]
