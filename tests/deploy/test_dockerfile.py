"""The Dockerfile, linted, and held against what it copies and runs."""

import json
import re

from support.deploy_files import DEPLOY, ROOT, assert_command_exists, checked, documents, program

TEXT = (DEPLOY / "Dockerfile").read_text()


def test_linter_has_nothing_to_say():
    assert checked(program("hadolint", "hadolint"), DEPLOY / "Dockerfile") == ""


def test_every_copied_file_exists():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert "requirements.lock" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_packages_are_pinned_by_hash():
    installs = re.findall(r"pip install (.+)", TEXT)
    from_registries = [words for words in installs if "/wheels/" not in words]
    assert len(from_registries) == 2
    assert all("--require-hashes" in words for words in from_registries)


def test_image_is_asked_for_its_health_where_it_tells():
    (port,) = re.findall(r"GATEWAY_OPS_PORT=(\d+)", TEXT)
    assert f"http://127.0.0.1:{port}/health/ready" in TEXT
    (config,) = documents((DEPLOY / "prometheus/prometheus.yml").read_text())
    (source,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert source["port"] == int(port)


def test_image_runs_without_root():
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", TEXT, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*CMD", TEXT, re.MULTILINE)


def test_image_runs_a_real_command():
    (words,) = re.findall(r"^CMD (\[.+\])$", TEXT, re.MULTILINE)
    assert_command_exists(json.loads(words))
