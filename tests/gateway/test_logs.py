"""The request id, and one line of JSON a request that keeps every secret."""

import asyncio
import io
import logging.config
import os
import pty
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home

from gateway.observability import logs, terminal
from gateway.observability.log_lines import FLUSH_SECONDS, MAX_BUFFERED_LINES, Lines
from gateway.observability.places import LOG_LINES_DROPPED, SIZE

Capture = pytest.CaptureFixture[str]


def lines(capture: Capture) -> list[dict[str, object]]:
    """Return what was logged since the last look."""
    return [orjson.loads(line) for line in capture.readouterr().out.splitlines()]


def test_line_says_who_asked_what(client: FlaskClient, tenant: Home, capfd: Capture):
    headers = {**tenant.caller(7).headers, "X-Request-Id": "abc 1"}
    client.get("/activities/5?$select[]=id", headers=headers)
    (line,) = lines(capfd)
    duration, stamp = line.pop("duration_ms"), line.pop("timestamp")
    assert isinstance(duration, float)
    assert str(stamp).endswith("+00:00")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "abc 1",
        "tenant": tenant.id,
        "user": 7,
        "dialect": "achieveapex",
        "route": "/activities/<path:activity_id>",
        "method": "GET",
        "status": 404,
    }


def test_several_tenants_are_all_named(client: FlaskClient, tenant: Home, capfd: Capture):
    token = tenant.token(organization_id=[tenant.id, tenant.id])
    client.get("/activities", headers={"x-access-token": token})
    assert lines(capfd)[0]["tenant"] == tenant.id


def test_no_secret_is_logged(client: FlaskClient, tenant: Home, capfd: Capture):
    secret = "hunter2hunter2"
    for header in ("x-access-token", "x-api-key", "Authorization"):
        client.get(f"/activities?token={secret}", headers={header: secret})
        client.post("/v1/crm/activities", headers={header: secret}, data=secret)
    client.get(f"/{secret}")
    assert secret not in capfd.readouterr().out


@pytest.mark.parametrize("path", ["/v1/crm/activities", "/nowhere", "/version", "/directory"])
def test_id_comes_back(client: FlaskClient, path: str):
    assert client.get(path, headers={"X-Request-Id": "id-1"}).headers["X-Request-Id"] == "id-1"


@pytest.mark.parametrize("given", ["", "x" * 129, "é", "a\tb", None])
def test_unusable_id_is_replaced(client: FlaskClient, given: str | None):
    environ = {} if given is None else {"HTTP_X_REQUEST_ID": given}
    made = [client.get("/version", environ_overrides=environ).headers["X-Request-Id"] for _ in "ab"]
    assert len(set(made)) == 2
    assert all(len(one) == 32 for one in made)


def test_probes_are_logged_for_debugging_only(make_app: Callable[..., Flask], capfd: Capture):
    make_app().test_client().get("/version")
    assert lines(capfd) == []
    make_app(log_level="debug").test_client().get("/version")
    assert lines(capfd)[0]["level"] == "debug"


def test_level_silences_lines(make_app: Callable[..., Flask], capfd: Capture):
    make_app(log_level="error").test_client().get("/activities")
    assert lines(capfd) == []


def test_reader_that_left_fails_nothing():
    closed = io.BytesIO()
    closed.close()
    Lines(closed).write(b"{}")


def test_exceptions_are_logged_whole():
    output = io.BytesIO()
    logger = logs.make_logger(Lines(output), "warning")
    logger.info("quiet")
    logger.error("loud", exc_info=ValueError("why"), odd=object)
    line = orjson.loads(output.getvalue())
    assert (line["event"], line["level"]) == ("loud", "error")
    assert "ValueError: why" in line["exception"]
    assert "class" in line["odd"]


def test_libraries_log_alike(capfd: Capture):
    configured = logging.config.dictConfig
    configured(logs.server_logging("info"))
    try:
        logging.getLogger("gunicorn.error").info("Listening at: %s", "somewhere")
        logging.getLogger("some.library").warning("careful")
        first, second = lines(capfd)
    finally:
        logging.getLogger().handlers.clear()
        logging.getLogger("gunicorn.error").handlers.clear()
    assert (first["event"], first["level"]) == ("Listening at: somewhere", "info")
    assert (second["event"], second["level"]) == ("careful", "warning")


def test_buffered_lines_come_whole_and_in_order():
    output = io.BytesIO()
    buffering = Lines(output)
    buffering.start_buffering()
    for number in range(1000):
        buffering.write(str(number).encode() * 9)
    buffering.end()
    buffering.write(b"after the end")
    expected = [str(number).encode() * 9 for number in range(1000)]
    assert output.getvalue().splitlines() == [*expected, b"after the end"]


def test_buffered_lines_are_soon_written():
    output = io.BytesIO()
    buffering = Lines(output)
    buffering.start_buffering()
    buffering.write(b"line")
    deadline = time.monotonic() + 5
    while not output.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    buffering.end()
    assert output.getvalue() == b"line\n"


