"""make lock, sbom and audit: each a tool of the trade, called as this project wants it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
PINS, LOCK = ROOT / "requirements.txt", ROOT / "requirements.lock"
SBOM = ROOT / "build" / "sbom.cdx.json"
ROOMS = ("adapters", "core", "gateway")
HEAD = "# Made from requirements.txt by `make lock`, for pip install --require-hashes.\n"
SECONDS = 10


def run(tool: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the tools, at the root of the project."""
    command = [str(TOOLS / tool), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lock() -> bool:
    """Write the hashes of every file of every version that is pinned."""
    options = ["--generate-hashes", "--universal", "--no-header", "--no-annotate", "--quiet"]
    made = run("uv", "pip", "compile", *options, "--python-version", "3.11", str(PINS))
    if made.returncode:
        print(made.stderr, end="")
        return False
    LOCK.write_text(HEAD + made.stdout)
    print(f"Wrote {LOCK.name}.")
    return True


def sbom() -> bool:
    """Write the bill of materials of what the lock names, and check it against its schema."""
    SBOM.parent.mkdir(exist_ok=True)
    options = ["--output-reproducible", "--output-format", "JSON", "--output-file", str(SBOM)]
    made = run("cyclonedx-py", "requirements", str(LOCK), *options)
    print(made.stderr if made.returncode else f"Wrote {SBOM.relative_to(ROOT)}.")
    return made.returncode == 0


def check() -> bool:
    """Tell of doubtful code and of known holes; what could not be asked is said, and no failure."""
    code = run("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *ROOMS)
    print(code.stdout.strip() or "bandit: nothing doubtful in the code.")
    return all([code.returncode == 0, _without_holes()])


def _without_holes() -> bool:
    words = ["--disable-pip", "--require-hashes", "--requirement", str(LOCK), "--format", "json"]
    answer = run("pip-audit", *words, "--timeout", str(SECONDS), "--progress-spinner", "off")
    try:
        packages = json.loads(answer.stdout)["dependencies"]
    except ValueError:
        print("pip-audit: its service was not reached; nothing is known about any package.")
        return True
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    holes = [package for package in packages if package.get("vulns")]
    for package in holes:
        ids = ", ".join(hole["id"] for hole in package["vulns"])
        print(f"pip-audit: {package['name']} {package['version']}: {ids}")
    if unknown:
        print(f"pip-audit: not reached for {len(unknown)} of {len(packages)} packages.")
    if not holes:
        print(f"pip-audit: no known hole in {len(packages) - len(unknown)} packages.")
    return not holes


if __name__ == "__main__":
    sys.exit(not {"lock": lock, "sbom": sbom, "check": check}[sys.argv[1]]())
