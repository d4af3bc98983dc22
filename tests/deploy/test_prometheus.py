"""Alerts, the dashboard and what they rest on: metrics that exist, and pages that help."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.deploy_files import (
    DEPLOY,
    METRIC,
    RANGES,
    ROOT,
    alert_rules,
    checked,
    documents,
    program,
)

LABEL = re.compile(r'\b(server|layer|result|state|pool|dialect)="([a-z_]+)"')


def panel_expressions() -> list[str]:
    """Return every query of the dashboard, with Grafana's variables filled in."""
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for name, value in RANGES.items():
        found = [expression.replace(name, value) for expression in found]
    return found


@pytest.fixture(scope="module")
def promtool() -> str:
    """Give Prometheus' own checker."""
    return program("promtool", "prometheus")


def test_rules_and_configuration_are_valid(promtool: str):
    said = checked(promtool, "check", "config", DEPLOY / "prometheus/prometheus.yml")
    assert f"SUCCESS: {len(alert_rules())} rules found" in said


def test_rules_fire_when_they_should(promtool: str):
    assert "SUCCESS" in checked(
        promtool, "test", "rules", Path(__file__).parent / "alerts_test.yml"
    )


def test_panels_ask_in_valid_promql(promtool: str, tmp_path: Path):
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(panel_expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in checked(promtool, "check", "rules", file)


def test_exposition_is_well_formed(promtool: str, exposition: str):
    assert checked(promtool, "check", "metrics", given=exposition) == ""


@pytest.mark.parametrize("source", ["alerts", "panels"])
def test_every_metric_exists(source: str, metric_names: set[str], exposition: str):
    rules = [rule["expr"] for rule in alert_rules()]
    expressions = panel_expressions() if source == "panels" else rules
    named = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(named) > 9
    assert named - metric_names == set()
    labels = {pair for expression in expressions for pair in LABEL.findall(expression)}
    assert [pair for pair in labels if '{}="{}"'.format(*pair) not in exposition] == []


def test_every_metric_of_ours_is_on_the_dashboard(metric_names: set[str]):
    shown = {name for expression in panel_expressions() for name in METRIC.findall(expression)}
    derived = ("_created", "_sum", "_count")
    ours = {name for name in metric_names if name.startswith("crm_gateway_")}
    assert {name for name in ours - shown if not name.endswith(derived)} == set()


def test_every_alert_has_a_runbook():
    text = (ROOT / "docs/operations.md").read_text()
    section = text.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (\w+)$", section, re.MULTILINE)
    names = [rule["alert"] for rule in alert_rules()]
    assert headings == names
    for rule in alert_rules():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_alerts_select_the_scraped_job():
    (config,) = documents((DEPLOY / "prometheus/prometheus.yml").read_text())
    (scrape,) = config["scrape_configs"]
    assert scrape["job_name"] == "crm-gateway"
    assert scrape["metrics_path"] == "/metrics"
    jobs: set[Any] = set(
        re.findall(r'job="([^"]+)"', str(alert_rules()) + str(panel_expressions()))
    )
    assert jobs == {"crm-gateway"}