def count_writes(file: Path, line: bytes) -> int:
    """Return how often a file grew while the line was logged for a second, again and again."""
    with file.open("wb") as output:
        lines = Lines(output)
        lines.start_buffering()
        sizes, end = set(), time.monotonic() + 1
        while time.monotonic() < end:
            lines.write(line)
            sizes.add(file.stat().st_size)
            time.sleep(0.002)
        lines.end()
    return len(sizes) - 1


def test_many_lines_are_written_to_a_file_in_smaller_pieces(tmp_path: Path):
    most = 1 / FLUSH_SECONDS
    assert count_writes(tmp_path / "quiet", b"x" * 100) <= most
    assert count_writes(tmp_path / "busy", b"x" * 10_000) > 2 * most


def test_stalled_reader_costs_lines_and_no_time():
    reader, writer = os.pipe()
    counters = [0] * SIZE
    stalled = Lines(os.fdopen(writer, "wb", buffering=0), counters=counters)
    stalled.start_buffering()
    began = time.monotonic()
    for _ in range(MAX_BUFFERED_LINES + 3_000):
        stalled.write(b"x" * 100)
    time.sleep(0.3)  # The writing thread hangs by now.
    for _ in range(MAX_BUFFERED_LINES):
        stalled.write(b"x" * 100)
    assert time.monotonic() - began < 2
    assert counters[LOG_LINES_DROPPED] > MAX_BUFFERED_LINES
    stalled.end()
    stalled.write(b"after the end")
    assert counters[LOG_LINES_DROPPED] > 2 * MAX_BUFFERED_LINES
    os.close(reader)


def piped(counters: list[int]) -> tuple[Lines, int]:
    """Return lines that a loop writes to a pipe, and where they are read."""
    reader, writer = os.pipe()
    lines = Lines(os.fdopen(writer, "wb", buffering=0), counters=counters)
    before = set(threading.enumerate())
    lines.start_buffering()
    lines.flush()
    for thread in set(threading.enumerate()) - before:  # It is not needed now.
        thread.join()
    return lines, reader


def test_loop_writes_to_a_pipe_at_once():
    lines, reader = piped([0] * SIZE)
    expected = [str(number).encode() * 9 for number in range(1000)]
    for line in expected:
        lines.write(line)
    assert lines.flush()
    assert os.read(reader, 2**16).splitlines() == expected
    lines.write(b"last")
    lines.end()
    assert os.read(reader, 2**16) == b"last\n"


def test_loop_writes_more_than_a_pipe_holds():
    lines, reader = piped([0] * SIZE)
    sent = b"".join(b"%0200d\n" % number for number in range(5_000))
    read = bytearray()

    def read_all() -> None:
        while len(read) < len(sent):
            read.extend(os.read(reader, 2**16))

    async def write_all() -> None:
        for line in sent.splitlines():
            lines.write(line)
        lines.flush_on(asyncio.get_running_loop())
        await asyncio.wait_for(asyncio.to_thread(read_all), 5)

    asyncio.run(write_all())
    lines.end()
    assert read == sent


def test_loop_waits_for_no_reader():
    counters = [0] * SIZE
    lines, reader = piped(counters)
    sent = [f"{number:0100}".encode() for number in range(2_000)]
    for line in sent:
        lines.write(line)
    began = time.monotonic()
    assert not lines.flush()
    assert time.monotonic() - began < 2
    read = os.read(reader, 2**16)
    while not lines.flush():
        read += os.read(reader, 2**16)
    assert (read + os.read(reader, 2**16)).splitlines() == sent
    for line in sent:
        lines.write(line)
    lines.end()
    assert 0 < counters[LOG_LINES_DROPPED] < len(sent)


def test_people_get_one_line_in_colour():
    event = {
        "event": "request",
        "level": "info",
        "timestamp": datetime(2026, 3, 1, tzinfo=UTC),
        "request_id": "abc",
        "tenant": 27,
        "user": None,
        "route": "/activities",
        "method": "GET",
        "status": 404,
        "duration_ms": 1.5,
    }
    line = terminal.render(event).decode()
    assert re.sub(r"\x1b\[\d+m", "", line)[12:] == (
        " info    GET /activities 404 1.5 ms request_id=abc tenant=27"
    )
    assert "\x1b[33m404" in line


def test_terminals_are_sent_nothing_to_obey():
    line = terminal.render({"event": "odd\x1b[2J", "level": "error", "reason": "two\nlines"})
    assert b"\x1b[2J" not in line
    assert b"\n" not in line


def test_terminal_shows_the_stack_below():
    line = terminal.render({"event": "loud", "level": "error", "exception": "ValueError: why"})
    assert line.endswith(b"\nValueError: why")


def test_terminal_is_told_from_a_pipe(make_app: Callable[..., Flask]):
    main, other = pty.openpty()
    usual = os.dup(1)
    os.dup2(other, 1)
    with (
        os.fdopen(other, "w") as terminal_file,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr("sys.stdout", terminal_file)
        make_app().test_client().get("/activities")
        os.dup2(usual, 1)
    os.close(usual)
    shown = os.read(main, 4096).decode()
    os.close(main)
    assert "GET /activities" in shown
    assert "\x1b[33m401" in shown
