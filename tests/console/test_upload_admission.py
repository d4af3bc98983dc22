"""Who may send a long file: decided on the event loop, while strangers ask."""

import threading
from datetime import UTC, datetime

from gateway.console.session_cookie import SigningKey
from gateway.console.upload_admission import UploadAdmission
from gateway.request import UNDECIDED

PATH = "/console/directory/imports"
POST = {"PATH_INFO": PATH, "REQUEST_METHOD": "POST"}
STRANGERS = 50
SECONDS = 5.0


def test_key_is_read_once_for_all_strangers():
    answers, read = threading.Event(), []

    def read_secret() -> bytes:
        read.append(threading.current_thread())
        assert answers.wait(SECONDS)
        return b"secret"

    key = SigningKey(read_secret, jwt_secret=None)
    admission = UploadAdmission(key, path=PATH, max_bytes=1, clock=lambda: datetime.now(UTC))
    before = threading.active_count()
    assert {admission(POST) for _ in range(STRANGERS)} == {UNDECIDED}
    assert threading.active_count() <= before + 1
    answers.set()
    for thread in read:
        thread.join(SECONDS)
    assert len(read) == 1
    assert admission(POST) == 0
