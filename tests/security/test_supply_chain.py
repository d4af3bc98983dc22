"""What runs in production is pinned twice, by version and by hash, and both agree."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)(.*?)\\?$", re.MULTILINE)


def pins(name: str) -> dict[str, tuple[str, str]]:
    """Return the version and the condition of each package that a file pins."""
    found = PIN.findall((ROOT / name).read_text())
    return {
        package.lower().replace("_", "-"): (version, condition.strip())
        for package, version, condition in found
    }


def test_lock_names_what_is_pinned():
    locked = pins("requirements.lock")
    always = {name: version for name, (version, condition) in locked.items() if not condition}
    assert always == {name: version for name, (version, _) in pins("requirements.txt").items()}


def test_every_locked_package_has_hashes():
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
    unhashed = [block for block in blocks if PIN.match(block) and "--hash=sha256:" not in block]
    assert unhashed == []
    assert len([block for block in blocks if PIN.match(block)]) >= 30


def test_tools_of_the_audit_are_pinned():
    lines = (ROOT / "deploy/audit/tools.txt").read_text().splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"[a-z-]+==[0-9.]+", line)] == []
