"""compose.yaml and what it mounts."""

import re
from typing import Any

import pytest
from support.deploy_files import (
    DEPLOY,
    assert_command_exists,
    assert_settings_exist,
    checked,
    documents,
    program,
)

OURS = ("migrate", "gateway")
PASSWORDS = re.compile(r"\$\{[A-Z_]+:\?[^}]*\}")


@pytest.fixture
def services() -> dict[str, Any]:
    """Give the services."""
    (compose,) = documents((DEPLOY / "compose.yaml").read_text())
    return compose["services"]


def test_compose_satisfies_its_schema():
    checker = program("check-jsonschema", "python3-jsonschema")
    schema = ("--builtin-schema", "vendor.compose-spec")
    assert "ok" in checked(checker, *schema, DEPLOY / "compose.yaml")


def test_services_name_real_settings(services: dict[str, Any]):
    for name in OURS:
        environment = services[name]["environment"]
        assert_settings_exist(
            {key: PASSWORDS.sub("secret", value) for key, value in environment.items()}
        )


def test_services_run_real_commands(services: dict[str, Any]):
    assert_command_exists(services["migrate"]["command"])
    assert "command" not in services["gateway"]  # The image's own, see test_dockerfile.


def test_mounted_files_exist(services: dict[str, Any]):
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert len(sources) == 3
    assert [source for source in sources if not (DEPLOY / source).exists()] == []


def test_images_are_named_by_tag(services: dict[str, Any]):
    images = [service["image"] for service in services.values()]
    assert [image for image in images if not re.search(r":v?\d", image)] == []


def test_our_containers_are_confined(services: dict[str, Any]):
    for name in OURS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_grafana_finds_its_dashboard(services: dict[str, Any]):
    provisioning = DEPLOY / "grafana/provisioning"
    (provider,) = documents((provisioning / "dashboards/crm-gateway.yml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    assert any(f":{folder}/" in mount for mount in services["grafana"]["volumes"])
