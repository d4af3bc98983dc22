"""`python -m deploy.bench`: run the experiments, print the tables, write the numbers."""

import argparse
import json
import os
import platform
import signal
import sys
from pathlib import Path

from deploy.bench import load, report
from deploy.bench.bench import QUICK, STANDARD, Bench, Plan
from deploy.bench.experiments import EXPERIMENTS, LONG_EXPERIMENTS

EVERYTHING = {**EXPERIMENTS, **LONG_EXPERIMENTS}
LONG_SECONDS = 900


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.bench", description=__doc__)
    parser.add_argument(
        "--only",
        default=",".join(EXPERIMENTS),
        help=f"which experiments: some of {','.join(EVERYTHING)}",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run of less than a minute")
    parser.add_argument("--rounds", type=int, help="rounds of each load (3)")
    parser.add_argument("--seconds", type=float, help="seconds of each round (4)")
    parser.add_argument("--rows", type=int, help="activities of the largest tenant (10,000,000)")
    parser.add_argument(
        "--cluster",
        default=os.environ.get("CRM_TEST_DATABASE_URL", ""),
        help="URL of an empty database on a Citus cluster, for scale (CRM_TEST_DATABASE_URL)",
    )
    parser.add_argument("--json", type=Path, help="where the numbers are written")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else STANDARD
    chosen = {"rounds": options.rounds, "seconds": options.seconds, "cluster_url": options.cluster}
    if set(options.only.split(",")) <= LONG_EXPERIMENTS.keys():
        chosen["limit_seconds"] = LONG_SECONDS
    if options.rows:
        chosen["huge"] = plan.huge._replace(activities=options.rows)
    return plan._replace(**{name: value for name, value in chosen.items() if value})


def main() -> None:
    """Run the experiments that the command line names."""
    options = _options()
    chosen = options.only.split(",")
    unknown = set(chosen) - EVERYTHING.keys()
    if unknown:
        raise SystemExit(f"There is no experiment {', '.join(sorted(unknown))}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # So that nothing is left running.
    with Bench(_plan(options)) as bench:
        try:
            _run(bench, chosen)
        finally:  # What was measured before something failed is shown all the same.
            _show(bench)
            if options.json:
                options.json.write_text(json.dumps(_document(bench), indent=2) + "\n")


def _run(bench: Bench, chosen: list[str]) -> None:
    for name, experiment in EVERYTHING.items():
        if name not in chosen:
            continue
        if bench.seconds_left() <= 0:
            bench.notes.append(f"{name} is left out: the time is over")
            continue
        experiment(bench)


def _show(bench: Bench) -> None:
    parts = [report.loads(bench.numbers), report.others(bench.numbers)]
    parts += [report.ratios(bench.numbers), *(f"Note: {note}" for note in bench.notes)]
    sys.stdout.write("\n\n".join(parts) + "\n")


def _document(bench: Bench) -> dict[str, object]:
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "load_tool": load.tool(),
        "plan": bench.plan._asdict(),
        "rows": report.rows(bench.numbers),
        "numbers": bench.numbers,
        "notes": bench.notes,
    }


if __name__ == "__main__":
    main()
