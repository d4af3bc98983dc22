"""The genuine Node clients of `tests/clients`: their installation, organizations and runs."""

import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).parents[1] / "clients"
INSTALL_SECONDS = 240
SEED_SECONDS = 30
OLDEST_NODE = 18
CLOSING = re.compile(r"^\S* ?(tests|pass|fail|cancelled|skipped|todo) (\d+)$", re.MULTILINE)
COMPARED = re.compile(r"^compared: (\{.*\})$", re.MULTILINE)
NO_NETWORK = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E404")
USER = 45  # Of the vendor's samples.
# One organization for each suite that wants it empty; the numbers mean nothing.
ORGANIZATIONS = {
    name: 1001 + place
    for place, name in enumerate(
        "wire_fetch wire_axios paging multi differential several"
        " day_fetch_key day_fetch_bearer day_axios_key day_axios_bearer refusals stranger".split()
    )
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a run said: its output, the counts of its closing lines, and the suite's own counts."""

    output: str
    counts: dict[str, int]
    compared: dict[str, int]

    @property
    def closing(self) -> str:
        """The suite's own closing lines, on one."""
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"{counts}, compared {self.compared}" if self.compared else counts


def installed(cache: Path | None, sources: Path = SOURCES) -> Path:
    """Return a folder with the suites in `sources` and everything that their lock file names.

    It is installed once for each lock file and kept in `cache`. Skips the test, with the reason,
    where Node or npm is missing, too old, or the registry cannot be reached.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"Node.js and npm are needed for tests/{sources.name}")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node.js {OLDEST_NODE} or newer is needed, not {version.stdout.strip()}")
    if cache is None:
        pytest.skip("pytest's cache is off: there is no folder to keep the clients in")
    lock = (sources / "package-lock.json").read_bytes()
    folder = cache / f"node_{sources.name}_{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / "node_modules").is_dir():
        _install(npm, folder, sources)
    for source in sources.glob("*.js"):
        shutil.copy(source, folder)
    return folder


def _install(npm: str, folder: Path, sources: Path) -> None:
    unfinished = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    unfinished.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(sources / name, unfinished)
    words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    output, code = _bounded(words, folder=unfinished, seconds=INSTALL_SECONDS, environ={})
    if code == 0 and not folder.exists():
        unfinished.rename(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    if code is None or (code and NO_NETWORK.search(output)):
        pytest.skip(f"tests/{sources.name} cannot be installed here: {output.strip()[-300:]}")
    assert code == 0, f"npm ci failed: {output}"


def _bounded(
    words: list[str], *, folder: Path, seconds: float, environ: dict[str, str]
) -> tuple[str, int | None]:
    """Run a program and what it starts; return its output and exit code, None if it took longer."""
    with subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return f"{output}\nended after {seconds} s", None
        return output, process.returncode


def run_suite(folder: Path, name: str, config: dict[str, Any], *, seconds: float) -> Report:
    """Run one suite to its end, or to its time limit; a failed one shows its output."""
    words = ["node", "--test", "--test-reporter=spec", f"{name}.test.js"]
    environ = {"CLIENTS_CONFIG": json.dumps(config), "NO_COLOR": "1", "NODE_OPTIONS": ""}
    output, code = _bounded(words, folder=folder, seconds=seconds, environ=environ)
    counts = {word: int(count) for word, count in CLOSING.findall(output)}
    compared = COMPARED.search(output)
    report = Report(output, counts, json.loads(compared[1]) if compared else {})
    assert code == 0, f"{name}: {report.closing or 'no closing line'}\n{output[-20_000:]}"
    return report


def records(folder: Path, *, seed: int, offset: int = 0) -> bytes:
    """Return what the suites want to find, as lines to import: organizations, people, rows.

    Those who do the same twice have other organizations, by an `offset` of their numbers.
    """
    words = ["node", "records.js", json.dumps(organizations(offset)), str(seed)]
    printed = subprocess.run(
        words, cwd=folder, capture_output=True, check=True, timeout=SEED_SECONDS
    )
    return printed.stdout


def organizations(offset: int) -> dict[str, int]:
    """Return the organizations with other numbers."""
    return {name: number + offset for name, number in ORGANIZATIONS.items()}
