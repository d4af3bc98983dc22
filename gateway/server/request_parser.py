"""RequestParser: one request at a time out of the bytes of a connection.

The end of a head is looked for before anything is parsed, so that a head is bounded whatever it
holds, and the parser is fed no byte beyond the request under way: what follows waits unparsed until
that request is answered. Framing itself is judged by llhttp, in its strict mode.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from io import BytesIO
from typing import Any

import httptools

from gateway.request import SPOOL
from gateway.server.environ import (
    Environ,
    Network,
    add_headers,
    apply_forwarded,
    split_target,
)
from gateway.server.known_heads import Head, KnownHeads
from gateway.server.limits import Limits
from gateway.server.refusals import Refusal
from gateway.server.uploads import Spool, Uploads

END_OF_HEAD = b"\r\n\r\n"
VERSIONS = frozenset({"1.0", "1.1"})
CONTINUE = "100-continue"
BODILESS_METHODS = frozenset({"GET", "HEAD", "DELETE"})
CHUNKS_OVERHEAD = 2  # Chunk sizes and extensions may take as much as the body itself.
METHOD_BYTES = 40
PARSED_ANEW = frozenset({"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"})
"""A head with one of these is parsed each time it comes."""


class _NextRequest(Exception):
    """More bytes follow a chunked request within one read, and where they begin is not known."""


class RequestParser:
    """Collects a request; `environ` holds it when `feed` has said that it is whole.

    `rest` is what was fed beyond it. `is_last` says that nothing that follows can be a request.
    `spool` is where the body goes, if that is not memory.
    """

    environ: Environ
    in_body: bool
    is_last: bool
    says_close: bool
    wants_continue: bool
    method: str
    spool: Spool | None

    def __init__(
        self,
        limits: Limits,
        uploads: Uploads,
        *,
        heads: KnownHeads,
        proxies: Sequence[Network] = (),
    ) -> None:
        """Expect a head; what `proxies` say of the client counts."""
        self._limits = limits
        self._uploads = uploads
        self._heads = heads
        self._proxies = proxies
        self._parser: Any = httptools.HttpRequestParser(self)
        self._partial = bytearray()
        self.rest = b""
        self.reset({})

    def reset(self, environ: Environ) -> None:
        """Expect the next head; what is known of the request is added to `environ`."""
        self.environ = environ
        self.in_body = self.is_last = self.says_close = self.wants_continue = False
        self._is_complete = False
        self.method = self._version = ""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._body_bytes = 0
        self._raw_body_bytes = 0
        self._left: int | None = None
        self.spool = None

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has come."""
        return bool(self._partial) or self.in_body

    @property
    def has_unwritten(self) -> bool:
        """Whether something that came must be written to disk before anything else."""
        return self.spool is not None and self.spool.has_pending

    @property
    def received_bytes(self) -> int:
        """How much is kept of a request that is not whole."""
        return len(self._partial) + len(self._body)

    @property
    def is_old(self) -> bool:
        """Whether the client must be told that the connection is kept."""
        return self._version == "1.0"

    @property
    def target(self) -> bytes:
        """The request's target, as far as it can be told."""
        if self._target:
            return self._target
        words = bytes(self._partial[: self._limits.target_bytes + METHOD_BYTES]).split(b" ", 2)
        return words[1].partition(b"\r\n")[0] if len(words) > 1 else b""

    def feed(self, data: bytes) -> bool:
        """Take in bytes; return whether the request is whole. Raises: Refusal."""
        try:
            return self._feed_body(data) if self.in_body else self._feed_head(data)
        except httptools.HttpParserUpgrade:
            # Nothing is ever upgraded: the request is answered as it is.
            self._check_head()
            self.is_last = True
            return self._finish()
        except httptools.HttpParserError as error:
            if not self._is_complete:
                raise Refusal(HTTPStatus.BAD_REQUEST, "The request is malformed.") from error
            self.is_last = True
            return self._finish()

    def release(self) -> None:
        """Let go of the parser, which holds this object in turn."""
        self._parser = self.spool = None

    def _feed_head(self, data: bytes) -> bool:
        if not self._partial:
            data = data.lstrip(b"\r\n")  # Empty lines may precede a request, and begin none.
        if not data:
            return False
        head, self.rest = self._take_head(data)
        if not head:
            return False
        known = self._heads.find(head)
        if known is not None:
            return self._take_known(known)
        self._parser.feed_data(head)
        self._check_length(len(head))
        added = self._check_head()
        if self._is_complete and not PARSED_ANEW.intersection(added):
            about = self.method, self._version, self._target, self.is_last, self.says_close
            self._heads.keep(head, Head(*about, added))
        return self._begin_body()

    def _take_known(self, head: Head) -> bool:
        self.method, self._version, self._target, self.is_last, self.says_close, added = head
        self._is_complete = True
        self._fill(added)
        return self._finish()

    def _take_head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the bytes up to the end of a head, and the rest; nothing if it is not whole."""
        partial = self._partial
        if partial:
            start = max(0, len(partial) - len(END_OF_HEAD) + 1)
            partial += data
            end = partial.find(END_OF_HEAD, start)
            if end >= 0:
                data = bytes(partial)
                partial.clear()
        else:
            end = data.find(END_OF_HEAD)
            if end < 0:
                partial += data
        if end < 0:
            self._check_partial()
            return b"", b""
        end += len(END_OF_HEAD)
        return data[:end], data[end:]

    def _check_partial(self) -> None:
        if not self._partial[:1].isalpha():
            raise Refusal(HTTPStatus.BAD_REQUEST, "The request is malformed.")
        self._check_length(len(self._partial))

    def _check_length(self, head_bytes: int) -> None:
        limits = self._limits
        if len(self.target) > limits.target_bytes:
            raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long.")
        if head_bytes > limits.head_bytes or len(self._headers) > limits.head_fields:
            raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large.")

    def _check_head(self) -> Environ:
        """Refuse what cannot be served, build the environ of what can; return what it adds."""
        if self._version not in VERSIONS:
            raise Refusal(
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "This version of HTTP is not spoken here."
            )
        if self.method == "CONNECT":
            raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "This is no proxy.")
        added: Environ = {"REQUEST_METHOD": self.method, "SERVER_PROTOCOL": f"HTTP/{self._version}"}
        added["PATH_INFO"], added["QUERY_STRING"] = split_target(self._target)
        add_headers(added, self._headers)
        environ = self._fill(added)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.spool = self._uploads.open(environ, length) if length else None
        if self.spool is None and length > self._limits.max_body_bytes:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
        expectation = environ.get("HTTP_EXPECT")
        if expectation is not None:
            if expectation.lower() != CONTINUE:
                raise Refusal(HTTPStatus.EXPECTATION_FAILED, "This expectation cannot be met.")
            self.wants_continue = not self.rest and not self._is_complete
        # Node's http module sends a GET's body unframed: what follows on this connection could be
        # such a body and could be a request, so that it can be neither.
        if self.method in BODILESS_METHODS and "CONTENT_TYPE" in environ:
            is_framed = "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ
            self.is_last = self.is_last or not is_framed
        return added

    def _fill(self, added: Mapping[str, str]) -> Environ:
        self.environ.update(added)
        if self._proxies:
            apply_forwarded(self.environ, self._proxies)
        return self.environ

    def _begin_body(self) -> bool:
        if self._is_complete:
            return self._finish()
        self.in_body = True
        length = self.environ.get("CONTENT_LENGTH")
        self._left = None if length is None else int(length)
        data, self.rest = self.rest, b""
        return bool(data) and self._feed_body(data)

    def _feed_body(self, data: bytes) -> bool:
        if self._left is not None:
            data, self.rest = data[: self._left], data[self._left :]
            self._left -= len(data)
        self._raw_body_bytes += len(data)
        self._parser.feed_data(data)
        if self.spool is None:
            self._check_body()
        return self._is_complete and self._finish()

    def _check_body(self) -> None:
        limit = self._limits.max_body_bytes
        is_padded = self._raw_body_bytes > CHUNKS_OVERHEAD * limit + self._limits.head_bytes
        if self._body_bytes > limit or is_padded:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")

    def _finish(self) -> bool:
        """Give the environ its body."""
        self.in_body = False
        if self.spool is not None:
            self.environ["wsgi.input"], self.environ[SPOOL] = self.spool.file, self.spool
            return True
        if self._body or "HTTP_TRANSFER_ENCODING" in self.environ:
            self.environ.pop("HTTP_TRANSFER_ENCODING", None)
            self.environ["CONTENT_LENGTH"] = str(self._body_bytes)
        self.environ["wsgi.input"] = BytesIO(bytes(self._body))
        return True

    def on_message_begin(self) -> None:
        """Begin a request; called by the parser, as is all that follows."""
        if self._is_complete:
            raise _NextRequest

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header, but not those that follow a chunked body."""
        if not self.in_body:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take in what the parser itself makes of the head."""
        self.method = self._parser.get_method().decode("ascii")
        self._version = self._parser.get_http_version()
        self.is_last = self.says_close = not self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body, unless it is too long already."""
        if self.spool is not None:
            self.spool.take(body)
            return
        self._body_bytes += len(body)
        if self._body_bytes <= self._limits.max_body_bytes:
            self._body += body

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._is_complete = True
