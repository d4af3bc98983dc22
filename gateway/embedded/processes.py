"""The processes and files of embedded servers: whose they are, how they start, how they end.

Servers belong to the caller's account. PostgreSQL will not run as root; under root each server has
a number of its own as its account, one that no user of this machine has: no other process can
read its files, send it signals or open its socket. Where such numbers cannot be had, as in some
containers, it is `nobody`. That account is let through the directories above its files, and no
further.
"""

import hashlib
import os
import pwd
import secrets
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SHARED_ACCOUNT = "nobody"
# Numbers that neither Linux distributions nor containers nor systemd give to anybody.
FIRST_OWN_NUMBER, OWN_NUMBERS = 1_900_000_000, 200_000_000
SECRET_BYTES = 48
PROC = Path("/proc")  # Not on every system; `ps` is on the others.
START_SECONDS = 60  # Recovery after a crash takes its time.
STOP_SECONDS = 30
POLL_SECONDS = 0.02
TITLE_ATTEMPTS = 20
DEAD_STATES = frozenset("ZX")
# The server becomes init's child: it outlives its starter, and nobody has to wait for it.
DETACH = ["/bin/sh", "-c", '"$@" </dev/null >>log 2>&1 & echo $!', "sh"]


class EngineError(Exception):
    """A server could not be started; the message says why or where its log is."""


def installed(package: str) -> Path:
    """Return where a package is, without importing it: only its programs are wanted.

    Raises: EngineError.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EngineError(
            f"The package {package} is not installed. Set DATABASE_URL and REDIS_URL, or install"
            " unified-crm-gateway[embedded]."
        )
    return Path(spec.origin).parent


def owned(directory: Path) -> Path:
    """Make a directory that does not belong to root; return its full path. Raises: EngineError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory = directory.resolve()
        if os.geteuid() == 0:
            if directory.stat().st_uid == 0:
                account = pwd.getpwnam(SHARED_ACCOUNT)
                os.chown(directory, account.pw_uid, account.pw_gid)
            _let_others_pass(directory)
    except (OSError, LookupError) as error:
        raise EngineError(f"{directory} cannot be used: {error}") from error
    return directory


def seclude(directory: Path, *beside: Path) -> None:
    """Under root, give a directory and all in it to an account that nobody else has.

    Those `beside` it become the same account's. For servers that do not run, because a running one
    could no longer open its files.
    """
    if os.geteuid() != 0:
        return
    number = _own_number(directory)
    try:
        for root in (directory, *beside):
            if root.stat().st_uid != number:
                _give(root, number)
    except OSError:
        return  # No such numbers here: the server runs as the account that it has.


def _own_number(directory: Path) -> int:
    digest = hashlib.blake2b(os.fsencode(directory), digest_size=8).digest()
    number = FIRST_OWN_NUMBER + int.from_bytes(digest) % OWN_NUMBERS
    with suppress(KeyError):
        while pwd.getpwuid(number):
            number += 1
    return number


def _give(root: Path, number: int) -> None:
    """Change the owner of a tree; never of what a link in it stands for."""
    os.chown(root, number, number)  # First, so that a refusal changes nothing.
    for _, folders, files, at in os.fwalk(root):
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
                os.chown(name, number, number, dir_fd=at, follow_symlinks=False)


def write(path: Path, text: str) -> None:
    """Write a file that only the owner of its directory can read."""
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
        os.write(file, os.fsencode(text))
    finally:
        os.close(file)


def secret(path: Path) -> str:
    """Return the secret in a file, made on first use; a half-written one can never be read."""
    if not path.exists():
        draft = path.with_suffix(".new")
        write(draft, secrets.token_urlsafe(SECRET_BYTES))
        draft.rename(path)
    return path.read_text()


def let_server_read(programs: Path) -> None:
    """Under root, undo a strict umask that pip may have run under."""
    if os.geteuid() != 0:
        return
    _let_others_pass(programs)
    if programs.stat().st_mode & stat.S_IROTH:
        return
    for path in [programs, *programs.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _let_others_pass(path: Path) -> None:
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def run(command: list[str], *, directory: Path) -> str:
    """Run a program in `directory`, as the account that owns it, to its end.

    Returns what it printed. Raises: EngineError.
    """
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = directory.stat()
        account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    try:
        finished: subprocess.CompletedProcess[str] = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            umask=0o077,
            start_new_session=True,
            check=False,
            text=True,
            errors="replace",
            **account,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(f"{command[0]} cannot be run: {error}") from error
    if finished.returncode:
        raise EngineError(f"{command[0]} failed: {finished.stdout.strip()}")
    return finished.stdout


def start(command: list[str], *, directory: Path, is_answering: Callable[[], bool]) -> bool:
    """Start a server that logs to `directory`/log.

    Returns whether it answered before it ended or the time was over. Raises: EngineError.
    """
    pid = int(run([*DETACH, *command], directory=directory))
    deadline = time.monotonic() + START_SECONDS
    while not is_answering():
        if not _lives(pid) or time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def living(pid_file: Path, *, mentions: Path) -> int:
    """Return the process of a pid file, if it lives and its command line says so; otherwise 0.

    The number of a dead server may be some other program's by now.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return 0
    return pid if str(mentions) in _command_line(pid) else 0


def end(pid: int, *, politely: signal.Signals) -> None:
    """End a process, at last by force; 0 is none."""
    for number in (politely, signal.SIGKILL) if pid else ():
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not _lives(pid):
                return
            time.sleep(POLL_SECONDS)


def _lives(pid: int) -> bool:
    """Return whether a process runs; one that is dead and only waited for does not."""
    if (PROC / "self").exists():
        try:
            status = (PROC / str(pid) / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return False
        state = status.rpartition(")")[2].split()[0]
    else:
        state = _told_by_ps(pid, "stat")
    return bool(state) and state[0] not in DEAD_STATES


def _command_line(pid: int) -> str:
    """Return how a process was called; "" if it is dead.

    For a moment it is "" too while a process starts, or, as Redis does, changes its title.
    """
    for _ in range(TITLE_ATTEMPTS):
        command = _read_command_line(pid)
        if command or not _lives(pid):
            break
        time.sleep(POLL_SECONDS)
    return command


def _read_command_line(pid: int) -> str:
    if not (PROC / "self").exists():
        return _told_by_ps(pid, "command")
    try:
        return os.fsdecode((PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" "))
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _told_by_ps(pid: int, what: str) -> str:
    command = ["ps", "-ww", "-o", f"{what}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
