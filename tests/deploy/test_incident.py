"""An incident as an operator sees it: Redis breaks, the alert fires; Redis is mended, it clears."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from support.deploy_files import DEPLOY, documents, program
from support.gateway_process import free_port, served
from support.own_servers import OwnServer

TIMEOUT_SECONDS = 20
ALERT = "CrmGatewayRedisDown"


@contextmanager
def watched(gateway_port: int, folder: Path) -> Iterator[int]:
    """Give the port of a Prometheus that scrapes a gateway each second, by our rules."""
    (rules,) = documents((DEPLOY / "prometheus/alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule["for"] = "2s"
    (config,) = documents((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (scrape,) = config["scrape_configs"]
    del scrape["dns_sd_configs"]
    scrape["static_configs"] = [{"targets": [f"127.0.0.1:{gateway_port}"]}]
    (folder / "alerts.yml").write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    words = [
        program("prometheus", "prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)
        shutil.rmtree(folder / "data", ignore_errors=True)


def firing(port: int) -> set[str]:
    """Return the names of the alerts that fire now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5) as answer:
        alerts = json.load(answer)["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def is_scraped(port: int) -> bool:
    """Return whether Prometheus has read the gateway's numbers."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query=crm_gateway_build_info"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bool(json.load(answer)["data"]["result"])


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true, for so long."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass  # Prometheus is still starting.
        time.sleep(0.25)
    raise AssertionError("it did not become true in time")


def test_broken_redis_is_told_until_mended(database_url: str, own_redis: OwnServer, tmp_path: Path):
    program("prometheus", "prometheus")
    environ = {"DATABASE_URL": database_url, "REDIS_URL": own_redis.url}
    with (
        served(environ, log=tmp_path / "gateway.log") as gateway_port,
        watched(gateway_port, tmp_path) as port,
    ):
        wait_until(lambda: is_scraped(port))
        assert firing(port) == set()
        own_redis.kill()
        wait_until(lambda: firing(port) == {ALERT})
        own_redis.start()
        wait_until(lambda: not firing(port))
